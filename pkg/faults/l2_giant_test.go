package faults

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"sync/atomic"

	"mailpull/pkg/mailtest"
)

// l2GiantSize is the length of a message of one gigabyte: it is made while it
// is sent and never held, by neither side.
const l2GiantSize = int64(l2GiantBlocks * len(l2GiantLine) * l2GiantLines)

const (
	l2GiantLine   = "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZyBhbmQgcnVucyBhd2F5\r\n"
	l2GiantLines  = 1024
	l2GiantBlocks = 1<<30/(len(l2GiantLine)*l2GiantLines) + 1

	l2GiantLineEnds = int64(l2GiantBlocks * l2GiantLines)
)

// l2WriteGiant writes the message, each line followed by end.
func l2WriteGiant(w io.Writer, end string) {
	line := strings.TrimSuffix(l2GiantLine, "\r\n") + end
	block := []byte(strings.Repeat(line, l2GiantLines))
	for range l2GiantBlocks {
		if _, err := w.Write(block); err != nil {
			return // the client has gone; the test sees what it has
		}
	}
}

// l2GiantSum is the hash of the message with these line ends.
func l2GiantSum(end string) (sum [sha256.Size]byte) {
	h := sha256.New()
	l2WriteGiant(h, end)
	copy(sum[:], h.Sum(nil))
	return sum
}

// rawWriter lets a server's side of a talk be written to in pieces.
type rawWriter struct{ raw func(string) }

// Write implements io.Writer.
func (w rawWriter) Write(p []byte) (int, error) {
	w.raw(string(p))
	return len(p), nil
}

// l2GiantIMAP serves one message of a gigabyte.
func l2GiantIMAP() *rig {
	server := &mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", "")}}
	server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
		if !strings.HasPrefix(command, "UID FETCH") {
			return false
		}
		const told = `* 1 FETCH (UID 1 FLAGS () INTERNALDATE "17-Jul-2024 02:44:25 -0700" RFC822.SIZE %d`
		c.Raw(fmt.Sprintf(told, l2GiantSize))
		if strings.Contains(command, "BODY") {
			c.Raw(fmt.Sprintf(" BODY[] {%d}\r\n", l2GiantSize))
			l2WriteGiant(rawWriter{c.Raw}, "\r\n")
		}
		c.Printf(")")
		c.Printf("%s OK done", tag)
		return true
	}
	return imapRig(server)
}

// l2Scissors is a relay that cuts one connection after the other, each behind so
// many bytes from the server, and then no more.
type l2Scissors struct {
	target string
	cuts   []int64
	next   atomic.Int64 // of cuts
	sent   atomic.Int64
}

// left is how many cuts were not made.
func (s *l2Scissors) left() int { return max(0, len(s.cuts)-int(s.next.Load())) }

func (s *l2Scissors) relay(client net.Conn) {
	server, err := net.Dial("tcp", s.target)
	if err != nil {
		return
	}
	up := make(chan struct{})
	go func() { // it ends when either connection is closed, below
		defer close(up)
		_, _ = io.Copy(server, client) // an end is an end, however it comes
		_ = server.Close()
	}()
	at := int64(math.MaxInt64)
	if i := s.next.Add(1) - 1; i < int64(len(s.cuts)) {
		at = s.cuts[i]
	}
	n, _ := io.CopyN(client, server, at)
	s.sent.Add(n)
	_ = client.Close()
	_ = server.Close()
	<-up
}

// l2GiantPOP3 is l2GiantIMAP for POP3.
func l2GiantPOP3() *rig {
	server := &mailtest.POP3Server{Messages: mailtest.POP3Messages("")}
	server.On = func(c *mailtest.POP3Talk, command string) bool {
		switch command {
		case "STAT":
			c.Printf("+OK 1 %d\r\n", l2GiantSize)
		case "RETR 1":
			c.Raw("+OK\r\n")
			l2WriteGiant(rawWriter{c.Raw}, "\r\n")
			c.Raw(".\r\n")
		default:
			return false
		}
		return true
	}
	return pop3Rig(server)
}
