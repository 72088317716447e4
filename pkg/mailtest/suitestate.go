package mailtest

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// TestCheckpoint is the suite of pull.Checkpoint. open opens the checkpoint of
// one account, empty at first, and again after what was opened before was let
// go, as the next run does.
func TestCheckpoint(t *testing.T, start func(t *testing.T) (open func() pull.Checkpoint)) {
	t.Run("uids", func(t *testing.T) { testCheckpointUIDs(t, start(t)) })
	t.Run("uidls", func(t *testing.T) { testCheckpointUIDLs(t, start(t)) })
	t.Run("complete", func(t *testing.T) { testCheckpointComplete(t, start(t)) })
	t.Run("complete but for what is left out", func(t *testing.T) { testCheckpointExcluded(t, start(t)) })
	t.Run("order", func(t *testing.T) { testCheckpointOrder(t, start(t)) })
	t.Run("reset", func(t *testing.T) { testCheckpointReset(t, start(t)) })
	t.Run("reset of unique-ids", func(t *testing.T) { testCheckpointResetUIDLs(t, start(t)) })
	t.Run("quarantine", func(t *testing.T) { testCheckpointQuarantine(t, start(t)) })
	t.Run("end of quarantine", func(t *testing.T) { testCheckpointRelease(t, start(t)) })
	t.Run("in parallel", func(t *testing.T) { testCheckpointParallel(t, start(t)) })
}

func uidRefs(box mail.MailboxName, validity mail.UIDValidity, uids ...mail.UID) []mail.Ref {
	var refs []mail.Ref
	for _, uid := range uids {
		refs = append(refs, mail.Ref{Mailbox: box, Validity: validity, UID: uid})
	}
	return refs
}

func mustCommit(t *testing.T, c pull.Checkpoint, refs []mail.Ref) {
	t.Helper()
	if err := c.Commit(refs); err != nil {
		t.Fatal(err)
	}
}

func mustEnd(t *testing.T, c pull.Checkpoint) {
	t.Helper()
	end := time.Unix(1_700_000_000, 0)
	if err := c.EndPass(mail.Pass{Start: end.Add(-time.Second), End: end, Complete: true}); err != nil {
		t.Fatal(err)
	}
}

func testCheckpointUIDs(t *testing.T, open func() pull.Checkpoint) {
	c := open()
	listing := mail.Refs{Mailbox: "A", Validity: 7, UIDs: mail.UIDSet{{Lo: 1, Hi: 10}, {Lo: 20, Hi: 20}}}
	if got := c.New(listing); !reflect.DeepEqual(got, listing) {
		t.Errorf("unknown mailbox: got %v", got)
	}
	if _, ok := c.Known("A"); ok {
		t.Error("an unknown mailbox is known")
	}
	mustCommit(t, c, uidRefs("A", 7, 9, 3, 20, 4))
	mustCommit(t, c, uidRefs("A", 7, 3, 4, 5))
	mustCommit(t, c, uidRefs("B", 7, 1))
	want := mail.UIDSet{{Lo: 1, Hi: 2}, {Lo: 6, Hi: 8}, {Lo: 10, Hi: 10}}
	for _, c := range []pull.Checkpoint{c, open()} {
		if got := c.New(listing).UIDs; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if known, ok := c.Known("A"); !ok || known.Seen != 5 || known.Validity != 7 || known.Complete != nil {
			t.Errorf("got %+v, %v", known, ok)
		}
	}
}

func testCheckpointUIDLs(t *testing.T, open func() pull.Checkpoint) {
	c := open()
	odd := []mail.UIDL{"a", "A", "\"quoted\" \\ back", "# not a comment", " blank ", "\x7f\xff", "commit"}
	listing := mail.Refs{Mailbox: mail.Inbox, UIDLs: append(slices.Clone(odd), "unseen")}
	var refs []mail.Ref
	for _, uidl := range odd {
		refs = append(refs, mail.Ref{Mailbox: mail.Inbox, UIDL: uidl})
	}
	mustCommit(t, c, refs)
	for _, c := range []pull.Checkpoint{c, open()} {
		if got := c.New(listing).UIDLs; !slices.Equal(got, []mail.UIDL{"unseen"}) {
			t.Errorf("got %q", got)
		}
		if known, _ := c.Known(mail.Inbox); known.Seen != len(odd) {
			t.Errorf("got %+v", known)
		}
	}
}

