package imap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/wire"
)

// slack is what a session costs beside bodies: the greeting, the sign-in, a
// listing.
const slack = 4 << 10

// noise returns a body in which no part is like another, so that one which was
// put together wrongly is not the same. All bodies begin alike: to make them takes
// longer than to fetch them.
func noise(size int) string { return allNoise()[:size] }

var allNoise = sync.OnceValue(func() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	const size = 2*sliceBytes + 6<<20
	random := rand.NewPCG(1, 2)
	body := make([]byte, 0, size+8)
	body = append(body, "Subject: large\r\n\r\n"...)
	for len(body) < size {
		for bits := random.Uint64(); bits != 0; bits >>= 8 {
			body = append(body, letters[bits&63])
		}
		if len(body)%1024 < 8 {
			body = append(body, "\r\n"...)
		}
	}
	return string(body)
})

// line is a mailbox behind a network that a test cuts.
type line struct {
	*mailtest.Link
	server *mailtest.IMAPServer
	box    *mailtest.IMAPBox
	source *Source

	mu    sync.Mutex
	after []int64 // where connections end behind a command for a body, in turn
	how   mailtest.Ending
	times int  // how often that happens
	away  bool // nobody can connect
}

// newLine returns a server with a message for each body.
func newLine(bodies ...string) *line {
	box := mailtest.NewIMAPBox("INBOX", bodies...)
	l := &line{box: box, server: &mailtest.IMAPServer{Caps: "ESEARCH", Boxes: []*mailtest.IMAPBox{box}}}
	l.server.On = func(_ *mailtest.IMAPTalk, _, command string) bool { l.heard(command); return false }
	l.Link = &mailtest.Link{Serve: l.server.Serve, Before: l.before}
	l.source = New(Options{Wire: wire.Options{Host: "127.0.0.1", Security: wire.None, Dial: l.Dial, Login: testLogin()}})
	return l
}

// cut ends the connection so many bytes behind a command that asks for a body, or
// for a part of it that is not its beginning, so often.
func (l *line) cut(after int64, how mailtest.Ending, times int) {
	l.cutInTurn(how, times, after)
}

// cutInTurn is cut with one place after the other, and then from the first again.
func (l *line) cutInTurn(how mailtest.Ending, times int, after ...int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.after, l.how, l.times = after, how, times
}

func (l *line) heard(command string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.times > 0 && strings.Contains(command, "BODY.PEEK[]") && !strings.Contains(command, "[]<0.") {
		l.times--
		l.Cut(l.after[0], l.how)
		l.after = append(l.after[1:], l.after[0])
	}
}

