package imap

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"testing"
	"time"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"mailpull/pkg/mail"
)

// realServer serves go-imap's own server, which speaks the whole protocol.
func realServer(t *testing.T, caps goimap.CapSet) (*Source, *imapmemserver.User) {
	t.Helper()
	user := imapmemserver.NewUser("work", "correct")
	memory := imapmemserver.New()
	memory.AddUser(user)
	server := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return memory.NewSession(), nil, nil
		},
		Caps:         caps,
		InsecureAuth: true,
		Logger:       log.New(io.Discard, "", 0),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // ends with the listener
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return New(Options{Wire: optionsFor(l.Addr())}), user
}

// A whole pass against a server that nobody here wrote.
func TestRealServer(t *testing.T) {
	t.Parallel()
	date := time.Date(2024, 7, 17, 2, 44, 25, 0, time.UTC)
	messages := sized(50, 2000)
	for name, caps := range map[string]goimap.CapSet{
		"old":  {goimap.CapIMAP4rev1: {}},
		"new":  {goimap.CapIMAP4rev1: {}, goimap.CapESearch: {}, goimap.CapListExtended: {}, goimap.CapListStatus: {}, goimap.CapSpecialUse: {}},
		"rev2": {goimap.CapIMAP4rev1: {}, goimap.CapIMAP4rev2: {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, user := realServer(t, caps)
			for _, box := range []string{"INBOX", "Entwürfe", "Sent/2024"} {
				if err := user.Create(box, nil); err != nil {
					t.Fatal(err)
				}
			}
			for _, m := range messages {
				literal := literalReader{bytes.NewReader([]byte(m.body))}
				if _, err := user.Append("Entwürfe", literal, &goimap.AppendOptions{
					Flags: []goimap.Flag{goimap.FlagSeen, "$Forwarded"}, Time: date,
				}); err != nil {
					t.Fatal(err)
				}
			}
			ctx := context.Background()
			session := open(t, source)
			boxes, err := session.Mailboxes(ctx)
			if err != nil || len(boxes) != 3 {
				t.Fatalf("the mailboxes are %q, %v", names(boxes), err)
			}
			for _, box := range boxes {
				refs, status, err := session.Select(ctx, box)
				if err != nil {
					t.Fatalf("select %q: %v", box.Name, err)
				}
				if box.Status == nil || box.Status.Validity != status.Validity || box.Status.Messages != refs.Len() {
					t.Errorf("%q: STATUS told %+v, EXAMINE %+v, listed are %d", box.Name, box.Status, status, refs.Len())
				}
				b := newBox(t)
				if err := session.Fetch(ctx, refs, b); err != nil {
					t.Fatalf("fetch %q: %v", box.Name, err)
				}
				if box.Name != "Entwürfe" {
					continue
				}
				if len(b.whole) != len(messages) {
					t.Fatalf("%d messages, want %d; failed: %v", len(b.whole), len(messages), b.failed)
				}
				uid := mail.UID(1)
				for _, m := range messages {
					item := b.items[uid]
					if b.whole[uid] != m.body || !item.Date.Equal(date) || !item.HasFlag(`\Seen`) || !item.HasFlag("$Forwarded") {
						t.Errorf("uid %d came as %+v with %d bytes", uid, item, len(b.whole[uid]))
					}
					uid++
				}
			}
			if err := session.Close(ctx); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// literalReader is what imapmemserver wants to append.
type literalReader struct{ *bytes.Reader }

func (r literalReader) Size() int64 { return int64(r.Len()) }