func testCheckpointComplete(t *testing.T, open func() pull.Checkpoint) {
	c := open()
	mustCommit(t, c, uidRefs("A", 7, 1, 2))
	status := mail.Status{Validity: 7, UIDNext: 3, Messages: 2, ModSeq: 99, Size: -1}
	if err := c.Complete("A", status, 2, mail.Excluded{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Complete("Empty", mail.Status{Validity: 9, UIDNext: 1, Size: -1}, 0, mail.Excluded{}); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, c)
	for _, c := range []pull.Checkpoint{c, open()} {
		known, _ := c.Known("A")
		if known.Complete == nil || known.Complete.UIDNext != 3 || known.Complete.Messages != 2 ||
			known.Complete.Validity != 7 || known.Complete.ModSeq != 99 || known.Listed != 2 || known.Seen != 2 {
			t.Errorf("got %+v, %+v", known, known.Complete)
		}
		if known, ok := c.Known("Empty"); !ok || known.Complete == nil || known.Validity != 9 {
			t.Errorf("empty mailbox: got %+v, %v", known, ok)
		}
	}
}

// A mailbox can be complete with messages left out. While it is being matched
// that does not end, for one of them may be in the archive under a former ref.
func testCheckpointExcluded(t *testing.T, open func() pull.Checkpoint) {
	c := open()
	excluded := mail.Excluded{Messages: 5, Since: time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC)}
	mustCommit(t, c, uidRefs("A", 7, 8))
	mustCommit(t, c, uidRefs("B", 7, 8))
	if err := c.Reset("B", 9); err != nil {
		t.Fatal(err)
	}
	for name, validity := range map[mail.MailboxName]mail.UIDValidity{"A": 7, "B": 9} {
		if err := c.Complete(name, mail.Status{Validity: validity, UIDNext: 9, Messages: 6, Size: -1}, 6, excluded); err != nil {
			t.Fatal(err)
		}
	}
	mustEnd(t, c)
	for _, c := range []pull.Checkpoint{c, open()} {
		if known, _ := c.Known("A"); known.Complete == nil || known.Excluded != excluded || known.Matching {
			t.Errorf("got %+v", known)
		}
		if known, _ := c.Known("B"); known.Complete == nil || known.Excluded != excluded || !known.Matching {
			t.Errorf("while matching: got %+v", known)
		}
	}
	c = open()
	mustCommit(t, c, uidRefs("B", 9, 8))
	if known, _ := open().Known("B"); known.Complete != nil || !known.Matching {
		t.Errorf("after a delivery: got %+v", known)
	}
	if err := c.Complete("B", mail.Status{Validity: 9, UIDNext: 9, Messages: 6, Size: -1}, 6, mail.Excluded{}); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, c)
	if known, _ := open().Known("B"); known.Complete == nil || known.Matching || known.Excluded != (mail.Excluded{}) {
		t.Errorf("with nothing left out: got %+v", known)
	}
}

// What is known of the order is kept beside the status, and dies with the
// mailbox's UIDVALIDITY.
func testCheckpointOrder(t *testing.T, open func() pull.Checkpoint) {
	c := open()
	mustCommit(t, c, []mail.Ref{{Mailbox: mail.Inbox, UIDL: "a"}})
	status := mail.Status{Messages: 1, Size: 5, Mark: 77}
	if err := c.Complete(mail.Inbox, status, 1, mail.Excluded{}); err != nil {
		t.Fatal(err)
	}
	whole := time.Unix(1_700_000_000, 0)
	want := mail.Order{Mark: 77, Whole: whole, Broken: true}
	for _, order := range []mail.Order{{Mark: 5, Whole: whole}, want} {
		if err := c.Order(mail.Inbox, order); err != nil {
			t.Fatal(err)
		}
	}
	mustEnd(t, c)
	status.Mark = 0 // it is the order's
	for _, c := range []pull.Checkpoint{c, open()} {
		if known, _ := c.Known(mail.Inbox); known.Order != want || known.Complete == nil || *known.Complete != status {
			t.Errorf("got %+v, %+v", known, known.Complete)
		}
	}
	c = open()
	if err := c.Reset(mail.Inbox, 0); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, c)
	if known, _ := open().Known(mail.Inbox); known.Order != want || known.Complete != nil {
		t.Errorf("matched: got %+v", known)
	}
	c = open()
	if err := c.Reset(mail.Inbox, 9); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, c)
	if known, _ := open().Known(mail.Inbox); known.Order != (mail.Order{}) {
		t.Errorf("another uidvalidity: got %+v", known)
	}
}

