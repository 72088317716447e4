package faults

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
	"mailpull/pkg/wire"
)

// t6Case is a POP3 server that misbehaves in one way, and what a pass over it
// comes to. The account runs whole: source, pass, archive and records.
type t6Case struct {
	// row is what the case stands for: a row of what go-pop3 does wrong
	// ("P-1"), of the attacks on STARTTLS ("EAST ..."), or of the mistakes that
	// other programs made ("V17").
	row  string
	name string

	// The server has drop, or t6Drop; says are its answers to whole lines of
	// the client instead of the honest ones, the empty line for the greeting;
	// on is asked before says. serve changes what else a server has.
	drop  []mailtest.POP3Message
	says  map[string]string
	on    func(c *mailtest.POP3Talk, command string) bool
	serve func(s *mailtest.POP3Server)

	// wrap is put over the server's side of each connection.
	wrap func(conn net.Conn) net.Conn

	// sent are bodies, by number, that says or on send in the place of those
	// of drop.
	sent map[int]string

	// client changes how the account reaches the server.
	client func(o *wire.Options)

	// passes is how many passes are made; 0 means one. Only the last one has
	// to end as wanted.
	passes int

	// want is how the pass ends; the zero value means complete. What is
	// delivered then is the whole drop, and else the messages that kept
	// numbers.
	want t6Want
	kept []int

	// within is how long the pass may take; 0 means 5 s.
	within time.Duration

	// silent says that no byte of the credentials may reach the server.
	silent bool

	// heap is how many bytes of memory the pass may take; 0 does not look.
	heap uint64

	// writes is how often the client may write; 0 does not count.
	writes int

	// heard looks at what the server heard.
	heard func(s *mailtest.POP3Server) error
}

// t6Want is an error's classification and a part of its text.
type t6Want struct {
	class mail.Class
	scope mail.Scope
	retry mail.Retry
	text  string
}

// t6Response is the line behind AUTH PLAIN.
var t6Response = base64.StdEncoding.EncodeToString([]byte("\x00" + username + "\x00" + password))

// t6Drop is what a server has whose case is not about messages.
func t6Drop() []mailtest.POP3Message {
	return mailtest.POP3Messages(
		"Subject: one\r\n\r\nfirst\r\n",
		"Subject: two\r\n\r\n.second\r\n",
		"Subject: three\r\n\r\nthird\r\n",
	)
}

// t6Run is a case while it runs.
type t6Run struct {
	t6Case
	server *mailtest.POP3Server
	rig    *rig
	log    t6Log
	base   uint64 // bytes of memory before
	wrote  atomic.Int64

	weighing sync.Mutex
	peak     uint64 // bytes of memory while it ran

	result pull.Result
	err    error
	took   time.Duration
	other  error // of the other account

	problems []string
}

// t6Log keeps what is logged.
type t6Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *t6Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// test runs the case in a bubble of its own and fails for each problem.
func (c t6Case) test(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, problem := range c.run(t, nil) {
			t.Error(problem)
		}
	})
}

// run makes the passes and returns what is wrong. A bubble of synctest must be
// around it: it would not end while a goroutine is left. broken is what a
// self-test does to the source.
func (c t6Case) run(t *testing.T, broken func(pull.Source) pull.Source) []string {
	t.Helper()
	r := &t6Run{t6Case: c}
	if r.drop == nil {
		r.drop = t6Drop()
	}
	r.build(t)
	r.rig.wrapSource = broken
	if r.heap > 0 {
		disk, err := durable.OpenDir(t.TempDir()) // one in memory would count
		if err != nil {
			t.Fatal(err)
		}
		r.rig.disk = disk
		defer disk.Close() // every file of it was flushed
		_ = t6Heap()       // what only a finalizer or a pool still knows goes the second time
		r.base = t6Heap()
	}
	for range max(1, c.passes) {
		r.pass(t.Context())
	}
	r.check()
	return r.problems
}

// build puts server and account together.
func (r *t6Run) build(t *testing.T) {
	r.server = &mailtest.POP3Server{Username: username, Password: password, Messages: r.drop, On: r.answer}
	if r.serve != nil {
		r.serve(r.server)
	}
	link := &mailtest.Link{Serve: r.accept, Record: r.heap == 0, Before: func(op string) error {
		if op == "write" {
			r.wrote.Add(1)
		}
		return nil
	}}
	r.rig = newRig(r.connect, link)
	r.rig.log = slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	known := make(map[string]bool)
	for i, m := range r.drop {
		body, other := r.sent[i+1]
		if !other {
			body = m.Body
		}
		if !known[m.UIDL] { // the second one of two is never fetched
			r.rig.oracle.Add([]byte(t6Whole(body)), t6Ref(m.UIDL))
		}
		known[m.UIDL] = true
	}
	t.Cleanup(r.rig.link.Wait)
}

func (r *t6Run) accept(conn net.Conn) {
	if r.wrap != nil {
		conn = r.wrap(conn)
	}
	if r.heap > 0 {
		conn = &t6Scale{Conn: conn, run: r}
	}
	r.server.Serve(conn)
}

func (r *t6Run) connect(o wire.Options) pull.Source {
	if r.client != nil {
		r.client(&o)
	}
	return pop3Source(o)
}

// answer is the server's hook.
func (r *t6Run) answer(c *mailtest.POP3Talk, command string) bool {
	if r.on != nil && r.on(c, command) {
		return true
	}
	answer, ok := r.says[command]
	c.Raw(answer)
	return ok
}

// pass makes one pass, and beside it one over the account of somebody else
// whose server is honest.
func (r *t6Run) pass(ctx context.Context) {
	honest := &mailtest.POP3Server{Messages: t6Drop()}
	other := newRig(pop3Source, &mailtest.Link{Serve: honest.Serve})
	var others sync.WaitGroup
	begun := time.Now()
	others.Go(func() {
		_, r.other = other.pass(ctx)
		if r.other == nil && time.Since(begun) > time.Second {
			r.other = fmt.Errorf("it took %s", time.Since(begun))
		}
	})
	r.result, r.err = r.rig.pass(ctx)
	r.took = time.Since(begun)
	others.Wait()
}

// t6Whole is a body as a client receives it: its last line has an end.
func t6Whole(body string) string {
	if body == "" || strings.HasSuffix(body, "\r\n") {
		return body
	}
	return body + "\r\n"
}

func t6Ref(uidl string) mail.Ref { return mail.Ref{Mailbox: mail.Inbox, UIDL: mail.UIDL(uidl)} }

// t6Heap is how much memory is in use.
func t6Heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// expected reports whether the message at a place of drop is to be delivered.
func (r *t6Run) expected(place int) bool {
	return r.want == (t6Want{}) || slices.Contains(r.kept, place+1)
}
