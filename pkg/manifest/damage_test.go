package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/record"
)

// wholeAppends returns the deliveries of the appends that ended in data.
func wholeAppends(data []byte) (all []mail.Delivery) {
	n := -1 // the first line ends like an append
	for l := range bytes.Lines(data) {
		if t, ok := cutTrailer(bytes.TrimSuffix(l, []byte("\n"))); ok && t.end && bytes.HasSuffix(l, []byte("\n")) {
			n++
		}
	}
	return slices.Concat(longAppends()[:n]...)
}

// goesOn checks that what is appended after a recovery is found again.
func goesOn(t *testing.T, f *File, d *mailtest.MemDisk) {
	t.Helper()
	want := append(scanAll(t, f), uid(77))
	check(t, f.Append([]mail.Delivery{uid(77)}))
	if got := scanAll(t, mustOpen(t, d)); !reflect.DeepEqual(got, want) {
		t.Fatalf("reopened:\n%+v\nwant:\n%+v", got, want)
	}
}

// TestTornAndFlipped leaves a file in every state that a cut can leave it in,
// and flips each of its bits.
func TestTornAndFlipped(t *testing.T) {
	t.Parallel()
	data := longFile(t)
	n := cutAtEveryByte(t, data) + flipEveryBit(t, data)
	mailtest.Figure(t, "T11", "torn and flipped states of a manifest", n, 36_864)
}

// longFile returns the bytes of a manifest of more than 4 KB.
func longFile(t testing.TB) []byte {
	t.Helper()
	d := newDisk()
	f := mustOpen(t, d)
	for _, group := range longAppends() {
		check(t, f.Append(group))
	}
	if n := len(d.Bytes(fileName)); n < 4096 {
		t.Fatalf("only %d bytes", n)
	}
	return d.Bytes(fileName)
}

// longAppends are more than a life, the last of them over more than one
// sector.
func longAppends() [][]mail.Delivery {
	return slices.Concat(appends, [][]mail.Delivery{{uid(8)}, {uidl("b")}, {uid(9), uid(10), uid(11), uid(12)}})
}

func cutAtEveryByte(t *testing.T, data []byte) (n int) {
	t.Helper()
	header := bytes.IndexByte(data, '\n') + 1
	for cut := 0; cut < len(data); cut += mailtest.Every(5) {
		n++
		d := diskWith(data[:cut])
		f, err := Open(options(d))
		switch {
		case cut > 0 && cut < header: // it was flushed before the file got its name
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("cut at %d: %v, want it refused", cut, err)
			}
			continue
		case err != nil:
			t.Fatalf("cut at %d: %v", cut, err)
		case cut == 0:
			goesOn(t, f, d)
			continue
		}
		if got, want := scanAll(t, f), wholeAppends(data[:cut]); !reflect.DeepEqual(got, want) {
			t.Fatalf("cut at %d: got\n%+v\nwant\n%+v", cut, got, want)
		}
		goesOn(t, f, d)
	}
	return n
}

