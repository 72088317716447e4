package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// diskWith is a disk whose checkpoint holds data, all of it flushed.
func diskWith(data []byte) *mailtest.MemDisk {
	d := newDisk()
	d.Put(fileName, data)
	return d
}

// lineAt returns the number of the line that the byte is in.
func lineAt(data []byte, i int) int { return 1 + bytes.Count(data[:i], []byte("\n")) }

// TestTornAndFlipped leaves a file of 4 KB in every state that a cut can leave
// it in, and flips each of its bits: what was committed is found, or the line
// at fault is named; no state is read that never was.
func TestTornAndFlipped(t *testing.T) {
	t.Parallel()
	data, states := longFile(t)
	n := cutAtEveryByte(t, data, states) + flipEveryBit(t, data, states)
	mailtest.Figure(t, "T11", "torn and flipped states of a checkpoint", n, 36_864)
}

// longFile returns the bytes of a checkpoint of more than 4 KB, and what it
// said after each group.
func longFile(t *testing.T) (data []byte, states []string) {
	t.Helper()
	d := newDisk()
	f := mustOpen(t, d)
	states = live(t, f)
	for n := mail.UID(1); len(d.Bytes(fileName)) < 4096; n++ {
		refs := uidRefs("INBOX", 9, 100*n, 100*n+2, 100*n+3)
		check(t, f.Commit(append(refs, mail.Ref{Mailbox: "pop", UIDL: mail.UIDL(fmt.Sprintf("\x00 %d", n))})))
		states = append(states, dump(f.state))
	}
	return d.Bytes(fileName), states
}

func cutAtEveryByte(t *testing.T, data []byte, states []string) (n int) {
	t.Helper()
	for cut := 0; cut < len(data); cut += mailtest.Every(5) {
		n++
		d := diskWith(data[:cut])
		f, err := Open(options(d))
		groups := wholeGroups(data[:cut])
		switch {
		case cut > 0 && groups == 0: // the folded part was flushed before it got its name
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("cut at %d: %v, want it refused", cut, err)
			}
		case err != nil:
			t.Fatalf("cut at %d: %v", cut, err)
		case dump(f.state) != states[max(groups-1, 0)]:
			t.Fatalf("cut at %d: got\n%s\nwant group %d:\n%s", cut, dump(f.state), groups, states[max(groups-1, 0)])
		default:
			goesOn(t, f, d)
		}
	}
	return n
}

// wholeGroups counts the commit lines that have their end.
func wholeGroups(data []byte) (n int) {
	for l := range bytes.Lines(data) {
		if bytes.HasPrefix(l, []byte("commit ")) && bytes.HasSuffix(l, []byte("\n")) {
			n++
		}
	}
	return n
}

// goesOn checks that what is committed after a recovery is found again.
func goesOn(t *testing.T, f *File, d *mailtest.MemDisk) {
	t.Helper()
	check(t, f.Commit(uidRefs("after", 1, 77)))
	again := mustOpen(t, d)
	if dump(again.state) != dump(f.state) {
		t.Fatalf("reopened:\n%s\nwant:\n%s", dump(again.state), dump(f.state))
	}
}

// flipEveryBit flips each bit. Only where a flip leaves what a power cut
// leaves, a zero or no end, the last group is dropped; all others are refused.
func flipEveryBit(t *testing.T, data []byte, states []string) (n int) {
	t.Helper()
	lastGroup := bytes.LastIndex(data[:len(data)-1], []byte("\ncommit "))
	lastGroup = bytes.LastIndex(data[:lastGroup], []byte("\ncommit "))
	lastGroup += 1 + bytes.IndexByte(data[lastGroup+1:], '\n') // the LF that ends the last but one
	dropped := 0
	for i := 0; i < len(data); i += mailtest.Every(5) {
		for bit := range 8 {
			n++
			flipped := slices.Clone(data)
			flipped[i] ^= 1 << bit
			torn := i > lastGroup && (flipped[i] == 0 || i == len(data)-1)
			f, err := Open(options(diskWith(flipped)))
			switch want := fmt.Sprintf("line %d: ", lineAt(data, i)); {
			case torn && (err != nil || dump(f.state) != states[len(states)-2]):
				t.Fatalf("byte %d bit %d is torn: %v", i, bit, err)
			case torn:
				dropped++
			case !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want):
				t.Fatalf("byte %d bit %d: %v, want %q in it", i, bit, err, want)
			}
		}
	}
	if dropped == 0 && mailtest.Every(5) == 1 {
		t.Error("no flip looked like a power cut")
	}
	return n
}