func testCheckpointReset(t *testing.T, open func() pull.Checkpoint) {
	c := open()
	mustCommit(t, c, uidRefs("A", 7, 1, 2, 3))
	if err := c.Reset("A", 8); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, c, uidRefs("A", 8, 2))
	listing := mail.Refs{Mailbox: "A", Validity: 8, UIDs: mail.UIDSet{{Lo: 1, Hi: 3}}}
	for _, c := range []pull.Checkpoint{c, open()} {
		known, _ := c.Known("A")
		if known.Validity != 8 || known.Seen != 1 || !known.Matching || known.Complete != nil {
			t.Errorf("got %+v", known)
		}
		if got := c.New(listing).UIDs.String(); got != "1,3" {
			t.Errorf("new: got %s, want 1,3", got)
		}
	}
	c = open()
	if err := c.Complete("A", mail.Status{Validity: 8, UIDNext: 4, Messages: 3, Size: -1}, 3, mail.Excluded{}); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, c)
	if known, _ := open().Known("A"); known.Matching || known.Complete == nil {
		t.Errorf("complete again: got %+v", known)
	}
}

// Unique-ids that were seen stay so while messages are matched: a server may
// show only a part of its maildrop, and another part the next time.
func testCheckpointResetUIDLs(t *testing.T, open func() pull.Checkpoint) {
	c := open()
	mustCommit(t, c, []mail.Ref{{Mailbox: mail.Inbox, UIDL: "a"}})
	if err := c.Reset(mail.Inbox, 0); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, c, []mail.Ref{{Mailbox: mail.Inbox, UIDL: "b"}})
	for _, c := range []pull.Checkpoint{c, open()} {
		known, _ := c.Known(mail.Inbox)
		fresh := c.New(mail.Refs{Mailbox: mail.Inbox, UIDLs: []mail.UIDL{"a", "b", "c"}})
		if !known.Matching || known.Seen != 2 || !slices.Equal(fresh.UIDLs, []mail.UIDL{"c"}) {
			t.Errorf("got %+v, new %q", known, fresh.UIDLs)
		}
	}
}

// inQuarantine is a message in quarantine, as the engine makes it.
func inQuarantine(ref mail.Ref, tries int) mail.Quarantined {
	last := time.Unix(1_700_000_000, 0).UTC()
	return mail.Quarantined{
		Ref: ref, Tries: tries, First: last.Add(-time.Hour), Last: last, Next: last.Add(4 * time.Hour),
		Class: mail.ClassProtocol, Reason: "an \"odd\" answer: \u00e9",
	}
}

func wantQuarantined(t *testing.T, c pull.Checkpoint, box mail.MailboxName, want ...mail.Quarantined) {
	t.Helper()
	got := c.Quarantined(box)
	if len(got) != len(want) {
		t.Errorf("%q: %d messages are in quarantine, want %d: %+v", box, len(got), len(want), got)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q:\n got %+v\nwant %+v", box, got[i], want[i])
		}
	}
}

func testCheckpointQuarantine(t *testing.T, open func() pull.Checkpoint) {
	c := open()
	mustCommit(t, c, uidRefs("A", 7, 2))
	refs := uidRefs("A", 7, 1, 2, 3, 4_294_967_295)
	uidl := inQuarantine(mail.Ref{Mailbox: mail.Inbox, UIDL: "\xff odd \"uidl\""}, 5)
	first, ignored, last := inQuarantine(refs[0], 1), inQuarantine(refs[2], 3), inQuarantine(refs[3], 1)
	ignored.Ignored = true
	for _, group := range [][]mail.Quarantined{
		{last, inQuarantine(refs[0], 7), uidl},
		{first, ignored},
		{inQuarantine(refs[1], 1)}, // seen
	} {
		if err := c.Quarantine(group); err != nil {
			t.Fatal(err)
		}
	}
	wantQuarantined(t, c, "A", first, ignored, last)
	mustEnd(t, c)
	for _, c := range []pull.Checkpoint{c, open()} {
		wantQuarantined(t, c, "A", first, ignored, last)
		wantQuarantined(t, c, mail.Inbox, uidl)
		wantQuarantined(t, c, "unknown")
		listing := mail.Refs{Mailbox: "A", Validity: 7, UIDs: mail.UIDSet{{Lo: 1, Hi: 3}}}
		if got := c.New(listing).UIDs.String(); got != "1,3" {
			t.Errorf("new: got %s, want 1,3: what is in quarantine is not seen", got)
		}
		if known, _ := c.Known("A"); known.Seen != 1 || known.Validity != 7 {
			t.Errorf("got %+v, want 1 seen", known)
		}
	}
}