// flipEveryBit flips each bit. Reading the whole file finds every one of them,
// in the last line too. Opening refuses it, and names the line, unless a flip
// in the last append left what a power cut leaves: then it drops that.
func flipEveryBit(t *testing.T, data []byte) (n int) {
	t.Helper()
	all := longAppends()
	last := len(data)
	for range len(all[len(all)-1]) + 1 {
		last = bytes.LastIndexByte(data[:last], '\n')
	}
	want := slices.Concat(all[:len(all)-1]...)
	dropped := 0
	for i := 0; i < len(data); i += mailtest.Every(5) {
		line := 1 + bytes.Count(data[:i], []byte("\n"))
		for bit := range 8 {
			n++
			flipped := slices.Clone(data)
			flipped[i] ^= 1 << bit
			var broken *record.Damage
			if err := walkAll(flipped); !errors.As(err, &broken) || broken.Line < line || broken.Line > line+1 {
				t.Fatalf("byte %d bit %d in line %d: %v", i, bit, line, err)
			}
			f, err := Open(options(diskWith(flipped)))
			if errors.As(err, &broken) && broken.Line >= line && broken.Line <= line+1 {
				continue
			}
			if err != nil || i <= last || !reflect.DeepEqual(scanAll(t, f), want) {
				t.Fatalf("byte %d bit %d in line %d: opened with %v", i, bit, line, err)
			}
			dropped++
		}
	}
	// A zero, a line end less, or a line that is bad with the one before it.
	if flips := 8 * (len(data) - last - 1); dropped > flips/20 {
		t.Errorf("%d of %d flips in the last append were taken for a power cut", dropped, flips)
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
	flushed := len(d.Bytes(fileName))
	var group []mail.Delivery
	for n := range mail.UID(40) {
		group = append(group, uid(100+n))
	}
	check(t, f.Append(group))
	whole, before := d.Bytes(fileName), []byte("Subject: old mail\r\n\r\n2024-02-03T04:05:06Z more\n")
	const sector = 512
	for start := (flushed + sector) / sector * sector; start+sector < len(whole); start += sector {
		for name, lost := range map[string][]byte{"zeros": make([]byte, sector), "old": bytes.Repeat(before, sector)[:sector]} {
			torn := slices.Concat(whole[:start], lost, whole[start+sector:])
			f, err := Open(options(diskWith(torn)))
			if err != nil || !reflect.DeepEqual(scanAll(t, f), slices.Concat(appends...)) {
				t.Errorf("%s at %d: %v", name, start, err)
			}
		}
	}
}

// TestLinesOfUsualLength does both with Message-IDs as long as they come: two
// lines that disagree are longer than a sector together, and a Message-ID may
// lose one from its middle.
func TestLinesOfUsualLength(t *testing.T) {
	t.Parallel()
	for _, long := range []int{60, 120, 250, 900} {
		d := newDisk()
		f := mustOpen(t, d)
		live(t, f)
		flushed := len(d.Bytes(fileName))
		var group []mail.Delivery
		for n := range mail.UID(12) {
			m := uid(100 + n)
			m.MessageID = fmt.Sprintf("<%0*d@example.com>", long, n)
			group = append(group, m)
		}
		check(t, f.Append(group))
		whole := d.Bytes(fileName)
		flips, dropped := 0, 0
		for i := flushed; i < len(whole); i += mailtest.Every(5) {
			flipped := slices.Clone(whole)
			flipped[i] ^= 1
			flips++
			if _, err := Open(options(diskWith(flipped))); err == nil {
				dropped++
			} else if !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
		// With lines longer than two sectors a bad one may be a lost sector.
		if long < 500 && dropped > flips/20 || dropped > flips/2 {
			t.Errorf("Message-IDs of %d: %d of %d flips were taken for a power cut", long, dropped, flips)
		}
		for start := (flushed + 511) / 512 * 512; start+512 < len(whole); start += 512 {
			torn := slices.Concat(whole[:start], make([]byte, 512), whole[start+512:])
			f, err := Open(options(diskWith(torn)))
			if err != nil || !reflect.DeepEqual(scanAll(t, f), slices.Concat(appends...)) {
				t.Errorf("Message-IDs of %d, zeros at %d: %v", long, start, err)
			}
		}
	}
}

// TestTwoWriters is what the account's lock is for. Where it is not kept, both
// write, and the file is refused.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	d := newDisk()
	one, two := mustOpen(t, d), mustOpen(t, d)
	check(t, one.Append([]mail.Delivery{uid(1)}))
	check(t, two.Append([]mail.Delivery{uid(2)}))
	_, err := Open(options(d))
	if want := `manifest "work": line 3: hash of the line before does not match`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func walkAll(data []byte) error {
	return walk(bytes.NewReader(data), int64(len(data)), func(int, []byte) error { return nil })
}

func TestKillAtEveryOperation(t *testing.T) {
	t.Parallel()
	clean := &mailtest.Steps{}
	live(t, mustOpen(t, mailtest.Disk(newDisk(), clean)))
	rnd := rand.New(rand.NewPCG(1, 2))
	for op := 1; op <= clean.Count(); op++ {
		d := newDisk()
		acked := run(mailtest.Disk(d, mailtest.StopAt(op, mailtest.ErrKilled)))
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
			got := scanAll(t, f)
			if n := groupsIn(got); n < acked {
				t.Fatalf("%s: %d appends, %d were durable", where, n, acked)
			}
			goesOn(t, f, next)
			for range 8 {
				if again := scanAll(t, mustOpen(t, next.PowerCut(rnd))); len(again) != len(got)+1 {
					t.Fatalf("%s, power cut after the next append: %d lines, want %d", where, len(again), len(got)+1)
				}
			}
		}
	}
}

// TestDamageInLastAppend is refused, and the more so before an interruption:
// another append was begun behind it, so it had been flushed.
func TestDamageInLastAppend(t *testing.T) {
	t.Parallel()
	data := livedFile(t)
	data[len(data)-400] ^= 1
	for _, behind := range []string{"", "2024"} {
		damaged := diskWith(append(slices.Clone(data), behind...))
		if _, err := Open(options(damaged)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q behind it: %v", behind, err)
		}
	}
}

// run opens the directory and appends until a call fails. It returns how many
// appends returned nil.
func run(dir durable.Dir) (acked int) {
	f, err := Open(options(dir))
	if err != nil {
		return 0
	}
	for i, group := range appends {
		if f.Append(group) != nil {
			return i
		}
	}
	return len(appends)
}

// groupsIn returns how many appends the deliveries are, -1 for none at all.
func groupsIn(got []mail.Delivery) int {
	for n := range len(appends) + 1 {
		if want := slices.Concat(appends[:n]...); len(got) == len(want) && (len(got) == 0 || reflect.DeepEqual(got, want)) {
			return n
		}
	}
	return -1
}

// TestDeadAfterError fails the write and the flush once; the disk is fine
// afterwards.
func TestDeadAfterError(t *testing.T) {
	t.Parallel()
	clean := &mailtest.Steps{}
	mustOpen(t, mailtest.Disk(newDisk(), clean))
	for op := clean.Count() + 1; op <= clean.Count()+2; op++ {
		d, steps := newDisk(), mailtest.FailAt(op, syscall.EIO)
		f := mustOpen(t, mailtest.Disk(d, steps))
		flushed := d.Bytes(fileName)
		err := f.Append(appends[0])
		if !errors.Is(err, syscall.EIO) || mail.ErrorClass(err) != mail.ClassDisk {
			t.Fatalf("Append: %v", err)
		}
		before := steps.Count()
		for _, again := range []error{f.Append(appends[0]), f.Scan(nil)} {
			if again != err {
				t.Errorf("after an error: %v", again)
			}
		}
		if steps.Count() > before {
			t.Errorf("a dead file did %s", steps.Name(before+1))
		}
		if !bytes.Equal(d.Bytes(fileName), flushed) {
			t.Errorf("the file holds\n%s\nwant\n%s", d.Bytes(fileName), flushed)
		}
		// The kernel shows what it could not write until the power is cut.
		if got := scanAll(t, mustOpen(t, d)); got != nil {
			t.Errorf("what was not flushed is read again: %v", got)
		}
	}
}

// TestDamageInTheMiddle is found by reading.
func TestDamageInTheMiddle(t *testing.T) {
	t.Parallel()
	d := newDisk()
	f := mustOpen(t, d)
	live(t, f)
	data := d.Bytes(fileName)
	for name, c := range map[string]struct {
		spoil func([]byte) []byte
		want  string
	}{
		"line changed": {func(b []byte) []byte {
			return bytes.Replace(b, []byte("<2@example"), []byte("<3@example"), 1)
		}, `manifest "work": line 4: hash of the line before does not match`},
		"line removed": {func(b []byte) []byte {
			lines := bytes.SplitAfter(b, []byte("\n"))
			return bytes.Join(slices.Delete(lines, 5, 6), nil)
		}, `manifest "work": line 6: hash of the line before does not match`},
	} {
		spoilt := c.spoil(slices.Clone(data))
		d.Put(fileName, spoilt)
		f.size = int64(len(spoilt))
		_, err := f.Bytes()
		if err == nil || err.Error() != c.want || !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %v; want %s", name, err, c.want)
		}
	}
}

