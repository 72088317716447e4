package faults

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
	"mailpull/pkg/wire"
)

// t5Case is a way in which an IMAP server can be hostile, and what must come
// of a pass against it.
type t5Case struct {
	// row is what the case is about: a row of go-imap's limits (I-1 to I-34), a
	// vulnerability of the field's history (V1 to V24), or a class of the NO
	// STARTTLS attacks (EAST and its letter).
	row  string
	name string

	// lie makes an honest server hostile.
	lie func(s *mailtest.IMAPServer)

	// want is the outcome, as t5Outcome tells it, and says is a part of the
	// error's text.
	want, says string

	// never is a text that may stand in no error and no log.
	never string

	// The zero values of the rest mean: no encryption, the program's limits,
	// 5 s by the fake clock, no look at the heap.
	startTLS bool
	limits   wire.Limits
	within   time.Duration
	heap     bool

	// listing has the heap grow as a listing does that is as long as the
	// program permits.
	listing bool

	// also are UIDVALIDITYs under which the server may have its messages
	// stored, beside its own.
	also []mail.UIDValidity

	// breakIt is what a self-test breaks.
	breakIt func(r *rig)
}

// t5Boxes are the mailboxes that every case begins with. The hostile server
// lies about message 2 of INBOX, if about a single one.
func t5Boxes() []*mailtest.IMAPBox {
	inbox := mailtest.NewIMAPBox("INBOX",
		"Subject: 1\r\n\r\nplain\r\n",
		t5Body,
		"Subject: 3\r\n\r\n)\r\nT1 OK done\r\n* 2 FETCH (UID 2 BODY[] {3}\r\nbad)\r\n",
	)
	work := mailtest.NewIMAPBox("Work", "Subject: 4\r\n\r\nbare\nlines\r\n", "")
	work.Messages[0].UID, work.Messages[1].UID = 101, 102
	return []*mailtest.IMAPBox{inbox, work}
}

// t5Run is a case under way.
type t5Run struct {
	t5Case
	t    *testing.T
	rig  *rig
	log  *t5Log
	heap *t5Heap

	problems []string
}

func (r *t5Run) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// run fails the test for each problem.
func (c t5Case) run(t *testing.T) {
	t.Helper()
	for _, problem := range c.findProblems(t) {
		t.Error(problem)
	}
}

// findProblems makes a pass against the hostile server while another account
// makes one against an honest server, and then one against the same server
// after its conversion. It returns what was not as it must be. Goroutines that
// are left fail the bubble.
func (c t5Case) findProblems(t *testing.T) []string {
	t.Helper()
	r := &t5Run{t5Case: c, t: t}
	synctest.Test(t, func(t *testing.T) {
		r.t = t
		var neighbour sync.WaitGroup
		neighbour.Go(r.neighbour)
		r.hostilePass()
		neighbour.Wait()
		r.honestPass()
		r.checkLog()
	})
	return r.problems
}

// neighbour is the pass of another account.
func (r *t5Run) neighbour() {
	other := imapRig(&mailtest.IMAPServer{Boxes: t5Boxes()})
	if result, err := other.pass(r.t.Context()); err != nil || result.New != 5 {
		r.t.Errorf("another account: %d new, %v", result.New, err)
	}
}

func (r *t5Run) hostilePass() {
	server := &mailtest.IMAPServer{Boxes: t5Boxes(), Caps: "ESEARCH"}
	r.rig = imapRig(server)
	r.log = &t5Log{}
	r.rig.log = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.rig.limits = r.limits
	r.rig.link.Record = r.startTLS
	r.knowOtherValidities(server)
	if r.startTLS {
		authority, certificate := t5Certificate(r.t)
		server.TLS = certificate.ServerConfig()
		r.rig.source = t5StartTLS(r.t, authority)
	}
	if r.lie != nil {
		r.lie(server)
	}
	if r.breakIt != nil {
		r.breakIt(r.rig)
	}
	if r.t5Case.heap {
		r.heap = watchHeap(r.rig.link)
	}
	began := time.Now()
	result, err := r.rig.pass(r.t.Context())
	r.checkEnd(result, err, time.Since(began))
	r.checkTranscript()
}

// knowOtherValidities tells the oracle under what else the messages can be
// stored when the server lies about their identity.
func (r *t5Run) knowOtherValidities(server *mailtest.IMAPServer) {
	for _, validity := range r.also {
		for _, box := range server.Boxes {
			for _, m := range box.Messages {
				ref := imapRef(box, m.UID)
				other := ref
				other.Validity = validity
				r.rig.oracle.Renamed(ref, other)
			}
		}
	}
}

// checkEnd holds the end of the pass to the case.
func (r *t5Run) checkEnd(result pull.Result, err error, took time.Duration) {
	if got := r.outcome(err); got != r.want {
		r.problem("got  %q (%v)\nwant %q", got, err, r.want)
	}
	if within := max(r.within, 5*time.Second); took > within {
		r.problem("it took %v, which is more than %v", took, within)
	}
	if err != nil {
		r.checkText("the error", err.Error())
		r.checkText("the hint", mail.ErrorHint(err))
		if !strings.Contains(err.Error(), r.says) {
			r.problem("the error does not say %q: %v", r.says, err)
		}
	}
	if result.Complete != (err == nil) {
		r.problem("complete is %v with the error %v", result.Complete, err)
	}
	r.judge(false)
	if r.heap != nil {
		r.heap.check(r)
	}
}

