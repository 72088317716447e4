package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

func TestTook(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ got, want string }{
		{took(12 * time.Millisecond), "12 ms"}, {took(1800 * time.Millisecond), "1.8 s"}, {took(61 * time.Second), "1m1s"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// A name that came from a server cannot do anything to a terminal.
func TestPrintable(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Work/2024":     "Work/2024",
		"日本語":           "日本語",
		"a\x1b[2Jb":     `"a\x1b[2Jb"`,
		"a\nb":          `"a\nb"`,
		"\uFFFD\xffraw": `"�\xffraw"`,
		"a\u202eb":      `"a\u202eb"`,
	} {
		if got := printable(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

// A column of zeros that nobody needs to see is left out, any other is not.
func TestTableHidesZeros(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{"0": "A  C\nx  y\n", "2": "A  B  C\nx  2  y\n"} {
		var out strings.Builder
		table := newTable(&out, "A", "B", "C")
		table.hideZeros = []string{"B"}
		table.row("x", number, "y")
		table.flush()
		if out.String() != want {
			t.Errorf("%s: got %q, want %q", number, out.String(), want)
		}
	}
}

func TestTableLinesUp(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	table := newTable(&out, "NAME", "N", "WHY")
	table.row("日本語", "1,000", "x")
	table.row("a", "7", "")
	table.flush()
	want := "NAME        N  WHY\n日本語  1,000  x\na           7\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	failed := func(class mail.Class, retry mail.Retry) error {
		return &mail.Error{Op: "x", Class: class, Retry: retry, Err: errors.New("y")}
	}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, exitOK},
		{pull.ErrPanic, exitSoftware},
		{pull.ErrInterrupted, exitTemporary},
		{failed(mail.ClassDisk, mail.RetryNever), exitIO},
		{failed(mail.ClassAuth, mail.RetryNever), exitNoPerm},
		{failed(mail.ClassTLS, mail.RetryNever), exitUnavailable},
		{failed(mail.ClassConnect, mail.RetryNow), exitTemporary},
		{errors.New("unknown"), exitTemporary},
	} {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("%v: got %d, want %d", c.err, got, c.want)
		}
	}
	for _, c := range []struct {
		codes []int
		want  int
	}{
		{nil, exitOK},
		{[]int{0, 0}, exitOK},
		{[]int{0, 75, 75}, exitTemporary},
		{[]int{77, 0}, exitNoPerm},
		{[]int{77, 75}, exitUnavailable},
		{[]int{75, 74, 77}, exitIO},
		{[]int{74, 70}, exitSoftware},
	} {
		if got := worst(c.codes); got != c.want {
			t.Errorf("%v: got %d, want %d", c.codes, got, c.want)
		}
	}
}

// Off a terminal a line comes every 30 seconds; a run that ends sooner says
// nothing.
func TestProgressInALog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out, false)
		a := p.observe("work")
		a.Planned("INBOX", 48_000, 43_200_000_000)
		a.Received(1_100_000_000)
		a.Delivered("INBOX", 1_200)
		time.Sleep(29 * time.Second) // the bubble's clock
		synctest.Wait()
		p.mu.Lock()
		if out.Len() > 0 {
			t.Errorf("too soon: %q", out.String())
		}
		p.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		p.Close()
		want := "mailpull: work \"INBOX\"  1,200/48,000 messages  1.10 GB  36.7 MB/s  about 42.1 GB and 19 min left\n"
		if out.String() != want {
			t.Errorf("got  %q\nwant %q", out.String(), want)
		}
	})
}

// On a terminal one line lives, and makes room for others.
func TestProgressLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out, true)
		a := p.observe("work")
		a.Planned("INBOX", 10, 0)
		a.Delivered("INBOX", 4)
		a.Planned("INBOX", 6, 0) // the connection was lost, six are left
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		if _, err := p.Write([]byte("a log line\n")); err != nil {
			t.Fatal(err)
		}
		p.Close()
		live, rest, _ := strings.Cut(out.String(), "\r\x1b[Ka log line\n")
		if live != "\r\x1b[Kwork \"INBOX\"  4/10 messages  0 B" || rest != "" {
			t.Errorf("got %q", out.String())
		}
	})
}
