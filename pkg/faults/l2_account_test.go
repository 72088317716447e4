package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"mailpull/pkg/checkpoint"
	"mailpull/pkg/demo"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/manifest"
)

// l2Server is a server on loopback, and what it has.
type l2Server struct {
	protocol string
	port     int
	oracle   *mailtest.Oracle
	rig      *rig // the same account, put together in this process
}

// l2Serve starts an honest server for the messages.
func l2Serve(t *testing.T, protocol string, messages []demo.Message) *l2Server {
	t.Helper()
	var r *rig
	switch protocol {
	case "imap":
		box := mailtest.NewIMAPBox("INBOX")
		for i, m := range messages {
			box.Messages = append(box.Messages, mailtest.IMAPMessage{
				UID: mail.UID(i + 1), Flags: m.Flags, Date: m.Date, Body: string(m.Body),
			})
		}
		r = imapRig(&mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{box}})
	case "pop3":
		var bodies []string
		for _, m := range messages {
			bodies = append(bodies, string(m.Body))
		}
		r = pop3Rig(&mailtest.POP3Server{Messages: mailtest.POP3Messages(bodies...)})
	}
	return &l2Server{protocol: protocol, port: l2Listen(t, r.link.Serve), oracle: r.oracle, rig: r}
}

// l2Account is an account of the real program, on a real disk.
type l2Account struct {
	server  *l2Server
	binary  string
	config  string // path
	archive string // holds the account's folder, as state does
	state   string
}

// l2NewAccount makes an account in dir, whose folders a test may have mounted.
// The configuration stands in the test's own folder: it is not what is tested.
func l2NewAccount(t *testing.T, server *l2Server, dir string) *l2Account {
	t.Helper()
	a := &l2Account{
		server: server, binary: l2Binary(t), config: filepath.Join(t.TempDir(), "config.yaml"),
		archive: filepath.Join(dir, "mail"), state: filepath.Join(dir, "state"),
	}
	text := fmt.Sprintf(`archive: %q
state: %q
accounts:
  - name: %s
    %s: { host: 127.0.0.1, port: %d, security: none, username: %s, password: %q }
`, a.archive, a.state, account, server.protocol, server.port, username, password)
	if err := os.WriteFile(a.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// command returns one pass of the real program, below the programs and
// arguments of under.
func (a *l2Account) command(under ...string) *exec.Cmd {
	args := append(under, a.binary, "run", "--config", a.config)
	return exec.Command(args[0], args[1:]...)
}

// run makes one pass and returns its exit code, -1 for a killed one, and what
// it said.
func (a *l2Account) run(t *testing.T, under ...string) (code int, stderr string) {
	t.Helper()
	return l2Exit(t, a.command(under...))
}

func l2Exit(t *testing.T, cmd *exec.Cmd) (code int, stderr string) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

// finish makes a pass that nothing disturbs, and lets the oracle judge what is
// there then. It returns what is wrong.
func (a *l2Account) finish(t *testing.T) error {
	t.Helper()
	if code, said := a.run(t); code != 0 {
		return fmt.Errorf("the undisturbed pass ended with %d: %s", code, said)
	}
	return a.judge(true)
}

// judge lets the oracle judge the archive against the records. It works on a
// copy of the records in memory: to open them is to mend them, and that is for
// the next pass to do.
func (a *l2Account) judge(complete bool) error {
	records, err := a.records()
	if err != nil {
		return fmt.Errorf("records: %w", err)
	}
	archive, err := durable.OpenDir(filepath.Join(a.archive, account))
	if errors.Is(err, fs.ErrNotExist) && !complete {
		return nil // killed before it was made; the next pass tells the rest
	}
	if err != nil {
		return err
	}
	defer archive.Close() // it was only read
	breaches := a.server.oracle.Judge(archive, records)
	if complete {
		breaches = a.server.oracle.JudgeComplete(archive, records)
	}
	var all []error
	for _, b := range breaches {
		all = append(all, errors.New(b.String()))
	}
	return errors.Join(all...)
}

// records reads what checkpoint and manifest say.
func (a *l2Account) records() (mailtest.Records, error) {
	disk := mailtest.NewMemDisk("/state")
	for _, name := range []string{"checkpoint", "checkpoint.tmp", "manifest"} {
		data, err := os.ReadFile(filepath.Join(a.state, account, name))
		if err == nil {
			disk.Put(name, data)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return mailtest.Records{}, err
		}
	}
	c, err := checkpoint.Open(checkpoint.Options{Dir: disk, Account: account, Source: a.server.protocol})
	if err != nil {
		return mailtest.Records{}, err
	}
	defer c.Close() // it was only read
	m, err := manifest.Open(manifest.Options{Dir: disk, Account: account})
	if err != nil {
		return mailtest.Records{}, err
	}
	defer m.Close() // it was only read
	records := mailtest.Records{Delivered: delivered(c), Listed: make(map[mail.Key]mail.Delivery)}
	return records, m.Scan(func(d mail.Delivery) error {
		records.Listed[d.Key] = d
		return nil
	})
}

// clear empties archive and state, for the next case.
func (a *l2Account) clear(t *testing.T) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(a.archive), os.RemoveAll(a.state)); err != nil {
		t.Fatal(err)
	}
}

// l2Messages returns ordinary messages with the sizes of a mailbox of notes:
// level 2 is about the number of operations, not of bytes.
func l2Messages(n, size int) []demo.Message {
	messages := mailtest.Corpus(7, n)
	for i := range messages {
		if body := messages[i].Body; len(body) > size {
			messages[i].Body = append(body[:size:size], "\r\n"...)
		}
	}
	return messages
}

// l2Heavy returns n messages of about size bytes.
func l2Heavy(n, size int) []demo.Message {
	rng := rand.New(rand.NewPCG(7, uint64(size)))
	date := time.Date(2019, 5, 1, 0, 0, 0, 0, time.UTC)
	messages := make([]demo.Message, n)
	for i := range messages {
		messages[i] = demo.Message{Body: demo.Compose(rng, i+1, date, size), Date: date}
	}
	return messages
}
