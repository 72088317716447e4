package wire

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mailpull/pkg/mail"
	"mailpull/pkg/signin"
)

// asideWindow is how many bytes of commands may be on their way without an
// answer. More could fill the buffers in both directions, and then neither
// side would read.
const asideWindow = 16 << 10

// maxAside is how many responses that were not asked for may come before the
// answer to one command. A mailbox in use has some, one for each change.
const maxAside = 10_000

// idCommand says who we are (RFC 2971). NetEase's servers refuse to select a
// mailbox to a client that did not (2026); others announce ID and then refuse it,
// which is no fault.
const idCommand = `ID ("name" "mailpull")`

// errBusy says that an Aside was asked for at the wrong time.
var errBusy = errors.New("a command of the library is in flight")

// Quote returns a mailbox name, byte for byte as the server wrote it, as a
// quoted string for a command. ok is false for a name that holds CR, LF or NUL:
// it cannot be sent this way, and would end the command. Bytes beyond ASCII
// are sent as they are, because that is how the server wrote them.
func Quote(wire string) (quoted string, ok bool) {
	if strings.ContainsAny(wire, "\r\n\x00") {
		return "", false
	}
	return `"` + signin.Escape(wire) + `"`, true
}

// Aside sends commands of ours, pipelined, and reads their answers with our
// own parser. Each command comes without tag and CRLF. fn gets each untagged
// response in the order of the wire, with the index of the oldest command that
// has no answer yet, and runs on the caller's goroutine; nil ignores them all.
// The statuses are returned in the order of the commands; a NO or BAD is a
// status and no error.
//
// It may be called before imapclient.New and after it, from one goroutine at a
// time, while go-imap has no command in flight; otherwise it does nothing and
// returns an error of class local. go-imap's goroutine, which waits in
// Guard.Read, is made to step back for as long as the Aside lasts, and never
// sees a byte of it.
//
// The first Aside says who we are besides, with ID in front of its commands, to a
// server that announced it: a round trip less than to ask before, and safe where
// ID beside the sign-in is not. nginx drops what it has read behind any command
// until it has signed in for us, and Cyrus 3.6.1 what follows AUTHENTICATE.
//
// A LIST or STATUS that makes no sense is handed to fn with Odd set. Only data
// that a command asks for many of, and the answers, give the server new time;
// more than maxAside responses that were not asked for are a broken protocol.
//
// Any other error ends the connection: ctx ended, fn returned an error, which
// is then returned as it is, a time-out, a broken protocol, a server that
// hangs up. BYE before that is the reason given.
func (c *IMAP) Aside(ctx context.Context, commands []string, fn func(i int, r Response) error) ([]Status, error) {
	for _, command := range commands {
		if strings.ContainsAny(command, "\r\n\x00") {
			return nil, c.localError(fmt.Errorf("aside %q: a line end or a NUL in a command", Text(command)))
		}
	}
	if len(commands) == 0 {
		return nil, nil
	}
	first := 0
	if c.owesID {
		c.owesID, first = false, 1
		commands = append([]string{idCommand}, commands...)
	}
	a := &aside{c: c, commands: commands, statuses: make([]Status, len(commands)), fn: fn, first: first}
	if err := c.takeOver(ctx, a.run); err != nil {
		return nil, err
	}
	return a.statuses[first:], nil
}

// takeOver calls converse while go-imap's goroutine has stepped back, and says
// what its error means.
func (c *IMAP) takeOver(ctx context.Context, converse func() error) error {
	stop := c.conn.CloseOn(ctx)
	defer stop()
	g := c.guard
	g.turn <- struct{}{} // there is no other Aside
	defer func() { <-g.turn }()
	g.conn.kick()
	g.reading <- struct{}{}
	g.conn.unkick()
	defer func() { <-g.reading }()

	if err := g.settle(); err != nil {
		if errors.Is(err, errBusy) {
			return c.localError(err)
		}
		return c.explain("aside", err)
	}
	if err := converse(); err != nil {
		var own *callbackError
		if errors.As(err, &own) {
			return own.err
		}
		return c.explain("aside", err)
	}
	return nil
}

func (c *IMAP) localError(err error) error {
	return &mail.Error{Op: "imap aside", Scope: mail.ScopeAccount, Class: mail.ClassLocal, Err: err}
}

