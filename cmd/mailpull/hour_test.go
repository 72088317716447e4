package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/control"
	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// hour is a daemon that lives for an hour, or as long as it is told, with a
// real Dovecot: mail comes, accounts are added, changed and removed by reload,
// the server goes away and comes back, and the daemon is drained or killed now
// and then. At the end each message that Dovecot got is in the archive once,
// byte for byte.
type hour struct {
	t        *testing.T
	random   *rand.Rand
	dovecot  *mailtest.Dovecot
	setup    setup
	accounts []*hourAccount // in the configuration, and those removed from it
	daemon   *exec.Cmd
	ended    chan error
	log      *os.File

	messages, reloads, restarts, kills, drains int
}

// hourAccount is an account and what its user was sent, by token.
type hourAccount struct {
	name     string
	pop3     bool
	idle     bool
	every    int // minutes
	removed  bool
	expected map[string][]byte
}

// TestHour is make hour.
func TestHour(t *testing.T) {
	text := os.Getenv("MAILPULL_HOURS")
	if text == "" {
		t.Skip("a daemon that lives for an hour: make hour HOURS=1")
	}
	hours, err := strconv.ParseFloat(text, 64)
	if err != nil || hours <= 0 {
		t.Fatalf("MAILPULL_HOURS=%q is no number of hours", text)
	}
	h := newHour(t)
	h.start()
	h.run(time.Duration(hours * float64(time.Hour)))
	h.finish()
	fmt.Printf("hour: %.2f hours, %d accounts, %d messages, %d reloads, %d server restarts, %d drains, %d kills: 0 lost, 0 doubled\n",
		hours, len(h.accounts), h.messages, h.reloads, h.restarts, h.drains, h.kills)
}

func newHour(t *testing.T) *hour {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	h := &hour{t: t, random: rand.New(rand.NewPCG(seed, 1)), dovecot: mailtest.StartDovecot(t, mailtest.DovecotOptions{
		Config: "mail_max_userip_connections = 100\n",
	})}
	dir := t.TempDir()
	h.setup = setup{config: filepath.Join(dir, "config.yaml"), archive: filepath.Join(dir, "mail"), state: filepath.Join(dir, "state")}
	var err error
	if h.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = h.log.Close()
		if t.Failed() {
			kept := filepath.Join(os.TempDir(), fmt.Sprintf("mailpull-hour-%d", seed))
			_ = os.CopyFS(kept, os.DirFS(dir))
			t.Logf("what there is to see is kept in %s", kept)
		}
	})
	for range 20 {
		h.add()
	}
	h.write()
	return h
}

// add adds an account, with some mail that waits already.
func (h *hour) add() {
	i := len(h.accounts)
	a := &hourAccount{
		name: fmt.Sprintf("user%d", i), pop3: i%3 == 2, idle: i%3 == 0, every: 1 + h.random.IntN(3),
		expected: make(map[string][]byte),
	}
	h.accounts = append(h.accounts, a)
	h.send(a, 1+h.random.IntN(700))
}

// send delivers messages to an account's user.
func (h *hour) send(a *hourAccount, n int) {
	boxes := []string{"INBOX", "Work", "Lists/öffentlich"}
	if a.pop3 {
		boxes = boxes[:1]
	}
	batches := make(map[string][]demo.Message)
	for range n {
		token := fmt.Sprintf("token-%s-%d", a.name, len(a.expected))
		size := int(min(200_000, 200*1.5/(h.random.Float64()+0.001)))
		body := fmt.Appendf(nil, "Subject: %s\r\nMessage-ID: <%s@example.com>\r\n\r\n%s\r\n.\r\n", token, token, strings.Repeat("line of text\r\n", size/14))
		a.expected[token] = body
		box := boxes[h.random.IntN(len(boxes))]
		batches[box] = append(batches[box], demo.Message{Body: body, Date: time.Unix(1_700_000_000+int64(len(a.expected)), 0)})
	}
	for box, messages := range batches {
		h.dovecot.Deliver(a.name, box, messages)
	}
	h.messages += n
}

// write writes the configuration as it is to be now.
func (h *hour) write() {
	var b strings.Builder
	fmt.Fprintf(&b, "archive: %s\nstate: %s\ndaemon: { listen: \"off\", passes: 6, connections_per_host: 40 }\naccounts:\n", h.setup.archive, h.setup.state)
	for _, a := range h.accounts {
		if a.removed {
			continue
		}
		protocol, addr := "imap", h.dovecot.IMAPSAddr
		if a.pop3 {
			protocol, addr = "pop3", h.dovecot.POP3SAddr
		}
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			h.t.Fatal(err)
		}
		fmt.Fprintf(&b, "  - name: %s\n    %s: { host: localhost, port: %s, tls: { ca_file: %q }, username: %s, password: %s }\n    every: %dm\n",
			a.name, protocol, port, h.dovecot.CAFile, a.name, mailtest.DovecotPassword, a.every)
		if a.idle {
			b.WriteString("    idle: true\n")
		}
	}
	if err := os.WriteFile(h.setup.config, []byte(b.String()), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// start starts the daemon and waits until it takes commands.
func (h *hour) start() {
	h.daemon = command(h.t, "daemon", "--config", h.setup.config)
	h.daemon.Stdout, h.daemon.Stderr = h.log, h.log
	if err := h.daemon.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.ended = make(chan error, 1)
	daemon, ended := h.daemon, h.ended
	go func() { ended <- daemon.Wait() }() // stop receives it
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if client, err := control.Dial(h.socket()); err == nil {
			if _, err := client.Status(h.t.Context()); err == nil {
				return
			}
		}
		if time.Since(begin) > 20*time.Second {
			h.t.Fatal("the daemon does not answer")
		}
	}
}

