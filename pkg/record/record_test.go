package record

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

func TestFields(t *testing.T) {
	t.Parallel()
	var hash [2]byte
	f := NewFields(`mailpull 1 4294967295 7 -5 2024-02-03T05:04:05+01:00 0aff - "a \xff" "b" ("\\Seen" "") () last`)
	f.Label("mailpull")
	f.Version(1)
	got := []any{f.Uint(32), f.Count(), f.Int(), f.Time()}
	f.Hex(hash[:])
	got = append(got, hash, f.Dash(), f.Dash(), f.Quotes(), f.Quoted(), f.Quoted(), f.Quotes(), f.List(), f.List(), f.Word())
	if err := f.End(); err != nil {
		t.Fatal(err)
	}
	want := []any{uint64(4294967295), 7, int64(-5), time.Date(2024, 2, 3, 4, 4, 5, 0, time.UTC),
		[2]byte{0x0a, 0xff}, true, false, true, "a \xff", "b", false, []string{`\Seen`, ""}, []string(nil), "last"}
	if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		t.Errorf("got\n%#v\nwant\n%#v", got, want)
	}
}

func TestFieldsRefuse(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100)
	for line, c := range map[string]struct {
		take func(f *Fields)
		want string
	}{
		"":             {func(f *Fields) { f.Word() }, "the line ends too early"},
		"a  b":         {func(f *Fields) { f.Word(); f.Word() }, "the line ends too early"},
		"b":            {func(f *Fields) { f.Label("a") }, `"b" stands in place of "a"`},
		"2":            {func(f *Fields) { f.Version(1) }, "the file has format version 2, this program knows version 1"},
		"v":            {func(f *Fields) { f.Version(1) }, `"v" is no number of this kind`},
		"4294967296":   {func(f *Fields) { f.Uint(32) }, `"4294967296" is no number of this kind`},
		"-1":           {func(f *Fields) { f.Count() }, `"-1" is no number of this kind`},
		"1.0":          {func(f *Fields) { f.Int() }, `"1.0" is no number`},
		"yesterday":    {func(f *Fields) { f.Time() }, `"yesterday" is no time`},
		"0AFF":         {func(f *Fields) { f.Hex(make([]byte, 2)) }, `"0AFF" is no hash`},
		"0aff0":        {func(f *Fields) { f.Hex(make([]byte, 2)) }, `"0aff0" is no hash`},
		"0a":           {func(f *Fields) { f.Hex(make([]byte, 2)) }, `"0a" is no hash`},
		"'a'":          {func(f *Fields) { f.Quoted() }, `"'a'" does not begin with a quoted string`},
		"`a`":          {func(f *Fields) { f.Quoted() }, "\"`a`\" does not begin with a quoted string"},
		`"a"b`:         {func(f *Fields) { f.Quoted() }, `"b" follows a quoted string`},
		`"a"`:          {func(f *Fields) { f.List() }, `"\"a\"" does not begin with a list`},
		`("a"`:         {func(f *Fields) { f.List() }, `"(\"a\"" is no list`},
		"(a)":          {func(f *Fields) { f.List() }, `"(a)" is no list`},
		"a b":          {func(f *Fields) { f.Word() }, `"b" is too much`},
		long:           {func(*Fields) {}, `"` + long[:80] + `..." is too much`},
		"first second": {func(f *Fields) { f.Int(); f.Fail("another"); f.Time() }, `"first" is no number`},
	} {
		f := NewFields(line)
		c.take(f)
		err := f.End()
		if err == nil || err.Error() != c.want {
			t.Errorf("%q: got %v, want %s", line, err, c.want)
		}
		if got := errors.Is(err, ErrVersion); got != strings.Contains(c.want, "version") {
			t.Errorf("%q: a version that is not known: %v", line, got)
		}
		if w, n, q, l := f.Word(), f.Uint(64), f.Quoted(), f.List(); w != "" || n != 0 || q != "" || l != nil {
			t.Errorf("%q: after an error: %q %d %q %q", line, w, n, q, l)
		}
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	at := Place{Kind: "manifest", Account: "work", Path: "/state/work/manifest", Remake: "Make it anew."}
	version := NewFields("2")
	version.Version(1)
	for _, c := range []struct {
		err        error
		is         error
		text, hint string
		retry      mail.Retry
	}{
		{&Damage{Line: 3, Reason: "it is red"}, ErrDamaged, `manifest "work": line 3: it is red`, "Make it anew.", mail.RetryNever},
		{fmt.Errorf("read: %w", &Damage{Reason: "it is red"}), ErrDamaged, `manifest "work": read: it is red`, "Make it anew.", mail.RetryNever},
		{version.End(), ErrVersion, `manifest "work": the file has format version 2, this program knows version 1`,
			"use the version of mailpull that wrote /state/work/manifest, or a newer one", mail.RetryNever},
		{CheckAccount("home", "work"), ErrMismatch, `manifest "work": the file is of account "home", not "work"`,
			"each account needs a name of its own; if this one is meant to begin anew, move /state/work/manifest away and run again", mail.RetryNever},
		{CheckSource("pop3", "imap"), ErrMismatch, `manifest "work": the file is of source "pop3", not "imap"`,
			"give the account a new name with its new protocol; or move /state/work/manifest away and run again: " +
				"the archive knows what it holds, so nothing is stored twice", mail.RetryNever},
		{&fs.PathError{Op: "write", Path: "/state/work/manifest", Err: syscall.EROFS}, syscall.EROFS,
			`manifest "work": write /state/work/manifest: read-only file system`,
			"the file system of /state/work/manifest is read-only; a failing disk often shows so, so look at the system log before remounting it", mail.RetryLater},
		{fs.ErrClosed, fs.ErrClosed, `manifest "work": file already closed`, "", mail.RetryLater},
	} {
		got := at.Failure(c.err)
		if got.Error() != c.text || got.Hint != c.hint || !errors.Is(got, c.is) {
			t.Errorf("got  %v (%s)\nwant %s (%s)", got, got.Hint, c.text, c.hint)
		}
		if got.Class != mail.ClassDisk || got.Scope != mail.ScopeAccount || got.Retry != c.retry {
			t.Errorf("%v: class %s, scope %d, retry %d", got, got.Class, got.Scope, got.Retry)
		}
	}
	if err := errors.Join(CheckAccount("work", "work"), CheckSource("imap", "imap")); err != nil {
		t.Errorf("the right file: %v", err)
	}
}

