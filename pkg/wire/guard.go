package wire

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
)

// maxBodiless is how many FETCH responses without a body may follow each
// other. A mailbox that is listed by FETCH sends one per message.
const maxBodiless = 10_000_000

// releaseAtOnce is how many bytes of whole lines are gathered for one Read.
const releaseAtOnce = 4096

// Guard is the net.Conn under go-imap. It reads whole lines, checks them,
// writes them anew, and only then lets go-imap see them; the bytes of bodies
// pass as they are. What comes out of it holds
//
//   - tagged answers to commands that go-imap sent and that had none yet;
//   - FETCH with a body, EXISTS, RECENT, EXPUNGE, FLAGS and untagged status
//     responses.
//
// Everything else is dropped: go-imap ends the connection at any response
// that is new to it, and hangs at some that are not. Codes of status
// responses lose their arguments unless they are plain numbers, texts are
// printable, and items of FETCH that could hurt are left out (fetchFilter).
// FETCH without a body is one that nobody asked for, such as news of a flag: if
// it came first, go-imap would take it for the message and throw the body away.
// Lines, depth and literals are bounded; what breaks a bound or the protocol
// closes the connection, and IMAP.Err says why.
//
// Time: a command is due to be answered from the moment it is written. Only a
// body and the answer to a command give the server new time; whatever else it
// says does not. While nothing is due silence is no fault, because go-imap
// reads all the time.
//
// Read belongs to go-imap's reading goroutine and Write to whoever sends
// commands through go-imap; Close may be called from any goroutine.
type Guard struct {
	conn *Conn
	in   *imapStream

	// An Aside holds turn for as long as it lasts. reading is held by whoever
	// uses the fields below it. They are channels and not mutexes so that
	// tests with a fake clock can wait for them.
	turn    chan struct{}
	reading chan struct{}

	out      []byte // checked, and go-imap's to read
	released int    // bytes of out that go-imap has read
	body     int64  // bytes of a body that are go-imap's to read after out
	drop     int64  // bytes of a literal to leave out
	fetch    *fetchFilter
	junk     *junk // a response that is left out
	bodiless int   // FETCH responses since the last body
	unasked  int   // responses since something was due
	progress bool  // a body or an answer came since the last line was read for

	mu   sync.Mutex
	tags tags
}

var _ net.Conn = (*Guard)(nil)

// newGuard returns a Guard that first lets go-imap read greeting, a whole
// line of ours.
func newGuard(in *imapStream, greeting string) *Guard {
	return &Guard{
		conn:    in.conn,
		in:      in,
		turn:    make(chan struct{}, 1),
		reading: make(chan struct{}, 1),
		out:     []byte(greeting),
	}
}

// Read gives go-imap what is safe for it.
func (g *Guard) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		g.turn <- struct{}{} // an Aside has the word first
		<-g.turn
		g.reading <- struct{}{}
		n, err := g.read(p)
		<-g.reading
		if errors.Is(err, errKicked) {
			continue
		}
		return n, err
	}
}

// read returns at least one byte or an error.
func (g *Guard) read(p []byte) (int, error) {
	for {
		switch {
		case g.released < len(g.out):
			return g.release(p), nil
		case g.body > 0:
			g.conn.awaitBytes()
			n, err := g.in.read(p[:min(int64(len(p)), g.body)])
			g.body -= int64(n)
			g.progress = true
			return n, err
		}
		if err := g.gather(); err != nil {
			return 0, err
		}
	}
}

// release gives go-imap the next bytes of what was checked.
func (g *Guard) release(p []byte) int {
	n := copy(p, g.out[g.released:])
	g.released += n
	if g.released < len(g.out) {
		return n
	}
	g.out, g.released = g.out[:0], 0
	if cap(g.out) > streamBuffer {
		g.out = nil // one long line must not cost memory for ever
	}
	return n
}

// gather reads on until there is something for go-imap, and then takes what
// can be had without waiting.
func (g *Guard) gather() error {
	for {
		if err := g.advance(); err != nil {
			if len(g.out) > 0 {
				return nil // first what was good; the error comes back
			}
			return err
		}
		if g.body > 0 || len(g.out) >= releaseAtOnce || len(g.out) > 0 && (g.drop > 0 || !g.in.hasLine()) {
			return nil
		}
	}
}

