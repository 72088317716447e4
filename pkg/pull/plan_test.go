package pull_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// plan asks what a pass would bring, without a store and a manifest.
func (w *world) plan(t *testing.T, change ...func(*pull.Options)) []mail.MailboxResult {
	t.Helper()
	o := pull.Options{Account: "work", Source: w.server, Checkpoint: w.checkpoint}
	for _, fn := range change {
		fn(&o)
	}
	results, err := pull.Plan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// A plan tells what the next pass then does, and changes nothing.
func TestPlan(t *testing.T) {
	t.Parallel()
	w := dated(20)
	box("Work", letters(5)...)(w.server)
	w.server.Box(mail.Inbox).Size = 20_000
	before := *w.server.Box(mail.Inbox)
	got := w.plan(t, from(12))
	want := []mail.MailboxResult{
		{Mailbox: mail.Inbox, Server: 20, Excluded: 12, Missing: 8, MissingBytes: 8000},
		{Mailbox: "Work", Server: 5, Missing: 5},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if _, known := w.checkpoint.Known(mail.Inbox); known || w.server.Asked != 0 || len(w.checkpoint.Passes) != 0 || before.UIDNext != w.server.Box(mail.Inbox).UIDNext {
		t.Error("the plan changed something")
	}
	if r := w.mustComplete(t, from(12)); r.New != 13 {
		t.Errorf("the pass brought %d", r.New)
	}
	got = w.plan(t, from(12))
	if m := got[0]; !m.Unchanged || m.Archived != 8 || m.Excluded != 12 || m.Missing != 0 {
		t.Errorf("after the pass: got %+v", m)
	}
	if m := w.plan(t)[0]; m.Archived != 8 || m.Missing != 12 || m.Excluded != 0 {
		t.Errorf("without a bound: got %+v", m)
	}
}

// What is in quarantine is not asked for, and a mailbox that cannot be opened
// costs itself.
func TestPlanLeavesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(box(mail.Inbox, letters(5)...), box("Locked", letters(3)...))
	w.server.Box(mail.Inbox).Messages[1].Outcome = broken(2, mail.ClassServer)
	if _, err := w.run(t.Context(), nil); err == nil {
		t.Fatal("no error")
	}
	w.server.Box(mail.Inbox).Add("Subject: news\r\n\r\n")
	w.server.Box("Locked").Add("Subject: news\r\n\r\n")
	refused := &mail.Error{Op: "fake select", Mailbox: "Locked", Scope: mail.ScopeMailbox, Class: mail.ClassServer, Err: errors.New("no")}
	w.server.Box("Locked").Refuse = refused
	got := w.plan(t)
	if m := got[0]; m.Server != 6 || m.Archived != 4 || m.Quarantined != 1 || m.Missing != 1 {
		t.Errorf("got %+v", m)
	}
	if m := got[1]; !errors.Is(m.Err, refused) {
		t.Errorf("got %+v", m)
	}
}

// A mailbox that a pass refuses is not announced as one that it would pull.
func TestPlanRefusesWhatAPassRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(box(mail.Inbox, letters(2)...), box("Odd", letters(3)...))
	w.server.Box("Odd").Validity = 0
	got := w.plan(t)
	if m := got[0]; m.Missing != 2 || m.Err != nil {
		t.Errorf("got %+v", m)
	}
	if m := got[1]; m.Err == nil || !strings.Contains(m.Err.Error(), "no UIDVALIDITY") || m.Missing != 0 {
		t.Errorf("got %+v", m)
	}
}
