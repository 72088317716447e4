package faults

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"mailpull/pkg/mail"
)

// maxT6Text is how long an error or a line of the log may be.
const maxT6Text = 1 << 10

func (r *t6Run) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// check holds the run against what the case wants, and against what holds for
// every server.
func (r *t6Run) check() {
	r.checkError()
	r.checkArchive()
	r.checkTexts()
	r.checkServer()
	limit := r.within
	if limit == 0 {
		limit = 5 * time.Second
	}
	if r.took > limit {
		r.problem("the pass took %s, at most %s is allowed", r.took, limit)
	}
	if r.other != nil {
		r.problem("the other account: %v", r.other)
	}
	if r.heap > 0 && r.peak > r.base+r.heap {
		r.problem("%d KiB of memory more than before, at most %d are allowed", (r.peak-r.base)>>10, r.heap>>10)
	}
}

func (r *t6Run) checkError() {
	if r.result.Complete != (r.err == nil) {
		r.problem("complete is %t with error %v", r.result.Complete, r.err)
	}
	if r.want == (t6Want{}) {
		if r.err != nil {
			r.problem("got the error %v, want a complete pass", r.err)
		}
		return
	}
	if r.err == nil {
		r.problem("the pass is complete, want an error: %+v", r.want)
		return
	}
	got := t6Want{mail.ErrorClass(r.err), mail.ErrorScope(r.err), mail.ErrorRetry(r.err), r.want.text}
	if got != r.want {
		r.problem("got class %s, scope %d, retry %d, want %+v: %v", got.class, got.scope, got.retry, r.want, r.err)
	}
	if !strings.Contains(r.err.Error(), r.want.text) {
		r.problem("the error is %q and does not say %q", r.err, r.want.text)
	}
}

// checkArchive asks the oracle, which knows the right bytes of each message,
// and compares what was delivered with what the case expects.
func (r *t6Run) checkArchive() {
	breaches, err := r.rig.judge(r.err == nil)
	if err != nil {
		r.problem("the records cannot be read: %v", err)
		return
	}
	for _, b := range breaches {
		r.problem("%s", b)
	}
	records, err := r.rig.records()
	if err != nil {
		r.problem("the records cannot be read: %v", err)
		return
	}
	seen := make(map[string]bool)
	for i, m := range r.drop {
		if seen[m.UIDL] {
			continue
		}
		seen[m.UIDL] = true
		if got, want := records.Delivered(t6Ref(m.UIDL)), r.expected(i); got != want {
			r.problem("message %d, %.40q: delivered is %t, want %t (%v)", i+1, m.UIDL, got, want, r.err)
		}
	}
}

// checkTexts makes sure that what a person reads is one short printable line,
// and that no secret is in it.
func (r *t6Run) checkTexts() {
	texts := []string{mail.ErrorHint(r.err), r.result.Error, r.result.Hint}
	if r.err != nil {
		texts = append(texts, r.err.Error())
	}
	texts = append(texts, strings.Split(strings.TrimSuffix(r.log.text.String(), "\n"), "\n")...)
	for _, text := range texts {
		if len(text) > maxT6Text {
			r.problem("a text of %d bytes: %.200q", len(text), text)
		}
		if i := strings.IndexFunc(text, func(c rune) bool { return c < ' ' || c > '~' }); i >= 0 {
			r.problem("a text with %q in it: %.200q", text[i], text)
		}
		if strings.Contains(text, password) || strings.Contains(text, t6Response) {
			r.problem("a text with the password: %.200q", text)
		}
	}
}

// checkServer looks at what reached the server.
func (r *t6Run) checkServer() {
	wire := r.rig.link.Heard()
	if r.silent && (bytes.Contains(wire, []byte(username)) || bytes.Contains(wire, []byte(password)) || bytes.Contains(wire, []byte(t6Response))) {
		r.problem("credentials reached the server: %q", wire)
	}
	// QUIT carries out deletions, so it is for the good end alone.
	if r.err != nil && mail.ErrorScope(r.err) == mail.ScopeAccount && r.passes < 2 && len(r.server.Heard("QUIT")) > 0 {
		r.problem("QUIT was said although the account failed: %v", r.err)
	}
	if n := len(r.server.Heard("DELE")) + len(r.server.Heard("APOP")); n > 0 {
		r.problem("%d commands DELE or APOP", n)
	}
	if n := int(r.wrote.Load()); r.writes > 0 && n > r.writes {
		r.problem("%d writes, at most %d are needed", n, r.writes)
	}
	if r.heard != nil {
		if err := r.heard(r.server); err != nil {
			r.problem("%v", err)
		}
	}
}