// goAway lets nobody connect, or everybody again.
func (l *line) goAway(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

func (l *line) before(op string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away && op == "dial" {
		return &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	return nil
}

// fetch makes one session fetch all that the mailbox has.
func (l *line) fetch(t *testing.T, ctx context.Context) (*box, error) {
	t.Helper()
	session, err := l.source.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Abort()
	refs, _, err := session.Select(ctx, inbox())
	if err != nil {
		t.Fatal(err)
	}
	b := newBox(t)
	return b, session.Fetch(ctx, refs, b)
}

// want fails the test unless the messages came, each of them once and as the
// server has it, and nothing failed.
func (l *line) want(t *testing.T, b *box, uids ...mail.UID) {
	t.Helper()
	b.wantWhole(uids...)
	for _, m := range l.box.Messages {
		if got, ok := b.whole[m.UID]; ok && got != m.Body {
			t.Errorf("uid %d: %d bytes came that are not the %d of the server", m.UID, len(got), len(m.Body))
		}
	}
	for uid, err := range b.failed {
		t.Errorf("uid %d failed: %v", uid, err)
	}
}

// A message whose connection is lost, wherever and in whatever way, comes whole
// in the same fetch once enough of it had come, and no byte of it twice but for
// what is compared. The fetch tells how its connection ended, and nothing is blamed.
func TestResumeAtAnyPlace(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	body := noise(size)
	for how := mailtest.EndEOF; how <= mailtest.EndStall; how++ {
		for at := int64(1000); at < size; at += int64(mailtest.Every(5)) * 41_959 {
			synctest.Test(t, func(t *testing.T) {
				l := newLine(body, "small\r\n")
				l.cut(at, how, 1)
				b, err := l.fetch(t, t.Context())
				place := fmt.Sprintf("%s behind %d bytes", how, at)
				want := mail.ClassConnect
				if how == mailtest.EndStall {
					want = mail.ClassTimeout
				}
				if mail.ErrorClass(err) != want || mail.ErrorScope(err) != mail.ScopeAccount {
					t.Errorf("%s: the fetch ended with %v of class %s", place, err, mail.ErrorClass(err))
				}
				l.Wait()
				if at < resumeFrom {
					l.want(t, b)
					return
				}
				if at < resumeFrom+2*slack { // the answer's head counts, too
					return
				}
				l.want(t, b, 1)
				if item := b.items[1]; !item.Date.Equal(mailtest.IMAPDate()) {
					t.Errorf("%s: the date is %v", place, item.Date)
				}
				if n, most := l.Sent(), int64(size+2*overlapBytes+2*slack); n > most {
					t.Errorf("%s: %d bytes crossed the line, want at most %d", place, n, most)
				}
				if l.source.care.needed(mail.Inbox) || l.Dials() != 2 {
					t.Errorf("%s: care is needed, or there were %d connections", place, l.Dials())
				}
			})
		}
	}
}

// The lane asks for what is left on a new session, and has it.
func TestResumeThenTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine("first\r\n", noise(1<<20), "last\r\n")
		l.cut(600_000, mailtest.EndReset, 1)
		first, err := l.fetch(t, t.Context())
		l.want(t, first, 2)
		if mail.ErrorRetry(err) != mail.RetryNow {
			t.Errorf("the fetch ended with %v", err)
		}
		second, err := l.fetch(t, t.Context())
		if err != nil {
			t.Error(err)
		}
		l.want(t, second, 1, 2, 3)
		l.Wait()
	})
}

// Many cuts in one message of several slices: each costs what is compared.
func TestResumeAgainAndAgain(t *testing.T) {
	t.Parallel()
	const size = 2*sliceBytes + 5<<20
	const cuts = 60
	body := noise(size)
	synctest.Test(t, func(t *testing.T) {
		l := newLine(body)
		l.cut(600_000, mailtest.EndEOF, cuts)
		b, err := l.fetch(t, t.Context())
		if mail.ErrorClass(err) != mail.ClassConnect {
			t.Errorf("the fetch ended with %v", err)
		}
		l.want(t, b, 1)
		l.Wait()
		if n := l.Dials(); n != cuts+1 {
			t.Errorf("%d connections, want %d", n, cuts+1)
		}
		if n, most := l.Sent(), int64(size+cuts*(2*overlapBytes+slack)); n > most {
			t.Errorf("%d bytes crossed the line, want at most %d", n, most)
		}
		for _, command := range l.server.Heard("UID FETCH") {
			_, part, ok := strings.Cut(command, "BODY.PEEK[]<")
			var from, count int64
			if _, err := fmt.Sscanf(part, "%d.%d>", &from, &count); ok && (err != nil || count > sliceBytes) {
				t.Errorf("it asked %q", command)
			}
		}
	})
}

// A connection that brings enough makes up for those before it that did not.
func TestResumeBarrenInBetween(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine(noise(waitFrom + 4<<20))
		l.cutInTurn(mailtest.EndEOF, 12, waitFrom+100_000, 50_000, 50_000, 50_000, 600_000, 50_000, 50_000, 50_000, 600_000, 50_000, 50_000, 50_000)
		b, _ := l.fetch(t, t.Context())
		l.want(t, b, 1)
		l.Wait()
		if n := l.Dials(); n != 13 {
			t.Errorf("%d connections, want 13", n)
		}
	})
}

// A box on the way that cuts each connection soon costs a bounded number of
// sign-ins, and not many in a minute: providers lock accounts for that.
func TestResumeBoundsSignIns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine(noise(2*sliceBytes + 5<<20))
		l.cut(2*overlapBytes+260<<10, mailtest.EndReset, 1000)
		began := time.Now()
		b, err := l.fetch(t, t.Context())
		if mail.ErrorClass(err) != mail.ClassConnect {
			t.Errorf("the fetch ended with %v", err)
		}
		l.want(t, b)
		l.Wait()
		n, took := l.Dials(), time.Since(began)
		if n < spareSessions || n > 2*spareSessions {
			t.Errorf("%d connections", n)
		}
		if most := quickSessions + 1 + int(took/sessionEvery); n > most {
			t.Errorf("%d connections in %s, want at most %d", n, took, most)
		}
	})
}