// FuzzOpen reads arbitrary files: refused and left as they are, or opened,
// and then everything in them can be proved or is damage that reading finds.
func FuzzOpen(f *testing.F) {
	lived := livedFile(f)
	f.Add(lived)
	f.Add(lived[:len(lived)-40])
	f.Add(headerLine("work"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		d := diskWith(data)
		file, err := Open(options(d))
		if err != nil {
			if !bytes.Equal(d.Bytes(fileName), data) {
				t.Fatal("a refused file was changed")
			}
			return
		}
		if len(data) > 0 && !bytes.HasPrefix(data, d.Bytes(fileName)) {
			t.Fatal("more than the end was changed")
		}
		_ = file.Scan(func(mail.Delivery) error { return nil })
		check(t, file.Append([]mail.Delivery{uid(1)}))
		mustOpen(t, d)
	})
}

// FuzzLine reads arbitrary lines. What is read must be written as a line that
// reads as the same.
func FuzzLine(f *testing.F) {
	lived := livedFile(f)
	check(f, walk(bytes.NewReader(lived), int64(len(lived)), func(_ int, body []byte) error {
		f.Add(string(body))
		return nil
	}))
	f.Fuzz(func(t *testing.T, line string) {
		recorded, d, err := parse(line)
		if err != nil {
			return
		}
		if len(d.MessageID) > maxID || len(line) > maxFlags {
			return // these are cut
		}
		written := text(nil, recorded, d)
		if recorded.Nanosecond() != 0 {
			return // times are written to the second
		}
		recordedAgain, again, err := parse(string(written))
		if err != nil {
			t.Fatalf("%q was read and written as %q: %v", line, written, err)
		}
		if !recordedAgain.Equal(recorded) || !reflect.DeepEqual(again, d) {
			t.Fatalf("%q was read as\n%+v, written as %q and read as\n%+v", line, d, written, again)
		}
	})
}