// between reports whether the last response is over.
func (g *Guard) between() bool {
	return g.body == 0 && g.drop == 0 && g.fetch == nil && g.junk == nil
}

// advance reads one line, or a piece of a literal that is left out. The
// connection is closed when it returns an error other than errKicked.
func (g *Guard) advance() error {
	if g.drop > 0 {
		g.clock(false)
		n, err := g.in.discard(g.drop)
		g.conn.pause()
		g.drop -= n
		return err
	}
	fresh := g.between()
	idle := g.clock(fresh)
	if fresh {
		g.in.begin()
	}
	line, err := g.in.line()
	g.conn.pause()
	if err != nil {
		return err
	}
	if fresh {
		if err := g.count(idle); err != nil {
			return g.in.fail(err)
		}
	}
	switch {
	case g.fetch != nil:
		err = g.fetchSegment(line)
	case g.junk != nil:
		err = g.junkSegment(line)
	default:
		err = g.response(line)
	}
	if err != nil {
		return g.in.fail(err)
	}
	return nil
}

// clock lets the time for an answer run while a line is read for, unless
// nothing is due at all; after progress it begins anew. While go-imap waits for
// a slow disk nobody reads, and that is not the server's fault. It reports
// whether nothing is due.
func (g *Guard) clock(fresh bool) (idle bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case fresh && g.tags.none():
		g.conn.rest()
		return true
	case g.progress:
		g.progress = false
		g.conn.Await()
	default:
		g.conn.proceed()
	}
	return false
}

// count bounds what a server says while nothing is due: a session can rest for a
// long time.
func (g *Guard) count(idle bool) error {
	if !idle {
		g.unasked = 0
		return nil
	}
	if g.unasked++; g.unasked > maxAside {
		return fmt.Errorf("%w: more than %d responses that nobody asked for", ErrTooMuch, maxAside)
	}
	return nil
}

// response begins a response.
func (g *Guard) response(line []byte) error {
	r, rest, err := g.in.head(line)
	switch {
	case err != nil:
		return err
	case r.Tag == "+":
		return errContinuation
	case r.Tag != "*":
		return g.tagged(r, rest)
	case isStatus(r.Type):
		return g.untagged(r, rest)
	}
	switch r.Type {
	case "FETCH":
		return g.beginFetch(r.Num, rest)
	case "EXISTS", "RECENT", "EXPUNGE":
		g.out = fmt.Appendf(g.out, "* %d %s\r\n", r.Num, r.Type)
		return nil
	case "FLAGS":
		return g.flags(rest)
	}
	return g.beginJunk(rest)
}

// tagged passes on the answer to a command of go-imap's.
func (g *Guard) tagged(r Response, rest []byte) error {
	if !isAnswer(r.Type) {
		return errNoAnswer
	}
	g.mu.Lock()
	ours := g.tags.answered(r.Tag)
	g.mu.Unlock()
	if !ours {
		return fmt.Errorf("%w: an answer to a command that was not sent", ErrProtocol)
	}
	g.progress = true
	return g.status(r, rest)
}

// untagged passes on what the server says unasked. A second greeting is none.
func (g *Guard) untagged(r Response, rest []byte) error {
	if r.Type == "PREAUTH" {
		r.Type = "OK"
	}
	return g.status(r, rest)
}

// status writes a status response anew.
func (g *Guard) status(r Response, rest []byte) error {
	status, err := g.in.status(r.Type, rest)
	if err != nil {
		return err
	}
	g.out = append(g.out, r.Tag...)
	g.out = append(g.out, ' ')
	g.out = append(g.out, r.Type...)
	g.out = append(g.out, ' ')
	g.out = appendCode(g.out, status)
	g.out = append(g.out, safeText(status.Text)...)
	g.out = append(g.out, "\r\n"...)
	return nil
}

