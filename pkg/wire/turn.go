package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
)

// How long a line of a server may be. RFC 2449 section 4 allows 512 bytes for
// a status line; real servers put whole sentences there.
const (
	maxStatusLine  = 8 << 10
	maxListingLine = 2 << 10
)

// turnBuffer is how much is read at once: a few TLS records, and more than
// any line may have.
const turnBuffer = 64 << 10

// Turn is a POP3 connection on which go-pop3 and our own strict reader take
// turns. The library, which gets it through Opt.Dialer, sees a net.Conn that
// greets with "+OK" and never gives more than one line to a Read, so that its
// buffer is empty whenever it has its answer. Listings and bodies are read
// beside it, from the same buffer and in the order of the commands, by
// Listing and Message.
//
// Reading belongs to one goroutine; Send may be called from a second one. The
// first error closes the connection for good, and every later call returns it.
type Turn struct {
	*Conn
	src *bufio.Reader

	// redact takes secrets out of everything that the server says, before
	// anybody sees it: some servers repeat a command in their answer.
	redact func(string) string

	due    atomic.Int64 // answers that the server still owes
	behind []string     // commands that go out with the library's next one
	line   []byte       // what the library has not read yet of its line
	reply  POP3Reply    // the last one that went to the library
	body   *turnBody    // the message that is being read, or nil
}

// newTurn puts a strict reader on conn, which must not be read by anybody
// else from now on.
func newTurn(conn *Conn, redact func(string) string) *Turn {
	return &Turn{Conn: conn, src: bufio.NewReaderSize(conn, turnBuffer), redact: redact}
}

// Dial is go-pop3's Dialer. It connects to nothing: it returns the Turn, with
// the greeting that the library waits for in front.
func (t *Turn) Dial(string, string) (net.Conn, error) {
	t.line = []byte("+OK\r\n")
	return t, nil
}

// Queue adds commands to the library's next one. All go out in one write, and
// the library reads the first answer.
func (t *Turn) Queue(commands ...string) { t.behind = append(t.behind, commands...) }