// settle makes sure that no answer is due to go-imap, and reads an unasked
// response to its end that go-imap's goroutine has begun to read.
func (g *Guard) settle() error {
	g.mu.Lock()
	idle := g.tags.none()
	g.mu.Unlock()
	if !idle {
		return errBusy
	}
	for !g.between() {
		if err := g.advance(); err != nil {
			return err
		}
	}
	g.unasked = 0
	return nil
}

// aside is one Aside under way.
type aside struct {
	c        *IMAP
	commands []string
	statuses []Status
	fn       func(i int, r Response) error
	first    int // the caller's first command

	tags     []string // of the commands sent, "" once answered
	oldest   int      // the first command without an answer
	inFlight int      // bytes of commands without an answer
	unasked  int      // responses that were not asked for since the last answer
	writes   chan []byte
}

// callbackError marks an error of fn.
type callbackError struct{ err error }

func (e *callbackError) Error() string { return e.err.Error() }

// run sends and reads until all is answered. Writing has a goroutine of its
// own, or a server that answers the first command before it reads the second
// could block both sides; run waits for it.
func (a *aside) run() error {
	a.writes = make(chan []byte, len(a.commands)) // so that sending never blocks
	written := make(chan struct{})
	go func() {
		defer close(written)
		for chunk := range a.writes {
			_, _ = a.c.conn.Write(chunk) // an error is kept, and comes up in reading
		}
	}()
	err := a.converse()
	close(a.writes)
	if err != nil {
		_ = a.c.in.fail(err) // which also ends a write that waits
	}
	<-written
	return err
}

func (a *aside) converse() error {
	a.c.conn.Await()
	for a.oldest < len(a.commands) {
		a.fill()
		r, err := a.c.in.response()
		if err != nil {
			return err
		}
		switch {
		case r.Tag == "+":
			return errContinuation
		case r.Tag != "*":
			err = a.answered(r)
		default:
			err = a.untagged(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// untagged counts a response and gives it to fn. One that comes before the answer
// to ID is taken for one to the command behind that.
func (a *aside) untagged(r Response) error {
	i := max(a.oldest, a.first)
	wanted, many := isAsked(a.commands[i], r.Type)
	switch {
	case many:
		a.c.conn.Await()
	case !wanted:
		if a.unasked++; a.unasked > maxAside {
			return fmt.Errorf("%w: more than %d responses that nobody asked for", ErrProtocol, maxAside)
		}
	}
	if a.fn == nil {
		return nil
	}
	if err := a.fn(i-a.first, r); err != nil {
		return &callbackError{err}
	}
	return nil
}

// isAsked reports whether a command asks for a type of response, and whether
// for many of them: those may take their time.
func isAsked(command, typ string) (wanted, many bool) {
	verb := func(verb string) bool {
		return len(command) > len(verb) && strings.EqualFold(command[:len(verb)], verb)
	}
	switch typ {
	case "LIST":
		wanted, many = verb("LIST "), verb("LIST ")
	case "STATUS":
		wanted, many = verb("LIST ") || verb("STATUS "), verb("LIST ")
	case "FETCH":
		wanted, many = verb("UID FETCH "), verb("UID FETCH ")
	case "SEARCH", "ESEARCH":
		wanted = verb("UID SEARCH ")
	}
	return wanted, many
}

// fill sends as many commands as the window has room for, at least one when
// none is on its way.
func (a *aside) fill() {
	var chunk []byte
	for next := len(a.tags); next < len(a.commands); next++ {
		size := len(a.commands[next])
		if a.inFlight > 0 && a.inFlight+size > asideWindow {
			break
		}
		tag := a.c.nextTag()
		a.tags = append(a.tags, tag)
		a.inFlight += size
		chunk = fmt.Appendf(chunk, "%s %s\r\n", tag, a.commands[next])
	}
	if len(chunk) > 0 {
		a.writes <- chunk
	}
}

// answered notes the answer to a command of ours.
func (a *aside) answered(r Response) error {
	for i := a.oldest; i < len(a.tags); i++ {
		if a.tags[i] != r.Tag {
			continue
		}
		a.statuses[i] = r.Status
		a.unasked = 0
		a.c.conn.Await()
		a.tags[i] = ""
		a.inFlight -= len(a.commands[i])
		for a.oldest < len(a.tags) && a.tags[a.oldest] == "" {
			a.oldest++
		}
		return nil
	}
	return errForeignTag
}