// A slow line that loses its connection each MiB brings the largest message, and
// waits for nothing: a MiB takes it longer than the pause.
func TestResumeSlowLineComesToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size, each, takes = int64(2 << 30), int64(1 << 20), 15 * time.Second
		f := &fetch{Session: &Session{care: &care{}, alive: t.Context()}, ctx: t.Context(), refs: mail.Refs{Validity: 7}}
		b := f.newBodyStream(nil, 1, &answer{named: true, size: size}, nil, size)
		began := time.Now()
		for b.given = each; b.given < size; b.given += each {
			if !b.mayResume(&mail.Error{Class: mail.ClassConnect}) {
				t.Fatalf("it ends behind %d bytes and %d connections", b.given, b.opened)
			}
			b.opened, b.last = b.opened+1, time.Now()
			time.Sleep(takes)
		}
		if took, most := time.Since(began), time.Duration(size/each)*takes; took > most {
			t.Errorf("it took %s, want %s", took, most)
		}
	})
}

// A line that brings too little each time is given up soon, and so is a server
// that has gone for good or falls silent: the error is the first one.
func TestResumeGivesUp(t *testing.T) {
	t.Parallel()
	const much, little = waitFrom + 1<<20, 1 << 20
	trickle := func(l *line) { l.cut(overlapBytes+50_000, mailtest.EndEOF, 100) }
	gone := func(l *line) { l.goAway(true) }
	silent := func(l *line) { l.cut(overlapBytes+50_000, mailtest.EndStall, 100) }
	for name, tt := range map[string]struct {
		at    int64         // where the first connection ends
		again func(l *line) // what the network does then
		dials int
		most  time.Duration
	}{
		"a trickle":                  {much, trickle, 1 + maxBarren, time.Minute},
		"a trickle, little at stake": {little, trickle, 2, time.Second},
		"gone":                       {much, gone, 1, time.Minute},
		"gone, little at stake":      {little, gone, 1, time.Second},
		"silent":                     {much, silent, 1 + maxBarren/2, 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLine(noise(int(tt.at) + 1<<20))
				l.cut(tt.at, mailtest.EndReset, 1)
				b := newBox(t)
				session, err := l.source.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				refs, _, err := session.Select(t.Context(), inbox())
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				err = session.Fetch(t.Context(), refs, &turning{b, func() { tt.again(l) }})
				if took := time.Since(began); took > tt.most {
					t.Errorf("it took %s", took)
				}
				if mail.ErrorClass(err) != mail.ClassConnect || mail.ErrorRetry(err) != mail.RetryNow {
					t.Errorf("the fetch ended with %v", err)
				}
				l.want(t, b)
				if n := l.Dials(); n != tt.dials {
					t.Errorf("%d connections, want %d", n, tt.dials)
				}
				session.Abort()
				l.Wait()
			})
		})
	}
}

// turning calls turn behind the first bytes of a body.
type turning struct {
	*box
	turn func()
}

func (r *turning) Body(ref mail.Ref, size int64, body io.Reader) error {
	if _, err := io.ReadFull(body, make([]byte, resumeFrom)); err != nil {
		return err
	}
	r.turn()
	_, err := io.Copy(io.Discard, body)
	return err
}

// A server that is away for half a minute costs nothing but that.
func TestResumeWaitsForTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine(noise(waitFrom + 2<<20))
		l.cut(waitFrom+1<<20, mailtest.EndReset, 1)
		session, err := l.source.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer session.Abort()
		refs, _, err := session.Select(t.Context(), inbox())
		if err != nil {
			t.Fatal(err)
		}
		l.goAway(true)
		time.AfterFunc(30*time.Second, func() { l.goAway(false) })
		b := newBox(t)
		if err := session.Fetch(t.Context(), refs, b); mail.ErrorClass(err) != mail.ClassConnect {
			t.Errorf("the fetch ended with %v", err)
		}
		l.want(t, b, 1)
		session.Abort()
		l.Wait()
	})
}