// appendCode writes a response code that go-imap can read. Some are known to
// it and are read strictly: of these only a plain number passes, and any other
// is left out. CLOSED is, too, for it changes go-imap's idea of the mailbox.
func appendCode(out []byte, status Status) []byte {
	switch status.Code {
	case "", "CAPABILITY", "PERMANENTFLAGS", "COPYUID", "APPENDUID", "CLOSED":
		return out
	case "UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ":
		bits := 32
		if status.Code == "HIGHESTMODSEQ" {
			bits = 63
		}
		if !isNumber([]byte(status.CodeArgs), bits) {
			return out
		}
		return fmt.Appendf(out, "[%s %s] ", status.Code, status.CodeArgs)
	}
	return fmt.Appendf(out, "[%s] ", status.Code)
}

// safeText keeps go-imap from taking a text for a response code.
func safeText(text string) string {
	if text == "" || text[0] == '[' {
		return "-" + text
	}
	return text
}

// flags passes on the flags of a mailbox.
func (g *Guard) flags(rest []byte) error {
	if at, _, err := literalAt(rest); at >= 0 || err != nil {
		return fmt.Errorf("%w: a literal among the flags", ErrProtocol)
	}
	list := bytes.TrimRight(rest, " ")
	if !isList(list) {
		return nil
	}
	g.out = append(g.out, "* FLAGS "...)
	g.out = append(g.out, flagList(list)...)
	g.out = append(g.out, "\r\n"...)
	return nil
}

// beginFetch begins a FETCH response. Nobody listens to one while no command
// is in flight, and go-imap would start a goroutine for each.
func (g *Guard) beginFetch(num uint32, rest []byte) error {
	g.mu.Lock()
	idle := g.tags.none()
	g.mu.Unlock()
	if idle {
		return g.beginJunk(rest)
	}
	g.fetch = &fetchFilter{num: num, max: g.conn.limits.Depth}
	return g.fetchSegment(rest)
}

func (g *Guard) fetchSegment(line []byte) error {
	out, end, err := g.fetch.segment(g.fetch.held, line)
	switch {
	case err != nil:
		return err
	case end.body && end.literal > g.conn.limits.Literal:
		return fmt.Errorf("%w of more than %d bytes", ErrTooLarge, g.conn.limits.Literal)
	}
	g.fetch.held = out
	if g.fetch.body {
		g.out = append(g.out, out...)
		g.fetch.held = out[:0]
	}
	switch {
	case end.done:
		return g.endFetch()
	case end.body:
		g.body = end.literal
		return nil
	}
	g.drop = end.literal
	return g.in.admit(end.literal)
}

func (g *Guard) endFetch() error {
	g.bodiless++
	if g.fetch.body {
		g.bodiless, g.progress = 0, true
	}
	g.fetch = nil
	if g.bodiless > maxBodiless {
		return fmt.Errorf("%w: more than %d FETCH responses without a body", ErrTooMuch, maxBodiless)
	}
	return nil
}

// beginJunk begins a response that is left out.
func (g *Guard) beginJunk(rest []byte) error {
	g.junk = &junk{max: g.conn.limits.Depth}
	return g.junkSegment(rest)
}

func (g *Guard) junkSegment(line []byte) error {
	size, more, err := g.junk.segment(line)
	if err != nil {
		return err
	}
	if !more {
		g.junk = nil
		return nil
	}
	g.drop = size
	return g.in.admit(size)
}

// junk follows a response that is left out to its end.
type junk struct {
	depth, max int
}

// segment follows one line. more is true when a literal of size bytes and
// another line follow.
func (j *junk) segment(line []byte) (size int64, more bool, err error) {
	lex, err := newLexer(line)
	if err != nil {
		return 0, false, err
	}
	for {
		tok, err := lex.next()
		if err != nil {
			return 0, false, err
		}
		switch tok.kind {
		case tokenEnd:
			return 0, false, nil
		case tokenLiteral:
			return tok.size, true, nil
		case tokenOpen:
			j.depth++
		case tokenClose:
			j.depth--
		}
		if j.depth > j.max {
			return 0, false, fmt.Errorf("%w: parentheses more than %d deep", ErrTooMuch, j.max)
		}
	}
}