// TestAppend fails each of its operations. What was durable before stays, and
// what failed is not there for the next process, nor after a power cut.
func TestAppend(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for op, want := range map[int]string{0: "one\ntwo\n", 2: "one\n", 3: "one\n"} { // operation 1 opens the file
		d := mailtest.NewMemDisk("/state/work")
		d.Put("file", []byte("one\n"))
		steps := mailtest.FailAt(op, syscall.EIO)
		file, err := mailtest.Disk(d, steps).Append("file")
		if err != nil {
			t.Fatal(err)
		}
		err = Append(file, 4, []byte("two\n"))
		if failed := errors.Is(err, syscall.EIO); failed != (op > 0) {
			t.Errorf("%s failed: %v", steps.Name(op), err)
		}
		if got := string(d.Bytes("file")); got != want {
			t.Errorf("%s failed: got %q, want %q", steps.Name(op), got, want)
		}
		for range 50 {
			if got := string(d.PowerCut(rnd).Bytes("file")); got != want {
				t.Errorf("%s failed, then a power cut: got %q", steps.Name(op), got)
			}
		}
	}
}

func TestStretch(t *testing.T) {
	t.Parallel()
	type line struct {
		text  string
		whole bool
	}
	long := strings.Repeat("x", 2*sector-1)
	for name, c := range map[string]struct {
		start  int64
		lines  []line
		damage bool
	}{
		"nothing":                    {0, nil, false},
		"one line":                   {100, []line{{"xx\n", true}}, true},
		"without its end":            {100, []line{{"xx", false}}, false},
		"second without its end":     {100, []line{{"xx\n", true}, {"y", false}}, false},
		"with a zero":                {100, []line{{"x\x00x\n", true}}, false},
		"white space":                {100, []line{{"\n", true}, {" \r\n", true}}, false},
		"just less than a sector":    {1, []line{{long[:2*sector-3] + "\n", true}}, true},
		"a sector":                   {1, []line{{long[:2*sector-2] + "\n", true}}, false},
		"a sector of several lines":  {sector, []line{{long[:300] + "\n", true}, {long[:300] + "\n", true}}, false},
		"several lines, no sector":   {sector + 1, []line{{long[:300] + "\n", true}, {long[:300] + "\n", true}}, true},
		"the first sector, in parts": {700, []line{{long[:323] + "\n", true}}, true},
	} {
		var s Stretch
		at := c.start
		for _, l := range c.lines {
			s.Add([]byte(l.text), at, at+int64(len(l.text)), l.whole)
			at += int64(len(l.text))
		}
		if s.Damage() != c.damage {
			t.Errorf("%s: damage %t", name, s.Damage())
		}
	}
}