// FuzzDelivery writes arbitrary bytes in every place that a server fills.
func FuzzDelivery(f *testing.F) {
	for _, s := range []string{"INBOX", " ", "#", "\x00", "\"", "\\", "\ufffd", "\xff", "\r\n", ") (", "-", "prev="} {
		f.Add(s, s, s, s, int64(0))
	}
	f.Fuzz(func(t *testing.T, box, uidl, flag, id string, date int64) {
		if uidl == "" || max(len(box), len(uidl)) > maxName || len(flag) > maxFlags/4 || len(id) > maxID {
			return
		}
		d := delivery(mail.Ref{Mailbox: mail.MailboxName(box), UIDL: mail.UIDL(uidl)})
		d.Item.Flags = []string{flag, flag}
		d.MessageID = id
		d.Item.Date = dateOf(date)
		file := mustOpen(t, newDisk())
		check(t, file.Append([]mail.Delivery{d, d}))
		for _, got := range scanAll(t, file) {
			if !reflect.DeepEqual(got, d) {
				t.Fatalf("got\n%+v\nwant\n%+v", got, d)
			}
		}
	})
}

// dateOf returns a date that a server can give, or none.
func dateOf(seconds int64) time.Time {
	const year9999 = 253_000_000_000
	if seconds < 0 || seconds > year9999 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
