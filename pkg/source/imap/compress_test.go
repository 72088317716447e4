package imap

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// A server that agrees to compress and then does not, or that hangs up when it is
// asked, costs one session, and no message its good name.
func TestCompressionThatFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer func(c *mailtest.IMAPTalk, tag string)
		class  mail.Class
	}{
		"plain text": {func(c *mailtest.IMAPTalk, tag string) {
			c.Printf("%s OK now", tag)
			c.Printf("* OK and on in plain text")
		}, mail.ClassProtocol},
		"hangs up": {func(c *mailtest.IMAPTalk, _ string) { c.HangUp() }, mail.ClassConnect},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			messages := sized(4, 120)
			server := &mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", bodies(messages)...)}}
			server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
				if command != "COMPRESS DEFLATE" {
					return false
				}
				test.answer(c, tag)
				return true
			}
			source, link := compressing(server)
			b := newBox(t)
			err := pullInbox(source, b)
			if mail.ErrorClass(err) != test.class || mail.ErrorRetry(err) != mail.RetryNow || len(b.whole) > 0 || len(b.failed) > 0 {
				t.Fatalf("%d messages, %d failed, %v", len(b.whole), len(b.failed), err)
			}
			if err := pullInbox(source, b); err != nil || len(b.whole) != len(messages) {
				t.Errorf("the next session brought %d messages, %v", len(b.whole), err)
			}
			link.Wait()
			if asked := server.Heard("COMPRESS"); len(asked) != 1 {
				t.Errorf("it was asked %d times", len(asked))
			}
		})
	}
}

// Who waits or lists is not compressed.
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

// farAway is a connection to a server that is not in our own network.
type farAway struct{ net.Conn }

func (farAway) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 143} }

// A server is asked to compress once its line was found to be slow, unless it is
// near: then it is slow for another reason.
func TestCompressedOverSlowLine(t *testing.T) {
	t.Parallel()
	text := make([]string, 500)
	for i := range text {
		text[i] = strings.Repeat(fmt.Sprintf("Line %d of a text like others.\r\n", i), 600)
	}
	for _, test := range []struct {
		name   string
		rate   int64
		few    bool
		near   bool
		asked  int
		within time.Duration
	}{
		{"slow", 125_000, false, false, 1, 30 * time.Second}, // 74 s without
		{"fast", 12_500_000, false, false, 0, 2 * time.Second},
		{"near", 125_000, false, true, 0, 90 * time.Second},
		{"slow, and nothing is left", 2_000, true, false, 0, 30 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			text := text
			if test.few {
				text = text[:2]
			}
			l := newLine(text...)
			l.server.Caps += " COMPRESS=DEFLATE"
			l.Line = &mailtest.Line{Rate: test.rate, Delay: 30 * time.Millisecond}
			l.source.options.Wire.AllowPlaintext = true
			l.source.options.Wire.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := l.Dial(ctx, network, addr)
				if err != nil || test.near {
					return conn, err
				}
				return farAway{conn}, nil
			}
			began := time.Now()
			b, err := l.fetch(t, t.Context())
			took := time.Since(began)
			if err != nil || len(b.whole) != len(text) {
				t.Fatalf("%s: %d of %d messages came, %v", test.name, len(b.whole), len(text), err)
			}
			if asked := len(l.server.Heard("COMPRESS")); asked != test.asked || took > test.within {
				t.Errorf("%s: after %s the server was asked %d times to compress", test.name, took, asked)
			}
			l.Wait()
		})
	}
}

// A server that falls silent when it has to compress costs a session: the next
// one does without, although messages came before.
func TestCompressionThatFailsLater(t *testing.T) {
	t.Parallel()
	f := &fetch{Session: &Session{care: &care{}, warnings: wire.NewWarnings(slog.New(slog.DiscardHandler))}}
	f.wentWell(1)
	f.compressed = true
	dead := &mail.Error{Class: mail.ClassTimeout, Err: wire.ErrTimeout}
	if !f.blamesCompression(dead) || dead.Retry != mail.RetryNow || !f.care.isPlain() {
		t.Errorf("silence: %+v", dead)
	}
	f.care = &care{}
	f.wentWell(2)
	if dead := (&mail.Error{Class: mail.ClassTimeout, Err: wire.ErrTimeout}); f.blamesCompression(dead) || f.care.isPlain() {
		t.Errorf("silence after a message: %+v", dead)
	}
	if dead := (&mail.Error{Class: mail.ClassProtocol, Err: wire.ErrDamaged}); !f.blamesCompression(dead) || !f.care.isPlain() {
		t.Errorf("damage after a message: %+v", dead)
	}
}

// A session that brought messages compressed and is cut at the beginning of its
// next fetch was not cut because of that.
func TestCompressionThatWentWellIsNotBlamed(t *testing.T) {
	t.Parallel()
	server := &mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", bodies(sized(4, 120))...)}}
	server.On = func(c *mailtest.IMAPTalk, _, command string) bool {
		if !strings.HasPrefix(command, "UID FETCH 4 ") {
			return false
		}
		c.HangUp()
		return true
	}
	source, link := compressing(server)
	session, refs := selectInbox(t, source)
	b := newBox(t)
	refs.UIDs = mail.UIDSet{{Lo: 1, Hi: 3}}
	if err := session.Fetch(t.Context(), refs, b); err != nil || len(b.whole) != 3 || !session.compressed {
		t.Fatalf("%d messages, %v", len(b.whole), err)
	}
	refs.UIDs = mail.UIDSet{{Lo: 4, Hi: 4}}
	if err := session.Fetch(t.Context(), refs, b); mail.ErrorClass(err) != mail.ClassConnect || source.care.isPlain() {
		t.Errorf("the fetch ended with %v, compression is not used any more: %v", err, source.care.isPlain())
	}
	link.Wait()
}

// Who ends the fetch while the server is asked to compress learns nothing of it.
func TestCompressionThatWeEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(session *Session, cancel func()){
		"context": func(_ *Session, cancel func()) { cancel() },
		"abort":   func(session *Session, _ func()) { session.Abort() },
	} {
		synctest.Test(t, func(t *testing.T) {
			server := &mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", bodies(sized(4, 120))...)}}
			server.On = func(c *mailtest.IMAPTalk, _, command string) bool {
				if command != "COMPRESS DEFLATE" {
					return false
				}
				c.Stall()
				return true
			}
			source, link := compressing(server)
			session, refs := selectInbox(t, source)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(time.Second, func() { end(session, cancel) })
			if err := session.Fetch(ctx, refs, newBox(t)); err == nil || source.care.isPlain() {
				t.Errorf("%s: the fetch ended with %v, compression is not used any more: %v", name, err, source.care.isPlain())
			}
			link.Wait()
		})
	}
}