// judge asks the oracle.
func (r *t5Run) judge(complete bool) {
	breaches, err := r.rig.judge(complete)
	if err != nil {
		r.problem("the records cannot be read: %v", err)
	}
	for _, b := range breaches {
		r.problem("%v", b)
	}
}

// checkText holds a text to what a terminal and a log may be given.
func (r *t5Run) checkText(what, text string) {
	if len(text) > 1024 {
		r.problem("%s is %d bytes long", what, len(text))
	}
	if !utf8.ValidString(text) {
		r.problem("%s is no UTF-8: %q", what, text)
	}
	for _, c := range text {
		if !unicode.IsPrint(c) {
			r.problem("%s holds %q: %q", what, c, text)
			break
		}
	}
	if strings.Contains(text, password) {
		r.problem("%s holds the password: %q", what, text)
	}
	if r.never != "" && strings.Contains(text, r.never) {
		r.problem("%s holds %q: %q", what, r.never, text)
	}
}

// outcome tells how a pass ended: "complete", or the class and the scope of
// its error, and what is missing.
func (r *t5Run) outcome(err error) string {
	told := "complete"
	if err != nil {
		scope := map[mail.Scope]string{
			mail.ScopeMessage: "message", mail.ScopeMailbox: "mailbox", mail.ScopeAccount: "account",
		}[mail.ErrorScope(err)]
		told = string(mail.ErrorClass(err)) + " " + scope
	}
	records, rerr := r.rig.records()
	if rerr != nil {
		return rerr.Error()
	}
	var missing []string
	for _, box := range t5Boxes() {
		for _, m := range box.Messages {
			if !r.delivered(records, imapRef(box, m.UID)) {
				missing = append(missing, fmt.Sprintf("%s/%d", box.Name, m.UID))
			}
		}
	}
	switch {
	case len(missing) == 5:
		told += "; nothing is stored"
	case len(missing) > 0:
		told += "; without " + strings.Join(missing, " ")
	}
	return told
}

// delivered asks for a message under each name that it may have.
func (r *t5Run) delivered(records mailtest.Records, ref mail.Ref) bool {
	for _, validity := range append([]mail.UIDValidity{ref.Validity}, r.also...) {
		ref.Validity = validity
		if records.Delivered(ref) {
			return true
		}
	}
	return false
}

// checkTranscript makes sure that nobody on the way learnt the password.
func (r *t5Run) checkTranscript() {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + username + "\x00" + password))
	for _, secret := range []string{password, plain, "LOGIN", "AUTHENTICATE"} {
		if r.startTLS && bytes.Contains(r.rig.link.Heard(), []byte(secret)) {
			r.problem("%q went over the wire in plain text", secret)
		}
	}
}

// honestPass shows that nothing of the hostile pass stays: a server that tells
// the truth again has everything pulled, once.
func (r *t5Run) honestPass() {
	time.Sleep(2 * time.Hour) // by the fake clock: messages that failed have left quarantine
	server := &mailtest.IMAPServer{Boxes: t5Boxes(), Caps: "ESEARCH", Username: username, Password: password}
	if r.startTLS {
		_, certificate := t5Certificate(r.t)
		server.TLS = certificate.ServerConfig()
	}
	r.rig.link = &mailtest.Link{Serve: server.Serve}
	r.rig.wrapSource = nil
	if result, err := r.rig.pass(r.t.Context()); err != nil {
		r.problem("the honest server: %d are missing, %v", result.Missing, err)
	}
	r.judge(true)
}

// t5Log is a log in memory. A TextHandler writes each line at once.
type t5Log struct {
	mu    sync.Mutex
	lines []string
}

// Write implements io.Writer.
func (l *t5Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

// checkLog holds each line to what a log may be given, and all together to a
// size: what the server says must not fill a disk.
func (r *t5Run) checkLog() {
	if n := len(r.log.lines); n > 200 {
		r.problem("%d lines were logged", n)
	}
	for _, line := range r.log.lines {
		r.checkText("a line of the log", line)
	}
}

// t5TLS is the certificate of every server that does STARTTLS, and who stands
// for it. It is made once, because that takes longer than a case.
var t5TLS struct {
	once        sync.Once
	authority   *mailtest.CA
	certificate mailtest.Certificate
}

func t5Certificate(t testing.TB) (*mailtest.CA, mailtest.Certificate) {
	t5TLS.once.Do(func() {
		t5TLS.authority = mailtest.NewCA(t)
		t5TLS.certificate = t5TLS.authority.Good(t)
	})
	return t5TLS.authority, t5TLS.certificate
}

// t5StartTLS returns a source that wants STARTTLS from a server that the
// authority stands for.
func t5StartTLS(t testing.TB, authority *mailtest.CA) func(wire.Options) pull.Source {
	file := authority.File(t)
	return func(o wire.Options) pull.Source {
		o.Security, o.CAFile = wire.StartTLS, file
		return imapSource(o)
	}
}
