package faults

import (
	"testing"

	"mailpull/pkg/mailtest"
)

// bodies are messages with what there is of stumbling blocks: no line end at
// the end, dots, bare line ends, nothing at all, and some bulk.
func bodies() []string {
	return []string{
		"Subject: 1\r\n\r\nplain\r\n",
		"Subject: 2\r\n\r\n.\r\n..\r\n.dots\r\n",
		"Subject: 3\r\n\r\nbare\nline\nfeeds\n.\nand a dot\r\n",
		"Subject: 4\r\n\r\n\r\n\r\n",
		"",
		"Subject: 6\r\n\r\n" + bulk(6000),
		"Subject: 7\r\n\r\n\x00\x80\xff not text \r alone\r\n",
		"Subject: 8\r\n\r\n" + bulk(5600),
	}
}

// bulk returns about n bytes of lines.
func bulk(n int) string {
	var text []byte
	for i := 0; len(text) < n; i++ {
		text = append(text, "The quick brown fox jumps over the lazy dog, "...)
		text = append(text, byte('a'+i%26), '\r', '\n')
	}
	return string(text)
}

// Both rigs pull everything, and a second pass finds nothing to do.
func TestRigIsHonest(t *testing.T) {
	t.Parallel()
	imap := &mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", bodies()...)}}
	pop3 := &mailtest.POP3Server{Messages: mailtest.POP3Messages(bodies()...)}
	for name, r := range map[string]*rig{"imap": imapRig(imap), "pop3": pop3Rig(pop3)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, want := range []int{len(bodies()), 0} {
				result, err := r.pass(t.Context())
				if err != nil || result.New != want {
					t.Fatalf("pass %d: %d new, want %d; %v", i+1, result.New, want, err)
				}
			}
			r.check(t, true)
		})
	}
}

func BenchmarkRig(b *testing.B) {
	for name, fresh := range map[string]func() *rig{
		"imap": func() *rig {
			return imapRig(&mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", bodies()...)}})
		},
		"pop3": func() *rig { return pop3Rig(&mailtest.POP3Server{Messages: mailtest.POP3Messages(bodies()...)}) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := fresh()
				if _, err := r.pass(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
