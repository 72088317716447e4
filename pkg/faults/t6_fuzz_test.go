package faults

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// t6Hear is the byte of a fuzzed conversation at which the server waits for a
// line of the client. Every other byte is said as it is, and behind the last
// one the server hangs up.
const t6Hear = 0xfe

// t6Play speaks a conversation with one client.
func t6Play(conversation []byte) func(conn net.Conn) {
	return func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for i, said := range bytes.Split(conversation, []byte{t6Hear}) {
			if i > 0 {
				if _, err := in.ReadString('\n'); err != nil {
					return
				}
			}
			if _, err := conn.Write(said); err != nil {
				return
			}
		}
	}
}

// t6Seed is a conversation up to the first RETR, in which the messages a and b
// are listed, and answers behind it.
func t6Seed(answers ...string) []byte {
	said := append([]string{
		"+OK\r\n", "+OK\r\nSASL PLAIN\r\nPIPELINING\r\n.\r\n", "+ \r\n", "+OK\r\n",
		"+OK 2 20\r\n", "+OK\r\n1 a\r\n2 b\r\n.\r\n", "+OK 1 a\r\n",
	}, answers...)
	return []byte(strings.Join(said, string([]byte{t6Hear})))
}

// FuzzT6Session plays a server's whole conversation to an account. Whatever is
// said, nothing panics or hangs, every file of the archive holds the bytes of a
// message that was said, to its strict end, the texts are printable, and the
// account goes on with an honest server.
func FuzzT6Session(f *testing.F) {
	f.Add(t6Seed("+OK\r\nx\r\n.\r\n", "+OK 1 a\r\n", "+OK\r\ny\r\n.\r\n", "+OK 2 b\r\n", "+OK\r\n"))
	f.Add(t6Seed("+OK\r\n..\r\n\n.\n+OK\n.\r\n.\r\n", "+OK 1 a\r\n", "-ERR [SYS/TEMP] later\r\n", "+OK 2 b\r\n", "-ERR\r\n"))
	f.Add(t6Seed("+OK\r\n.\r\nx\r\n.\r\n", "+OK 1 a\r\n", "+OK\r\n.\r\n", "+OK 2 b\r\n"))
	f.Add([]byte("-ERR [IN-USE] \x1b[2J\r\n"))
	f.Fuzz(func(t *testing.T, conversation []byte) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(pop3Source, &mailtest.Link{Serve: t6Play(conversation)})
			result, err := r.pass(t.Context())
			run := &t6Run{rig: r, result: result, err: err}
			run.checkTexts()
			run.problems = append(run.problems, t6Said(r, conversation)...)
			for _, problem := range run.problems {
				t.Error(problem)
			}
			fresh := fmt.Sprintf("%x", sha256.Sum256(conversation)) // no conversation lists its own
			honest := &mailtest.POP3Server{Messages: []mailtest.POP3Message{{UIDL: fresh, Body: "1\r\n"}}}
			r.link = &mailtest.Link{Serve: honest.Serve}
			if _, err := r.pass(t.Context()); err != nil {
				t.Errorf("the account does not go on: %v", err)
			}
		})
	})
}

// t6Said returns the files of the archive that no conversation accounts for.
func t6Said(r *rig, conversation []byte) (problems []string) {
	said := bytes.ReplaceAll(conversation, []byte{t6Hear}, nil)
	said = bytes.ReplaceAll(said, []byte("\r\n.."), []byte("\r\n."))
	records, err := r.records()
	if err != nil {
		return []string{err.Error()}
	}
	for key, d := range records.Listed {
		body, err := t6File(r.disk, key)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		if d.Form == mail.FormLF {
			body = bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n"))
		}
		if sha256.Sum256(body) != d.SHA256 || !bytes.Contains(said, []byte("\r\n"+string(body)+".\r\n")) {
			problems = append(problems, fmt.Sprintf("%v holds %q, which was not said", d.Item.Ref, body))
		}
	}
	return problems
}

// t6File reads the file of the archive whose name holds a key.
func t6File(disk durable.Dir, key mail.Key) ([]byte, error) {
	box, err := disk.Sub("mail")
	if err != nil {
		return nil, err
	}
	defer box.Close() // it is only read
	fresh, err := box.Sub("new")
	if err != nil {
		return nil, err
	}
	defer fresh.Close() // likewise
	var name string
	err = fresh.Names(func(entry string, _ bool) error {
		if strings.Contains(entry, key.String()) {
			name = entry
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	file, err := fresh.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close() // likewise
	return io.ReadAll(struct{ io.Reader }{file})
}
