package imap

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
	"mailpull/pkg/wire"
)

// compressing returns a source whose server compresses whatever comes, and the
// network between them.
func compressing(server *mailtest.IMAPServer) (*Source, *mailtest.Link) {
	server.Caps = strings.TrimSpace(server.Caps + " COMPRESS=DEFLATE")
	link := &mailtest.Link{Serve: server.Serve}
	o := optionsFor(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})
	o.Dial, o.Compress = link.Dial, wire.CompressAlways
	return New(Options{Wire: o}), link
}

// The suite runs over a compressed connection.
func TestSourceSuiteCompressed(t *testing.T) {
	t.Parallel()
	mailtest.TestSource(t, func(t *testing.T) pull.Source {
		source, link := compressing(&mailtest.IMAPServer{
			Caps: "ESEARCH", Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", mailtest.SuiteBodies()...)},
		})
		t.Cleanup(link.Wait)
		return pull.NewSource(source)
	})
}

// bodies are the bodies of messages.
func bodies(messages []message) (list []string) {
	for _, m := range messages {
		list = append(list, m.body)
	}
	return list
}

// A compressed session is cut behind each byte of the stream: nothing that is
// not whole counts, and a session that goes on brings the rest.
func TestCompressedCutAnywhere(t *testing.T) {
	t.Parallel()
	messages := sized(4, 120)
	for i := range messages {
		messages[i].uid = mail.UID(i + 1)
	}
	pullCut := func(cut int64) (total int64, b *box, err error) {
		source, link := compressing(&mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", bodies(messages)...)}})
		link.CutAt, link.How = cut, mailtest.EndEOF
		b = newBox(t)
		err = pullInbox(source, b)
		link.Wait()
		return link.Sent(), b, err
	}
	total, b, err := pullCut(0)
	if err != nil || len(b.whole) != len(messages) {
		t.Fatalf("uncut: %d messages, %v", len(b.whole), err)
	}
	for n := int64(1); n < total; n++ {
		_, b, err := pullCut(n)
		b.checkWhole(messages)
		if err == nil && len(b.whole) < len(messages) {
			t.Errorf("cut behind byte %d of %d: %d messages and no error", n, total, len(b.whole))
		}
		if err != nil && mail.ErrorScope(err) != mail.ScopeAccount {
			t.Errorf("cut behind byte %d: %v has another scope", n, err)
		}
	}
}

// A server that agrees to compress and then does not costs one session, and no
// message its good name.
func TestCompressionThatFails(t *testing.T) {
	t.Parallel()
	messages := sized(4, 120)
	server := &mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", bodies(messages)...)}}
	server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
		if command != "COMPRESS DEFLATE" {
			return false
		}
		c.Printf("%s OK now", tag)
		c.Printf("* OK and on in plain text")
		return true
	}
	source, link := compressing(server)
	b := newBox(t)
	err := pullInbox(source, b)
	if !errors.Is(err, wire.ErrDamaged) || mail.ErrorRetry(err) != mail.RetryNow || len(b.whole) > 0 || len(b.failed) > 0 {
		t.Fatalf("%d messages, %d failed, %v", len(b.whole), len(b.failed), err)
	}
	if err := pullInbox(source, b); err != nil || len(b.whole) != len(messages) {
		t.Errorf("the next session brought %d messages, %v", len(b.whole), err)
	}
	link.Wait()
	if asked := server.Heard("COMPRESS"); len(asked) != 1 {
		t.Errorf("it was asked %d times", len(asked))
	}
}

// Who waits, lists or fetches little is not compressed.
func TestCompressedOnlyToFetch(t *testing.T) {
	t.Parallel()
	server := &mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", bodies(sized(4, 120))...)}}
	source, link := compressing(server)
	session := open(t, source)
	if _, err := session.Mailboxes(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := session.Select(context.Background(), inbox()); err != nil {
		t.Fatal(err)
	}
	if err := session.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	link.Wait()
	if asked := server.Heard("COMPRESS"); len(asked) != 0 {
		t.Errorf("it was asked %d times", len(asked))
	}
}