// What a server can do to the rest of a message, from the first part that it is
// asked for on or from the second. Never does a byte come that is not the
// message's, and never is the message blamed.
func TestResumeLies(t *testing.T) {
	t.Parallel()
	for name, honest := range map[string]int{"at once": 0, "behind the beginning": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testLies(t, honest)
		})
	}
}

// testLies has a server tell lies behind so many honest parts.
func testLies(t *testing.T, honest int) {
	body := noise(2 << 20)
	const at = 1 << 20
	other := noise(4 << 20)[2<<20:]
	for name, tt := range map[string]struct {
		part   func(body string, from, count int) (string, string)
		change func(l *line) // when the connection was lost
		on     func(c *mailtest.IMAPTalk, tag string) bool
		whole  bool // it comes all the same
		parts  bool // the server is asked for parts again
		class  mail.Class
	}{
		"honest":                     {whole: true, parts: true},
		"no parts":                   {part: func(body string, _, _ int) (string, string) { return "[]", body }, whole: true},
		"no parts, and says so":      {part: func(body string, _, _ int) (string, string) { return "[]<0>", body }, whole: true},
		"no parts, and another body": {part: func(string, int, int) (string, string) { return "[]", other }},
		"another origin": {part: func(body string, from, count int) (string, string) {
			_, part := mailtest.IMAPPart(body, from, count)
			return fmt.Sprintf("[]<%d>", from+1), part
		}},
		"another origin of that length": {part: func(body string, from, count int) (string, string) {
			_, part := mailtest.IMAPPart(body, from+1, count)
			return fmt.Sprintf("[]<%d>", from), part
		}},
		"no origin": {part: func(body string, from, count int) (string, string) {
			_, part := mailtest.IMAPPart(body, from, count)
			return "[]", part
		}},
		"an origin beyond all bounds": {part: func(body string, from, count int) (string, string) {
			_, part := mailtest.IMAPPart(body, from, count)
			return "[]<4294967296>", part
		}, parts: true}, // the guard ends that connection, and nothing is learnt
		"too little": {part: func(body string, from, count int) (string, string) {
			return mailtest.IMAPPart(body, from, count-1)
		}},
		"too much": {part: func(body string, from, count int) (string, string) {
			label, part := mailtest.IMAPPart(body, from, count)
			return label, part + "x"
		}},
		"nothing": {part: func(_ string, from, _ int) (string, string) { return fmt.Sprintf("[]<%d>", from), "" }},
		"another overlap": {part: func(_ string, from, count int) (string, string) {
			return mailtest.IMAPPart(other, from, count)
		}},
		"the last byte of the overlap": {part: func(body string, from, count int) (string, string) {
			label, part := mailtest.IMAPPart(body, from, count)
			return label, part[:overlapBytes-1] + "-" + part[overlapBytes:]
		}},
		"another size":        {change: func(l *line) { l.box.Messages[0].Body += "more\r\n" }},
		"renumbered":          {change: func(l *line) { l.box.UIDValidity++ }, parts: true},
		"gone":                {change: func(l *line) { l.box.Messages = nil }, parts: true},
		"the mailbox is gone": {change: func(l *line) { l.server.Boxes = nil }, parts: true},
		"refused":             {on: func(c *mailtest.IMAPTalk, tag string) bool { c.Printf("%s NO not now", tag); return true }, parts: true},
		"unknown":             {on: func(c *mailtest.IMAPTalk, tag string) bool { c.Printf("%s BAD what", tag); return true }},
		"throttled": {on: func(c *mailtest.IMAPTalk, tag string) bool {
			c.Printf("%s NO [LIMIT] rate limit hit", tag)
			return true
		}, parts: true, class: mail.ClassThrottled},
		"goodbye": {on: func(c *mailtest.IMAPTalk, _ string) bool {
			c.Printf("* BYE Too many connections")
			c.HangUp()
			return true
		}, parts: true, class: mail.ClassThrottled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLine(body)
				l.server.Part = func(body string, from, count int) (string, string) {
					if tt.part == nil || from == 0 && honest > 0 {
						return mailtest.IMAPPart(body, from, count)
					}
					return tt.part(body, from, count)
				}
				asked := 0
				l.server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
					if !strings.Contains(command, "BODY.PEEK[]") {
						return false
					}
					if asked++; asked > 1 {
						return tt.on != nil && asked > 1+honest && tt.on(c, tag)
					}
					l.Cut(at, mailtest.EndReset)
					if tt.change != nil {
						l.server.Change(func() { tt.change(l) })
					}
					return false
				}
				b, err := l.fetch(t, t.Context())
				l.Wait()
				want := tt.class
				if want == "" {
					want = mail.ClassConnect
				}
				if mail.ErrorClass(err) != want {
					t.Errorf("the fetch ended with %v of class %s, want %s", err, mail.ErrorClass(err), want)
				}
				if tt.whole {
					l.want(t, b, 1)
				} else {
					l.want(t, b)
				}
				if got := l.source.care.parts(); got != tt.parts {
					t.Errorf("parts are asked for: %v, want %v", got, tt.parts)
				}
				if n := l.Dials(); n != 2 {
					t.Errorf("%d connections, want 2", n)
				}
			})
		})
	}
}