// A message leaves quarantine when it is delivered, released, or when its
// mailbox is reset under another UIDVALIDITY, and not otherwise.
func testCheckpointRelease(t *testing.T, open func() pull.Checkpoint) {
	c := open()
	a, b := uidRefs("A", 7, 1, 2, 3), uidRefs("B", 8, 1)
	x, y := mail.Ref{Mailbox: mail.Inbox, UIDL: "x"}, mail.Ref{Mailbox: mail.Inbox, UIDL: "y"}
	var all []mail.Quarantined
	for _, ref := range append(append(a, b...), x, y) {
		all = append(all, inQuarantine(ref, 1))
	}
	if err := c.Quarantine(all); err != nil {
		t.Fatal(err)
	}
	if err := c.Complete("A", mail.Status{Validity: 7, UIDNext: 4, Messages: 3, Size: -1}, 3, mail.Excluded{}); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, c)

	c = open()
	if err := c.Release([]mail.Ref{a[1], {Mailbox: "unknown", Validity: 1, UID: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Reset("B", 9); err != nil {
		t.Fatal(err)
	}
	if err := c.Reset(mail.Inbox, 0); err != nil {
		t.Fatal(err)
	}
	if known, _ := c.Known("A"); known.Complete == nil {
		t.Error("a mailbox with messages in quarantine does not stay complete")
	}
	mustCommit(t, c, []mail.Ref{a[0], x})
	for _, c := range []pull.Checkpoint{c, open()} {
		wantQuarantined(t, c, "A", inQuarantine(a[2], 1))
		wantQuarantined(t, c, "B")
		wantQuarantined(t, c, mail.Inbox, inQuarantine(y, 1))
	}
}

func testCheckpointParallel(t *testing.T, open func() pull.Checkpoint) {
	c := open()
	var wg sync.WaitGroup
	for lane := range 4 {
		wg.Go(func() {
			box := mail.MailboxName(fmt.Sprint("box ", lane))
			for uid := mail.UID(1); uid <= 20; uid++ {
				if err := c.Commit(uidRefs(box, 1, uid)); err != nil {
					t.Error(err)
				}
				c.New(mail.Refs{Mailbox: box, Validity: 1, UIDs: mail.UIDSet{{Lo: 1, Hi: 20}}})
				c.Known(box)
			}
		})
	}
	wg.Wait()
	for lane := range 4 {
		if known, _ := open().Known(mail.MailboxName(fmt.Sprint("box ", lane))); known.Seen != 20 {
			t.Errorf("lane %d: got %d seen", lane, known.Seen)
		}
	}
}

// TestManifest is the suite of pull.Manifest; open is as for TestCheckpoint.
func TestManifest(t *testing.T, start func(t *testing.T) (open func() pull.Manifest)) {
	t.Run("what was appended is found", func(t *testing.T) { testManifest(t, start(t)) })
}

func testManifest(t *testing.T, open func() pull.Manifest) {
	var want []mail.Delivery
	for i := range 5 {
		body := fmt.Sprint("body ", i)
		d := mail.Delivery{
			Item: mail.Item{
				Ref:   mail.Ref{Mailbox: "Work/\"2024\"\n", Validity: 7, UID: mail.UID(i + 1)},
				Flags: []string{`\Seen`, "$Forwarded"},
				Date:  time.Unix(1_600_000_000+int64(i), 0).UTC(),
			},
			Key:  suiteKey(mail.UID(i + 1)),
			Size: int64(len(body)), SHA256: sha256.Sum256([]byte(body)), Form: mail.FormLF,
			MessageID: "<1 \"odd\"@example.com>",
		}
		if i == 3 {
			d.Item = mail.Item{Ref: mail.Ref{Mailbox: mail.Inbox, UIDL: "\xff odd \"uidl\""}}
			d.Form, d.MessageID = mail.FormWire, ""
		}
		want = append(want, d)
	}
	m := open()
	if err := m.Append(want[:2]); err != nil {
		t.Fatal(err)
	}
	if err := m.Append(want[2:]); err != nil {
		t.Fatal(err)
	}
	for _, m := range []pull.Manifest{m, open()} {
		var got []mail.Delivery
		if err := m.Scan(func(d mail.Delivery) error {
			d.Item.Date = d.Item.Date.UTC()
			got = append(got, d)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("got %d lines, want %d", len(got), len(want))
		}
		for i := range want {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("line %d:\n got %+v\nwant %+v", i, got[i], want[i])
			}
		}
	}
}
