package mailtest

import (
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"time"

	"mailpull/pkg/mail"
)

// IMAPServer is an IMAP server of which a test says what it holds, and where
// it does not tell the truth. It is honest where nothing else is said.
//
// One goroutine serves a connection: it reads a line, answers it, and sends
// all that was written in one piece as soon as no further input has arrived.
// So the same commands get the same bytes, in the same pieces. It reads the
// commands that mailpull sends, written as mailpull writes them, and refuses
// the rest with BAD.
//
// Set the fields before the first connection. Boxes may be changed later, in
// a function that is given to Change.
type IMAPServer struct {
	// Caps are the capabilities beside IMAP4rev1, with blanks between them.
	// STARTTLS is added where it can be had. LIST-STATUS, ESEARCH, SASL-IR and
	// AUTH=PLAIN say what mailpull will use; the server knows all of them
	// always. COMPRESS=DEFLATE it knows when it stands here.
	Caps string

	// Greeting is the first line, without its CRLF. Empty means that all is
	// well; one that begins with "* PREAUTH" has the client signed in.
	Greeting string

	Boxes []*IMAPBox

	// TLS is for STARTTLS, which is not offered without it. For a connection
	// inside TLS from its first byte on give Serve a tls.Conn.
	TLS *tls.Config

	// Who may sign in. Anybody may where both are empty.
	Username, Password string

	// On sees each command first, without its tag; true means that it has
	// answered it. It runs in the goroutine of the connection.
	On func(c *IMAPTalk, tag, command string) bool

	// Part answers for a part of a body, as IMAPPart does where it is nil.
	Part func(body string, from, count int) (label, part string)

	mu      sync.Mutex
	heard   []string
	refused int
}

// IMAPBox is a mailbox of an IMAPServer.
type IMAPBox struct {
	Name        string   // as it is on the wire; it is quoted there, or a literal
	Delimiter   string   // NIL when it is empty
	Attrs       []string // such as \Noselect
	UIDValidity uint32
	UIDNext     uint32 // 0 stands for one more than the last UID
	ModSeq      uint64 // HIGHESTMODSEQ, not told when it is 0
	Many        *IMAPMany
	Messages    []IMAPMessage // behind those of Many
}

// IMAPMessage is a message of an IMAPBox. Their UIDs must ascend.
type IMAPMessage struct {
	UID   mail.UID
	Flags []string
	Date  time.Time // INTERNALDATE; the zero time stands for IMAPDate
	Body  string
}

// IMAPDate is the INTERNALDATE of a message that has none of its own.
func IMAPDate() time.Time {
	return time.Date(2024, 7, 17, 2, 44, 25, 0, time.FixedZone("", -7*3600))
}

// NewIMAPBox returns a mailbox with a message for each body, whose UIDs count
// from 1.
func NewIMAPBox(name string, bodies ...string) *IMAPBox {
	box := &IMAPBox{Name: name, Delimiter: "/", UIDValidity: 7}
	for i, body := range bodies {
		box.Messages = append(box.Messages, IMAPMessage{UID: mail.UID(i + 1), Body: body})
	}
	return box
}

// Serve speaks with one client until it goes, or is sent away. It may be
// called for several connections at once.
func (s *IMAPServer) Serve(conn net.Conn) {
	c := &IMAPTalk{server: s}
	c.use(conn)
	defer func() { _ = c.conn.Close() }() // the client has gone
	greeting := s.Greeting
	if greeting == "" {
		greeting = "* OK ready"
	}
	c.SignedIn = strings.HasPrefix(greeting, "* PREAUTH")
	c.Printf("%s", greeting)
	for !c.gone {
		line, ok := c.Line()
		if !ok {
			return
		}
		tag, command, _ := strings.Cut(line, " ")
		s.hear(command)
		if s.On == nil || !s.On(c, tag, command) {
			c.Answer(tag, command)
		}
	}
}

// Change calls fn while nobody reads Boxes. A client that has a mailbox open
// goes on seeing it as it was when it opened it.
func (s *IMAPServer) Change(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

func (s *IMAPServer) hear(command string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, command)
}

// Heard returns the commands of all connections that begin with the prefix,
// without their tags, in the order in which they came. A command with literals
// is its first line.
func (s *IMAPServer) Heard(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for _, command := range s.heard {
		if strings.HasPrefix(command, prefix) {
			found = append(found, command)
		}
	}
	return found
}

// Refused returns how often somebody tried to sign in and was not let in.
func (s *IMAPServer) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// admits checks who signs in.
func (s *IMAPServer) admits(username, password string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Username == "" && s.Password == "" || username == s.Username && password == s.Password {
		return true
	}
	s.refused++
	return false
}

// boxes returns copies of the mailboxes as they are now.
func (s *IMAPServer) boxes() []IMAPBox {
	s.mu.Lock()
	defer s.mu.Unlock()
	boxes := make([]IMAPBox, len(s.Boxes))
	for i, box := range s.Boxes {
		boxes[i] = box.copied()
	}
	return boxes
}

// box returns a copy of the mailbox with the name. INBOX is spelled in any
// case (RFC 9051 section 5.1).
func (s *IMAPServer) box(name string) (IMAPBox, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, box := range s.Boxes {
		if box.Name == name || strings.EqualFold(name, "INBOX") && strings.EqualFold(box.Name, name) {
			return box.copied(), true
		}
	}
	return IMAPBox{}, false
}

// copied returns a copy that later changes do not reach.
func (b *IMAPBox) copied() IMAPBox {
	box := *b
	box.Messages = append([]IMAPMessage(nil), b.Messages...)
	return box
}

// uidNext returns what the next message will at least have for a UID.
func (b *IMAPBox) uidNext() uint32 {
	if b.UIDNext != 0 {
		return b.UIDNext
	}
	if n := len(b.Messages); n > 0 {
		return uint32(b.Messages[n-1].UID) + 1
	}
	return uint32(b.Many.set().Max()) + 1
}

// count returns how many messages the mailbox holds.
func (b *IMAPBox) count() int { return b.Many.len() + len(b.Messages) }