// A server that makes up MIME with other boundaries for each session sends another
// message, although it is as long and has the same bytes where the line was cut.
func TestResumeOtherRendering(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rendered := func(boundary string) string {
			return "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n" + noise(2<<20) + "\r\n--" + boundary + "--\r\n"
		}
		l := newLine(rendered("first"))
		l.server.On = func(_ *mailtest.IMAPTalk, _, command string) bool {
			if strings.Contains(command, "BODY.PEEK[]") && !l.WasCut() {
				l.Cut(1<<20, mailtest.EndReset)
				l.server.Change(func() { l.box.Messages[0].Body = rendered("other") })
			}
			return false
		}
		b, err := l.fetch(t, t.Context())
		l.want(t, b)
		if mail.ErrorClass(err) != mail.ClassConnect || l.Dials() != 2 || l.source.care.parts() {
			t.Errorf("after %d connections the fetch ended with %v, parts are asked for: %v", l.Dials(), err, l.source.care.parts())
		}
		l.Wait()
	})
}

// The first answer need not tell the size before the body; then it is the body's.
func TestResumeSizeBehindTheBody(t *testing.T) {
	t.Parallel()
	const size = 2 << 20
	for _, told := range []int{size, size + 6} {
		synctest.Test(t, func(t *testing.T) {
			l := newLine(noise(size))
			l.server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
				if !strings.Contains(command, "BODY.PEEK[]") || l.WasCut() {
					return false
				}
				l.Cut(1<<20, mailtest.EndReset)
				l.server.Change(func() { l.box.Messages[0].Body = noise(told) })
				c.Printf("* 1 FETCH (UID 1 BODY[] {%d}\r\n%s RFC822.SIZE %d)", size, noise(size), size)
				c.Printf("%s OK done", tag)
				return true
			}
			b, err := l.fetch(t, t.Context())
			if _, whole := b.whole[1]; whole != (told == size) || mail.ErrorClass(err) != mail.ClassConnect || l.Dials() != 2 {
				t.Errorf("with %d bytes: whole is %v after %d connections, the fetch ended with %v", told, whole, l.Dials(), err)
			}
			l.Wait()
		})
	}
}

// A sign-in that is refused now is not tried again.
func TestResumeRefusedSignIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine(noise(2 << 20))
		l.server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
			switch {
			case strings.Contains(command, "BODY.PEEK[]"):
				l.Cut(1<<20, mailtest.EndReset)
			case l.WasCut() && !c.SignedIn && strings.HasPrefix(command, "LOGIN"):
				c.Printf("%s NO [AUTHENTICATIONFAILED] no", tag)
				return true
			}
			return false
		}
		b, err := l.fetch(t, t.Context())
		l.want(t, b)
		if mail.ErrorClass(err) != mail.ClassAuth || l.Dials() != 2 {
			t.Errorf("after %d connections the fetch ended with %v", l.Dials(), err)
		}
		l.Wait()
	})
}

// Whoever ends the fetch meanwhile waits for nobody: by its context, by Abort, by
// an error or a panic of the receiver.
func TestResumeIsEnded(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk full")
	for name, end := range map[string]func(session *Session, cancel func()) error{
		"context":  func(_ *Session, cancel func()) error { cancel(); return nil },
		"abort":    func(session *Session, _ func()) error { session.Abort(); return nil },
		"receiver": func(*Session, func()) error { return broken },
		"panic":    func(*Session, func()) error { panic("receiver") },
	} {
		for _, when := range []string{"reading", "silent", "away"} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				if when != "reading" && (name == "receiver" || name == "panic") {
					t.Skip("the receiver waits for bytes")
				}
				synctest.Test(t, func(t *testing.T) { endResumed(t, when, end) })
			})
		}
	}
}