// Write sends the library's command, and what was queued, in one write.
func (t *Turn) Write(p []byte) (int, error) {
	command, ok := strings.CutSuffix(string(p), "\r\n")
	if !ok {
		return 0, t.fail(errors.New("the library wrote something else than one command"))
	}
	commands := append([]string{command}, t.behind...)
	t.behind = nil
	if err := t.Send(commands...); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Read gives the library its answer: one line, or a piece of it.
func (t *Turn) Read(p []byte) (int, error) {
	if len(t.line) == 0 {
		reply, line, err := t.status()
		if err != nil {
			return 0, err
		}
		if err := t.done(); err != nil {
			return 0, err
		}
		t.reply = reply
		t.line = append(bytes.Clone(line), "\r\n"...)
	}
	n := copy(p, t.line)
	t.line = t.line[n:]
	return n, nil
}

// Reply returns the last answer that the library was given. The library's own
// errors hold the server's text as it came, and lose its code.
func (t *Turn) Reply() POP3Reply { return t.reply }

// Send writes commands, none of which may hold a line break, in one write. The
// answers are read later, in the same order.
func (t *Turn) Send(commands ...string) error {
	var out []byte
	for _, command := range commands {
		if strings.ContainsAny(command, "\r\n\x00") {
			return t.fail(errors.New("a command must not hold CR, LF or NUL"))
		}
		out = append(append(out, command...), "\r\n"...)
	}
	t.due.Add(int64(len(commands))) // before the write: an answer can come at once
	if _, err := t.Conn.Write(out); err != nil {
		return t.fail(err)
	}
	return nil
}

// Answer reads an answer of one line.
func (t *Turn) Answer() (POP3Reply, error) {
	reply, _, err := t.status()
	if err != nil {
		return POP3Reply{}, err
	}
	return reply, t.done()
}

// AnswerIs reads an answer of one line and reports whether it is +OK with a
// text for which is returns true. That function sees the text as it came, and
// during the call only. The reply, which says what else came, is safe to print.
func (t *Turn) AnswerIs(is func(text []byte) bool) (matched bool, reply POP3Reply, err error) {
	line, err := t.statusLine()
	if err != nil {
		return false, POP3Reply{}, err
	}
	if text, ok := bytes.CutPrefix(line, []byte("+OK ")); ok && is(text) {
		return true, POP3Reply{OK: true}, t.done()
	}
	reply, err = t.parse(line)
	if err != nil {
		return false, POP3Reply{}, err
	}
	return false, reply, t.done()
}

// Listing reads an answer of many lines, and calls each with every line
// without its line end; the bytes are valid during the call only. All lines
// together may have as many bytes as Limits.Listing.
func (t *Turn) Listing(each func(line []byte)) (POP3Reply, error) {
	reply, _, err := t.status()
	if err != nil {
		return POP3Reply{}, err
	}
	if reply.OK {
		if err := t.lines(each); err != nil {
			return POP3Reply{}, err
		}
	}
	return reply, t.done()
}

// lines reads to the end of a listing.
func (t *Turn) lines(each func(line []byte)) error {
	for total := 0; ; {
		line, err := t.readLine(maxListingLine)
		if err != nil {
			return err
		}
		if len(line) == 1 && line[0] == '.' {
			return nil
		}
		if total += len(line) + len("\r\n"); total > t.limits.Listing {
			return t.fail(fmt.Errorf("%w: a listing of more than %d bytes", ErrTooMuch, t.limits.Listing))
		}
		if bytes.HasPrefix(line, []byte("..")) {
			line = line[1:]
		}
		each(line)
	}
}

// Message reads the first line of the answer to RETR or TOP. When it is OK
// the body comes with it, and must be read to io.EOF before anything else is
// read: see turnBody for what it takes for a line's and for the body's end.
func (t *Turn) Message() (POP3Reply, io.Reader, error) {
	reply, _, err := t.status()
	if err != nil {
		return POP3Reply{}, nil, err
	}
	if !reply.OK {
		return reply, nil, t.done()
	}
	t.Answered() // a body may take as long as it keeps coming
	t.body = &turnBody{turn: t, eol: eolCRLF}
	return reply, t.body, nil
}

// challenge reads what the server says to AUTH: a challenge, which begins with
// a plus sign alone (RFC 5034 section 4) and wants another line, or an answer.
func (t *Turn) challenge() (more bool, reply POP3Reply, err error) {
	head, err := t.src.Peek(2)
	if err == nil && head[0] == '+' && (head[1] == ' ' || head[1] == '\r') {
		if _, err := t.readLine(maxStatusLine); err != nil {
			return false, POP3Reply{}, err
		}
		return true, POP3Reply{}, t.done()
	}
	reply, err = t.Answer()
	return false, reply, err
}

// status reads one status line. The line is valid until the next read.
func (t *Turn) status() (POP3Reply, []byte, error) {
	line, err := t.statusLine()
	if err != nil {
		return POP3Reply{}, nil, err
	}
	reply, err := t.parse(line)
	return reply, line, err
}

// statusLine reads what should be a status line.
func (t *Turn) statusLine() ([]byte, error) {
	if t.body != nil {
		return nil, t.fail(errors.New("a message was not read to its end"))
	}
	if err := t.Err(); err != nil {
		return nil, err // what is still buffered counts no more
	}
	t.Await()
	return t.readLine(maxStatusLine)
}

// parse reads a status line's parts, and makes its text safe to print.
func (t *Turn) parse(line []byte) (POP3Reply, error) {
	reply, err := parsePOP3Reply(line)
	if err != nil {
		return POP3Reply{}, t.fail(fmt.Errorf("%w: %q", err, t.Clean(string(line))))
	}
	reply.Text = t.Clean(reply.Text)
	return reply, nil
}

// done ends an answer. When no other is due, there must be nothing more to
// read: whatever stands there would be taken for the answer to a command that
// was not sent yet.
func (t *Turn) done() error {
	t.Answered()
	if t.due.Add(-1) > 0 {
		return nil
	}
	if n := t.src.Buffered(); n > 0 {
		return t.fail(fmt.Errorf("%w: %d bytes %w", ErrProtocol, n, errUnasked))
	}
	return nil
}

// errUnasked says that there is more than the answer.
var errUnasked = errors.New("that nobody asked for")

// readLine reads one line of at most limit bytes and returns it without its
// CRLF. The line is valid until the next read.
func (t *Turn) readLine(limit int) ([]byte, error) {
	line, err := t.src.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || err == nil && len(line) > limit {
		return nil, t.fail(fmt.Errorf("%w: a line of more than %d bytes", ErrTooMuch, limit))
	}
	if err != nil {
		return nil, t.fail(err)
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return nil, t.fail(fmt.Errorf("%w: a line that does not end in CRLF", ErrProtocol))
	}
	return line, nil
}

// Clean returns what the server said, without secrets and safe to print. The
// secrets go first: cut or escaped they would not be found any more.
func (t *Turn) Clean(text string) string { return Text(t.redact(text)) }

// fail closes the connection with err as the reason, unless there was one
// before, and returns the reason.
func (t *Turn) fail(err error) error {
	t.Fail(err)
	return t.Err()
}

// Err returns the error that ended the connection, or nil. It is never io.EOF:
// an end of the stream where none may be must not look like a body's.
func (t *Turn) Err() error {
	err := t.Conn.Err()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