func (h *hour) socket() string { return filepath.Join(h.setup.state, ".control") }

// client reaches the daemon.
func (h *hour) client() *control.Client {
	h.t.Helper()
	client, err := control.Dial(h.socket())
	if err != nil {
		h.t.Fatal(err)
	}
	return client
}

// stop ends the daemon by a signal and says what its end was.
func (h *hour) stop(signal syscall.Signal) error {
	begin := time.Now()
	if err := h.daemon.Process.Signal(signal); err != nil {
		h.t.Fatal(err)
	}
	select {
	case err := <-h.ended:
		if took := time.Since(begin); took > 10*time.Second {
			h.t.Errorf("the daemon took %s to end", took)
		}
		return err
	case <-time.After(30 * time.Second):
		h.t.Fatal("the daemon does not end")
		return nil
	}
}

// run lets things happen until the time is over.
func (h *hour) run(d time.Duration) {
	for begin, next := time.Now(), time.Now(); time.Since(begin) < d && !h.t.Failed(); time.Sleep(500 * time.Millisecond) {
		if a := h.accounts[h.random.IntN(len(h.accounts))]; !a.removed {
			h.send(a, 1+h.random.IntN(4))
		}
		switch h.random.IntN(240) {
		case 0, 1, 2, 3:
			h.reload()
		case 4:
			h.bounce()
		case 5:
			h.drains++
			if err := h.stop(syscall.SIGTERM); err != nil {
				h.t.Errorf("a drain ended with %v", err)
			}
			h.start()
		case 6:
			h.kills++
			_ = h.stop(syscall.SIGKILL) // it says that it was killed
			h.start()
		case 7:
			h.send(h.accounts[h.random.IntN(len(h.accounts))], 1500)
		case 8:
			_ = h.daemon.Process.Signal(syscall.SIGUSR1) // it may have ended; then the rest fails
		}
		if time.Now().After(next) {
			fmt.Printf("hour: %s  accounts %d  messages %d  reloads %d  server restarts %d  drains %d  kills %d\n",
				time.Since(begin).Round(time.Second), len(h.accounts), h.messages, h.reloads, h.restarts, h.drains, h.kills)
			next = time.Now().Add(time.Minute)
		}
	}
}

// reload adds, changes or removes an account, brings back a removed one, or
// tries a configuration that is wrong.
func (h *hour) reload() {
	h.reloads++
	a := h.accounts[h.random.IntN(len(h.accounts))]
	switch h.random.IntN(5) {
	case 0:
		if len(h.accounts) < 40 {
			h.add()
		}
	case 1:
		a.every = 1 + h.random.IntN(3)
	case 2:
		a.removed = true
	case 3:
		for _, a := range h.accounts {
			a.removed = false
		}
	case 4:
		text, err := os.ReadFile(h.setup.config)
		if err != nil {
			h.t.Fatal(err)
		}
		h.config(append(text, "  - nonsense: true\n"...))
		if err := h.client().Reload(h.t.Context()); err == nil {
			h.t.Error("a wrong configuration was taken")
		}
	}
	h.write()
	if err := h.client().Reload(h.t.Context()); err != nil {
		h.t.Errorf("reload: %v", err)
	}
}

func (h *hour) config(text []byte) {
	if err := os.WriteFile(h.setup.config, text, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// bounce stops the server for some seconds.
func (h *hour) bounce() {
	h.restarts++
	h.dovecot.Stop()
	time.Sleep(time.Duration(1+h.random.IntN(10)) * time.Second)
	h.dovecot.Start()
}

// finish lets everything come to rest and judges each account.
func (h *hour) finish() {
	for _, a := range h.accounts {
		a.removed = false
	}
	h.write()
	if err := h.client().Reload(h.t.Context()); err != nil {
		h.t.Errorf("reload: %v", err)
	}
	if err := h.client().Resume(h.t.Context(), nil); err != nil {
		h.t.Errorf("resume: %v", err)
	}
	h.settle()
	if err := h.stop(syscall.SIGTERM); err != nil {
		h.t.Errorf("the daemon ended with %v", err)
	}
	for _, a := range h.accounts {
		h.judge(a)
	}
}

// settle pulls until everything is complete.
func (h *hour) settle() {
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Minute)
	defer cancel()
	for {
		reports, err := h.client().Pull(ctx, nil, true)
		if err != nil {
			h.t.Fatalf("the last pull: %v", err)
		}
		if !slices.ContainsFunc(reports, func(r control.Report) bool { return r.State != control.StateOK }) {
			return
		}
		if ctx.Err() != nil {
			h.t.Fatalf("not complete: %+v", reports)
		}
		time.Sleep(time.Second)
	}
}

// judge compares an account's archive with what its user was sent.
func (h *hour) judge(a *hourAccount) {
	found := make(map[string]int)
	err := filepath.WalkDir(filepath.Join(h.setup.archive, a.name), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		line, _, _ := strings.Cut(string(data), "\n")
		token := strings.TrimPrefix(strings.TrimSuffix(line, "\r"), "Subject: ")
		found[token]++
		if want := bytes.ReplaceAll(a.expected[token], []byte("\r\n"), []byte("\n")); !bytes.Equal(data, want) {
			h.t.Errorf("%s: %s differs from what was sent", a.name, path)
		}
		return nil
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.t.Fatal(err)
	}
	for token := range a.expected {
		if found[token] != 1 {
			h.t.Errorf("%s: %s is in the archive %d times", a.name, token, found[token])
		}
	}
}