// endResumed ends a fetch in the second half of a message.
func endResumed(t *testing.T, when string, end func(*Session, func()) error) {
	l := newLine(noise(waitFrom + 3<<20))
	l.cut(waitFrom+1<<20, mailtest.EndReset, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	session, err := l.source.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	refs, _, err := session.Select(ctx, inbox())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r := &stopper{box: newBox(t), at: waitFrom + 3<<19, stop: func() error {
		err := end(session, cancel)
		synctest.Wait() // the connection is closed by now
		return err
	}}
	switch when {
	case "silent":
		r.turn = func() { l.cut(overlapBytes+1000, mailtest.EndStall, 1) }
	case "away":
		r.turn = func() { l.goAway(true) }
	}
	if when != "reading" {
		time.AfterFunc(time.Second, func() { _ = end(session, cancel) })
	}
	func() {
		defer func() { _ = recover() }()
		err = session.Fetch(ctx, refs, r)
	}()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
	if err == nil && when != "reading" {
		t.Error("the fetch ended well")
	}
	if len(r.whole) != 0 || len(r.failed) != 0 {
		t.Errorf("whole are %v, failed %v", len(r.whole), r.failed)
	}
	session.Abort()
	l.Wait()
}

// stopper reads a body and stops in the middle of it.
type stopper struct {
	*box
	at   int
	turn func()
	stop func() error
}

func (r *stopper) Body(_ mail.Ref, _ int64, body io.Reader) error {
	if _, err := io.ReadFull(body, make([]byte, resumeFrom)); err != nil {
		return err
	}
	if r.turn != nil {
		r.turn()
	}
	if _, err := io.ReadFull(body, make([]byte, r.at-resumeFrom)); err != nil {
		return err
	}
	if err := r.stop(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, body)
	return err
}

// What may not be resumed is not: a small message, one whose name means nothing
// in another session.
func TestResumeNotAtAll(t *testing.T) {
	t.Parallel()
	for name, validity := range map[string]uint32{"small": 7, "no UIDVALIDITY": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				size := 2 << 20
				if name == "small" {
					size = resumeFrom
				}
				l := newLine(noise(size))
				l.box.UIDValidity = validity
				l.cut(int64(size)-100, mailtest.EndReset, 1)
				b, err := l.fetch(t, t.Context())
				l.want(t, b)
				if mail.ErrorClass(err) != mail.ClassConnect || l.Dials() != 1 {
					t.Errorf("after %d connections the fetch ended with %v", l.Dials(), err)
				}
				l.Wait()
			})
		})
	}
}

// Whose body it is that came for a sequence number is known by the UID, which may
// stand behind the body. Where the connection is lost before it, the rest of the
// message that was asked for must not be put to a body that is another's.
func TestResumeNotBeforeTheUID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mine := noise(2 << 20)
		other := mine[:100_000] + "another message" + mine[100_015:]
		l := newLine(mine, other)
		l.server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
			switch {
			case strings.HasPrefix(command, "UID FETCH") && strings.Contains(command, "BODY.PEEK[]") && !strings.Contains(command, "[]<"):
				c.Printf("%s OK done", tag) // and so by sequence number, in the last resort
			case strings.HasPrefix(command, "FETCH 1 ("):
				l.Cut(1<<20, mailtest.EndReset)
				c.Printf("* 1 FETCH (RFC822.SIZE %d BODY[] {%d}\r\n%s UID 2)", len(other), len(other), other)
				c.Printf("%s OK done", tag)
			default:
				return false
			}
			return true
		}
		b, err := l.fetch(t, t.Context())
		if mail.ErrorClass(err) != mail.ClassConnect || l.Dials() != 1 {
			t.Errorf("after %d connections the fetch ended with %v", l.Dials(), err)
		}
		if got, ok := b.whole[1]; ok && got != mine {
			t.Error("a body came that no message has")
		}
		l.Wait()
	})
}