// TestLostSectors puts zeros, and what may have stood on the disk before, in
// the place of sectors of a long append that was not flushed: it is dropped.
func TestLostSectors(t *testing.T) {
	t.Parallel()
	d := newDisk()
	f := mustOpen(t, d)
	live(t, f)
	want, flushed := dump(f.state), len(d.Bytes(fileName))
	var refs []mail.Ref
	for n := range 200 {
		refs = append(refs, mail.Ref{Mailbox: "pop", UIDL: mail.UIDL(fmt.Sprint(n))})
	}
	check(t, f.Commit(refs))
	whole, before := d.Bytes(fileName), []byte("Subject: old mail\r\n\r\nseen 1 5 00000000\n")
	const sector = 512
	for start := (flushed + sector) / sector * sector; start+sector < len(whole); start += sector {
		for name, lost := range map[string][]byte{"zeros": make([]byte, sector), "old": bytes.Repeat(before, sector)[:sector]} {
			torn := slices.Concat(whole[:start], lost, whole[start+sector:])
			f, err := Open(options(diskWith(torn)))
			if err != nil || dump(f.state) != want {
				t.Errorf("%s at %d: %v", name, start, err)
			}
		}
	}
}

// TestTwoWriters is what the account's lock is for. Where it is not kept, both
// write, and the file is refused: neither's groups are taken for the other's.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	d := newDisk()
	one := mustOpen(t, d)
	check(t, one.Commit(uidRefs("INBOX", 7, 1)))
	two := mustOpen(t, d)
	check(t, one.Commit(uidRefs("INBOX", 7, 2)))
	check(t, two.Commit(uidRefs("INBOX", 7, 3)))
	_, err := Open(options(d))
	if want := `checkpoint "work": line 9: commit 2 follows commit 2`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestDeleted begins anew, which the archive's names make harmless.
func TestDeleted(t *testing.T) {
	t.Parallel()
	d := newDisk()
	live(t, mustOpen(t, d))
	check(t, d.Remove(fileName))
	f := mustOpen(t, d)
	if got := dump(f.state); got != "" {
		t.Errorf("got\n%s", got)
	}
	goesOn(t, f, d)
}

// run opens the directory and lives in it until a call fails. It returns what the
// checkpoint said when a call last returned nil.
func run(dir durable.Dir) (acked string, started bool) {
	f, err := Open(options(dir))
	if err != nil {
		return "", false
	}
	acked = dump(f.state)
	for i, step := range life {
		err := step(f)
		if i != 5 && err != nil {
			return acked, true
		}
		if i != 5 {
			acked = dump(f.state)
		}
	}
	return acked, true
}

