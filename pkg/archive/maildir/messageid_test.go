package maildir

import (
	"strings"
	"testing"
)

func TestMessageID(t *testing.T) {
	t.Parallel()
	long := "<" + strings.Repeat("x", 300) + "@example.com>"
	for _, c := range []struct{ header, want string }{
		{"Message-ID: <a@example.com>\r\n\r\n", "<a@example.com>"},
		{"Message-ID: <a@example.com>\n\n", "<a@example.com>"},
		{"Message-ID: <a@example.com>", "<a@example.com>"},
		{"MESSAGE-id:<a@b>\r\n", "<a@b>"},
		{"Message-ID \t:\t<a@b> \r\n", "<a@b>"},
		{"Subject: x\r\nMessage-ID: <a@b>\r\nX: y\r\n\r\n", "<a@b>"},
		{"Message-ID:\r\n <a@b>\r\n\r\n", "<a@b>"}, // as Exchange folds it
		{"Message-ID: <a\r\n\t@b>\r\n\r\n", "<a\t@b>"},
		{"Message-ID: <a@b>\r\nMessage-ID: <c@d>\r\n", "<a@b>"},
		{"Subject: x\r\n Message-ID: <a@b>\r\n\r\n", ""},
		{"X-Message-ID: <a@b>\r\n\r\n", ""},
		{"Message-IDs: <a@b>\r\n\r\n", ""},
		{"Subject: x\r\n\r\nMessage-ID: <a@b>\r\n", ""},
		{"\r\nMessage-ID: <a@b>\r\n", ""},
		{"Message-ID: <a\x00@b>\r\n\r\n", ""},
		{"Message-ID: <ä@b>\r\n\r\n", ""},
		{"Message-ID:\r\n\r\n", ""},
		{"Message-ID", ""},
		{"", ""},
		{"Message-ID: " + long + "\r\n", long[:maxMessageID]},
		{"Message-ID: " + strings.Repeat(" ", 1000) + "<a@b>\r\n", ""},
		{"X: " + strings.Repeat("x", maxHeader) + "\r\nMessage-ID: <a@b>\r\n", ""},
	} {
		c.want = strings.ReplaceAll(c.want, "\t", "") // a fold in the middle is no part of it
		if got := messageID([]byte(c.header)); got != c.want {
			t.Errorf("%.60q: got %q, want %q", c.header, got, c.want)
		}
	}
}

func FuzzMessageID(f *testing.F) {
	f.Add([]byte("Subject: x\r\nMessage-ID: <a@example.com>\r\n\r\nbody"))
	f.Add([]byte("message-id:\n\t<a@b>\n \n\n"))
	f.Add([]byte("Message-ID: \xff\r\n :\r\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		id := messageID(wire)
		if len(id) > maxMessageID {
			t.Errorf("%d bytes", len(id))
		}
		for _, c := range []byte(id) {
			if c < ' ' || c > '~' {
				t.Errorf("%q is not printable", id)
			}
		}
	})
}