func TestKillAtEveryOperation(t *testing.T) {
	t.Parallel()
	clean := &mailtest.Steps{}
	live(t, mustOpen(t, mailtest.Disk(newDisk(), clean)))
	_, states := livedFile(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	for op := 1; op <= clean.Count(); op++ {
		d := newDisk()
		acked, started := run(mailtest.Disk(d, mailtest.StopAt(op, mailtest.ErrKilled)))
		after := []*mailtest.MemDisk{d.Clone()}
		for range 60 {
			after = append(after, d.PowerCut(rnd))
		}
		for i, next := range after {
			where := fmt.Sprintf("killed at %d (%s), disk %d", op, clean.Name(op), i)
			f, err := Open(options(next))
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			atLeast(t, where, states, dump(f.state), acked, started)
			goesOn(t, f, next)
			for range 8 {
				if got := dump(mustOpen(t, next.PowerCut(rnd)).state); got != dump(f.state) {
					t.Fatalf("%s, power cut after the next commit: got\n%s\nwant\n%s", where, got, dump(f.state))
				}
			}
		}
	}
}

// atLeast checks that got is one of the states, and none before acked.
func atLeast(t *testing.T, where string, states []string, got, acked string, started bool) {
	t.Helper()
	i := slices.Index(states, got)
	if i < 0 {
		t.Fatalf("%s: no state that ever was:\n%s", where, got)
	}
	if started && i < slices.Index(states, acked) {
		t.Fatalf("%s: lost what was durable; got\n%s\nwant\n%s", where, got, acked)
	}
}

// TestFoldKilled folds a file large enough and dies at each operation.
func TestFoldKilled(t *testing.T) {
	t.Parallel()
	data, states := livedFile(t)
	want := states[len(states)-1]
	edited := slices.Clone(data)
	copy(edited[len(edited)-1-sumLen:], byHand) // Open folds a file edited by hand
	rnd := rand.New(rand.NewPCG(3, 4))
	folded, clean := diskWith(edited), &mailtest.Steps{}
	mustOpen(t, mailtest.Disk(folded, clean))
	if bytes.Contains(folded.Bytes(fileName), []byte(byHand)) {
		t.Fatal("the file was not folded")
	}
	for op := 1; op <= clean.Count(); op++ {
		for _, steps := range []*mailtest.Steps{mailtest.StopAt(op, mailtest.ErrKilled), mailtest.FailAt(op, syscall.EIO)} {
			d := diskWith(edited)
			_, err := Open(options(mailtest.Disk(d, steps)))
			if err == nil && !closesUnwritten(clean, op) {
				t.Errorf("operation %d (%s) failed and Open did not", op, clean.Name(op))
			}
			for _, next := range []*mailtest.MemDisk{d.Clone(), d.PowerCut(rnd), d.PowerCut(rnd), d.PowerCut(rnd)} {
				f := mustOpen(t, next)
				if got := dump(f.state); got != want {
					t.Fatalf("operation %d (%s): got\n%s\nwant\n%s", op, clean.Name(op), got, want)
				}
				if next.Bytes(tempName) != nil {
					t.Fatalf("operation %d: the temporary file is still there", op)
				}
				goesOn(t, f, next)
			}
		}
	}
}

// closesUnwritten reports whether the operation closes a file to which nothing
// was written, which loses nothing when it fails.
func closesUnwritten(s *mailtest.Steps, op int) bool {
	return s.Name(op) == "close" && s.Name(op-1) != "fdatasync"
}

// TestDeadAfterError fails each operation once; the disk is fine afterwards.
func TestDeadAfterError(t *testing.T) {
	t.Parallel()
	clean := &mailtest.Steps{}
	mustOpen(t, mailtest.Disk(newDisk(), clean))
	opened := clean.Count()
	for op := opened + 1; op <= opened+2; op++ { // the write and the flush
		d, steps := newDisk(), mailtest.FailAt(op, syscall.EIO)
		f := mustOpen(t, mailtest.Disk(d, steps))
		flushed := d.Bytes(fileName)
		err := f.Commit(uidRefs("INBOX", 7, 1))
		if !errors.Is(err, syscall.EIO) || mail.ErrorClass(err) != mail.ClassDisk {
			t.Fatalf("Commit: %v, want %v", err, syscall.EIO)
		}
		before := steps.Count()
		for what, again := range map[string]error{
			"Commit":     f.Commit(uidRefs("INBOX", 7, 1)),
			"Complete":   f.Complete("INBOX", mail.Status{Validity: 7}, 1, mail.Excluded{}),
			"Reset":      f.Reset("INBOX", 8),
			"Quarantine": f.Quarantine(nil),
			"Release":    f.Release(nil),
			"EndPass":    f.EndPass(mail.Pass{}),
		} {
			if !errors.Is(again, syscall.EIO) {
				t.Errorf("%s after an error: %v", what, again)
			}
		}
		if steps.Count() > before {
			t.Errorf("a dead file did %s", steps.Name(before+1))
		}
		if known, _ := f.Known("INBOX"); known.Seen != 0 {
			t.Errorf("a dead file claims %d messages", known.Seen)
		}
		if !bytes.Equal(d.Bytes(fileName), flushed) {
			t.Errorf("the file holds\n%s\nwant\n%s", d.Bytes(fileName), flushed)
		}
		// The kernel shows what it could not write until the power is cut.
		if known, _ := mustOpen(t, d).Known("INBOX"); known.Seen != 0 {
			t.Error("what was not flushed is read again")
		}
	}
}

func TestFoldWhenDue(t *testing.T) {
	t.Parallel()
	d := newDisk()
	f := mustOpen(t, d)
	largest, folds := int64(0), 0
	for n := range mail.UID(20_000) {
		check(t, f.Commit(uidRefs("INBOX", 7, 2*n+1)))
		if n%100 == 99 {
			before := f.size
			check(t, f.EndPass(mail.Pass{}))
			if f.size < before {
				folds++
			}
			largest = max(largest, f.size-f.folded-foldRatio*f.folded)
		}
	}
	if folds == 0 || folds > 20 || largest > foldMin {
		t.Errorf("%d folds, %d bytes above the ratio", folds, largest)
	}
	if got, want := dump(mustOpen(t, d).state), dump(f.state); got != want {
		t.Error("the state changed")
	}
}

// TestFullDisk cannot fold, and goes on with the old file.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	trial := &mailtest.Steps{} // tells which operation it is
	f := mustOpen(t, mailtest.Disk(newDisk(), trial))
	grow(t, f)
	grown := trial.Count()
	check(t, f.EndPass(pass(1, true, "")))
	fold := opAfter(trial, grown, "create")
	for _, failing := range []string{"create", "write", "fdatasync"} {
		op := opAfter(trial, fold-1, failing)
		d, steps := newDisk(), mailtest.FailAt(op, syscall.ENOSPC)
		f := mustOpen(t, mailtest.Disk(d, steps))
		grow(t, f)
		check(t, f.EndPass(pass(1, true, "")))
		if steps.Name(op) != failing {
			t.Fatalf("not %s failed: %s", failing, steps.Name(op))
		}
		if d.Bytes(tempName) != nil {
			t.Errorf("%s: the temporary file was left", failing)
		}
		check(t, f.Commit(uidRefs("INBOX", 7, 4_000_001)))
		goesOn(t, f, d)
	}
}

// grow appends until the file is worth folding.
func grow(t *testing.T, f *File) {
	t.Helper()
	uids := make([]mail.UID, 512)
	for n := mail.UID(0); f.size <= 2*foldMin; n++ {
		for i := range uids {
			uids[i] = 3 + 2*(n*512+mail.UID(i))
		}
		check(t, f.Commit(uidRefs("INBOX", 7, uids...)))
	}
}

// opAfter returns which is the first operation of that name after the given
// one.
func opAfter(s *mailtest.Steps, op int, name string) int {
	for op++; op <= s.Count() && s.Name(op) != name; op++ {
	}
	return op
}

// file makes a checkpoint of records without checksums.
func file(records ...string) []byte {
	var b []byte
	for _, r := range records {
		start := len(b)
		b = seal(append(b, r...), start)
	}
	return b
}

const (
	head     = `mailpull checkpoint 1 account "work" source "imap"`
	lineHeld = `quarantine 1 5 tries 2 first 2024-02-03T04:05:06Z last 2024-02-03T05:05:06Z next 2024-02-03T09:05:06Z waiting class "protocol" reason "odd"`
	linePass = `pass 2024-02-03T04:05:06Z 2024-02-03T04:05:07Z incomplete new 1 bytes 2 missing 1 class "dns" error "e" hint "h"`
)

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data []byte
		want string
		is   error
	}{
		"newer version": {file(`mailpull checkpoint 2 something else`, "commit 0"),
			`checkpoint "work": the file has format version 2, this program knows version 1`, ErrVersion},
		"older version": {file(`mailpull checkpoint 0 something else`, "commit 0"),
			`checkpoint "work": the file has format version 0, this program knows version 1`, ErrVersion},
		"damaged in the last group": {slices.Concat(file(head, "commit 0"), []byte("seen 1 5 00000000\n"), file("commit 1")),
			`checkpoint "work": line 3: checksum does not match`, ErrDamaged},
		"damaged in the last commit": {slices.Concat(file(head, "commit 0"), []byte("commit 1 00000000\n")),
			`checkpoint "work": line 3: checksum does not match`, ErrDamaged},
		"other account": {file(`mailpull checkpoint 1 account "home" source "imap"`, "commit 0"),
			`checkpoint "work": the file is of account "home", not "work"`, ErrMismatch},
		"other source": {file(`mailpull checkpoint 1 account "work" source "pop3"`, `mailbox 1 "INBOX" validity 0`, `uidl 1 1 "a"`, "commit 0"),
			`checkpoint "work": the file is of source "pop3", not "imap"`, ErrMismatch},
		"other file": {[]byte("From alice@example.com\n"),
			`checkpoint "work": line 1: checksum does not match`, ErrDamaged},
		"zeros": {make([]byte, 10_000),
			`checkpoint "work": line 1: the line has no end`, ErrDamaged},
		"no commit": {file(head),
			`checkpoint "work": line 1: the file ends before its first commit line`, ErrDamaged},
		"unknown record": {file(head, `mailbox 1 "a" validity 7`, "Q 1", "commit 0"),
			`checkpoint "work": line 3: unknown record "Q"`, ErrDamaged},
		"empty line": {slices.Concat(file(head, "commit 0"), []byte("\n"), file("commit 1", "commit 2")),
			`checkpoint "work": line 3: checksum does not match`, ErrDamaged},
		"missing group": {file(head, "commit 0", "commit 2"),
			`checkpoint "work": line 3: commit 2 follows commit 0`, ErrDamaged},
		"unknown mailbox": {file(head, "seen 4 1:5", "commit 0"),
			`checkpoint "work": line 2: there is no mailbox 4 above this line`, ErrDamaged},
		"number twice": {file(head, `mailbox 1 "a" validity 7`, `mailbox 1 "b" validity 7`, "commit 0"),
			`checkpoint "work": line 3: there is a mailbox 1 already`, ErrDamaged},
		"name twice": {file(head, `mailbox 1 "a" validity 7`, `mailbox 2 "a" validity 7`, "commit 0"),
			`checkpoint "work": line 3: mailbox "a" has a number already`, ErrDamaged},
		"too much": {file(head, `mailbox 1 "a" validity 7 extra`, "commit 0"),
			`checkpoint "work": line 2: "extra" is too much`, ErrDamaged},
		"too little": {file(head, `mailbox 1 "a" validity`, "commit 0"),
			`checkpoint "work": line 2: the line ends too early`, ErrDamaged},
		"no quotes": {file(head, `mailbox 1 a validity 7`, "commit 0"),
			`checkpoint "work": line 2: "a validity 7" does not begin with a quoted string`, ErrDamaged},
		"uid zero": {file(head, `mailbox 1 "a" validity 7`, "seen 1 0:5", "commit 0"),
			`checkpoint "work": line 3: "0:5" is no set of uids`, ErrDamaged},
		"neither uid nor uidl": {file(head, `mailbox 1 "a" validity 7`, "release 1 0", "commit 0"),
			`checkpoint "work": line 3: a message needs a uid or a uidl`, ErrDamaged},
		"neither waiting nor ignored": {file(head, `mailbox 1 "a" validity 7`, strings.Replace(lineHeld, "waiting", "wait", 1), "commit 0"),
			`checkpoint "work": line 3: "wait" is neither waiting nor ignored`, ErrDamaged},
		"quarantine of an unknown mailbox": {file(head, lineHeld, "commit 0"),
			`checkpoint "work": line 2: there is no mailbox 1 above this line`, ErrDamaged},
		"no such number of a pass": {file(head, strings.Replace(linePass, "missing 1", "missing 1 quarantine 1", 1), "commit 0"),
			`checkpoint "work": line 2: "quarantine" stands in place of "class"`, ErrDamaged},
		"long line": {slices.Concat(file(head, strings.Repeat("x", maxLine)), file("commit 0")),
			`checkpoint "work": line 2: the line has no end`, ErrDamaged},
		"damaged behind an earlier commit": {slices.Concat(file(head, "commit 0", "commit 1"), []byte("commit 2 00000000\nxx\n"), file("commit 3")),
			`checkpoint "work": line 4: checksum does not match`, ErrDamaged},
		"damaged before an interrupted append": {slices.Concat(file(head, "commit 0"), []byte("seen\n"), file("commit 1"), []byte("se")),
			`checkpoint "work": line 3: checksum does not match`, ErrDamaged},
	} {
		d := diskWith(c.data)
		_, err := Open(options(d))
		if err == nil || err.Error() != c.want || !errors.Is(err, c.is) {
			t.Errorf("%s: got  %v\nwant %s", name, err, c.want)
			continue
		}
		if mail.ErrorRetry(err) != mail.RetryNever || mail.ErrorClass(err) != mail.ClassDisk || !strings.Contains(mail.ErrorHint(err), "/state/work/checkpoint") {
			t.Errorf("%s: retry %d, class %s, hint %q", name, mail.ErrorRetry(err), mail.ErrorClass(err), mail.ErrorHint(err))
		}
		if !bytes.Equal(d.Bytes(fileName), c.data) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	box := `mailbox 1 "a" validity 7`
	whole := file(head, box, "seen 1 1", "commit 5", "seen 1 2", "commit 6")
	hand := []byte("seen 1 9:8,3 --------\n")
	want := "mailbox 1 \"a\" validity 7\nseen 1 1:2\n"
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"as written":       {whole, want},
		"edited with CRLF": {bytes.ReplaceAll(whole, []byte("\n"), []byte("\r\n")), want},
		"zeros at the end": {append(slices.Clone(whole), make([]byte, 3*maxLine)...), want},
		"lines at the end": {append(slices.Clone(whole), "\n\n \n"...), want},
		"zeros in a group": {slices.Concat(whole, make([]byte, 100), file("seen 1 7", "commit 7")), want},
		"empty":            {nil, ""},
		"nothing delivered over another source": {file(`mailpull checkpoint 1 account "work" source "pop3"`,
			`mailbox 1 "INBOX" validity 0`, "commit 5", "commit 6"), ""},
		"edited by hand":              {slices.Concat(file(head, box), hand, file("commit 1")), "mailbox 1 \"a\" validity 7\nseen 1 3,8:9\n"},
		"uidl twice":                  {file(head, box, `uidl 1 5 "x"`, `uidl 1 9 "x"`, "commit 1"), "mailbox 1 \"a\" validity 7\nuidl 1 5 \"x\"\n"},
		"in quarantine twice":         {file(head, box, strings.Replace(lineHeld, "tries 2", "tries 1", 1), lineHeld, "commit 1"), "mailbox 1 \"a\" validity 7\n" + lineHeld + "\n"},
		"out of quarantine":           {file(head, box, lineHeld, "seen 1 1:9", lineHeld, "release 1 5", "commit 1"), "mailbox 1 \"a\" validity 7\nseen 1 1:9\n"},
		"before there was quarantine": {file(head, linePass, "commit 1"), linePass + "\n"},
		"edited and folded":           {slices.Concat([]byte(head+" --------\n"), file("commit 1")), ""},
	} {
		d := diskWith(c.data)
		var log bytes.Buffer
		o := options(d)
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		f, err := Open(o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := dump(f.state); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
		if wantLog := strings.Contains(name, " end") || strings.Contains(name, "zeros") || name == "empty"; wantLog != (log.Len() > 0) {
			t.Errorf("%s: log %q", name, log.String())
		}
		if bytes.Contains(d.Bytes(fileName), []byte(byHand)) {
			t.Errorf("%s: a line is still without its checksum", name)
		}
		goesOn(t, f, d)
	}
}

// TestExample reads the example of the package comment.
func TestExample(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	check(t, err)
	_, example, _ := strings.Cut(string(doc), "//\tmailpull checkpoint")
	example, _, _ = strings.Cut("//\tmailpull checkpoint"+example, "//\n")
	data := strings.ReplaceAll(example, "//\t", "")
	f, err := Open(options(diskWith([]byte(data))))
	check(t, err)
	if known, _ := f.Known("INBOX"); known.Seen != 509 || known.Validity != 7 {
		t.Errorf("got %+v of\n%s", known, data)
	}
	if q := f.Quarantined("INBOX"); len(q) != 1 || q[0].Ref.UID != 501 || q[0].Reason != "no body" {
		t.Errorf("in quarantine: got %+v", q)
	}
}
