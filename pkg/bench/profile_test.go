package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/daemon"
	"mailpull/pkg/mailtest"
)

// profiled is a task whose time is looked into.
type profiled struct {
	name     string
	task     task
	link     Link
	messages int
	again    bool // the pass behind a first one
}

// BenchmarkProfile says where the time of a pass goes: the processor's, by
// function; that of waiting, by place; and how often the kernel is called for
// each message. The profiles are left in MAILPULL_PROFILES for go tool pprof.
// make profile runs it, for docs/performance.md.
func BenchmarkProfile(b *testing.B) {
	r := newRig(b)
	dir := os.Getenv("MAILPULL_PROFILES")
	if dir == "" {
		b.Skip("SKIPPED: MAILPULL_PROFILES is not set: run make profile")
	}
	corpus := mailtest.Corpus(1, 10_000)
	mailboxes := spreadOut(corpus)
	r.fill("first", mailboxes)
	small := boxes()
	r.fill("boxes", small)
	for _, p := range []profiled{
		{"first IMAP pass, near", taskOn(r.server, "imap", "first", names(mailboxes)...), Link{}, len(corpus), false},
		{"first IMAP pass over 100 mailboxes, far", taskOn(r.server, "imap", "boxes", names(small)...), far(), 10_000, false},
		{"no news in 100 mailboxes, far", taskOn(r.server, "imap", "boxes", names(small)...), far(), 0, true},
		{"first POP3 pass, near", taskOn(r.server, "pop3", "first"), Link{}, len(mailboxes["INBOX"]), false},
	} {
		r.profile(dir, p)
	}
	b.ReportMetric(0, "ns/op") // the time of this benchmark itself says nothing
}

// profile makes a pass in this process, and another one of the real program that
// strace looks at.
func (r *rig) profile(dir string, p profiled) {
	r.b.Helper()
	addr := address(r.server, p.task.protocol)
	if p.link != (Link{}) {
		proxy := r.proxy(addr, p.link)
		defer proxy.Close() // it was only looked at
		addr = proxy.Addr
	}
	cmd := mailpull(r.b, r.binary, r.fresh(p.name), p.task.at(addr))
	if p.again {
		r.pass(cmd)
	}
	base := filepath.Join(dir, strings.NewReplacer(" ", "-", ",", "").Replace(p.name))
	cpu, before, block := base+".cpu.pprof", base+".before.pprof", base+".block.pprof"
	r.writeWaits(before) // what is in it since the process began cannot be taken out
	var took, used, all time.Duration
	r.profiledTo(cpu, block, func() {
		spent, spentByAll, began := processorTime(), r.everybodysTime(), time.Now()
		r.pass(cmd)
		took, used, all = time.Since(began), processorTime()-spent, r.everybodysTime()-spentByAll
	})
	fmt.Printf("\n## %s: %v; processor time %v, of everybody %v\n",
		p.name, took.Round(time.Millisecond), used.Round(time.Millisecond), all.Round(time.Millisecond))
	fmt.Printf("\nprocessor:\n%s\nwaiting:\n%s", r.top(cpu), r.top("-base", before, block))
	if !p.again {
		cmd = mailpull(r.b, r.binary, r.fresh(p.name), p.task.at(addr))
	}
	fmt.Printf("\n%s", r.calls(cmd, p.messages))
}

// pass makes one pass in this process.
func (r *rig) pass(cmd command) {
	r.b.Helper()
	c, err := config.Load(cmd.args[len(cmd.args)-1])
	if err != nil {
		r.b.Fatal(err)
	}
	for _, out := range daemon.Once(context.Background(), daemon.Options{Config: c}) {
		if out.Err != nil {
			r.b.Fatal(out.Err)
		}
	}
}

// profiledTo writes what the processor did and where goroutines waited meanwhile.
func (r *rig) profiledTo(cpu, block string, work func()) {
	r.b.Helper()
	f := r.create(cpu)
	defer f.Close() // a profile that is cut off is noticed by pprof
	runtime.SetBlockProfileRate(int(10 * time.Microsecond))
	defer runtime.SetBlockProfileRate(0)
	if err := pprof.StartCPUProfile(f); err != nil {
		r.b.Fatal(err)
	}
	work()
	pprof.StopCPUProfile()
	r.writeWaits(block)
}

func (r *rig) writeWaits(path string) {
	r.b.Helper()
	f := r.create(path)
	defer f.Close()
	if err := pprof.Lookup("block").WriteTo(f, 0); err != nil {
		r.b.Fatal(err)
	}
}

func (r *rig) create(path string) *os.File {
	r.b.Helper()
	f, err := os.Create(path)
	if err != nil {
		r.b.Fatal(err)
	}
	return f
}

// top returns the functions that have the most of a profile, with all that they
// call.
func (r *rig) top(profile ...string) string {
	r.b.Helper()
	out, err := exec.Command("go", append([]string{"tool", "pprof", "-top", "-cum", "-nodecount=45"}, profile...)...).CombinedOutput()
	if err != nil {
		r.b.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// calls counts the system calls of the real program.
func (r *rig) calls(cmd command, messages int) string {
	r.b.Helper()
	counts := filepath.Join(cmd.home, "strace")
	out, err := exec.Command("strace", append([]string{"-f", "-c", "-o", counts}, cmd.args...)...).CombinedOutput()
	if err != nil {
		r.b.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(counts)
	if err != nil {
		r.b.Fatal(err)
	}
	var b bytes.Buffer
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 5 || fields[len(fields)-1] == "total" {
			continue
		}
		n, err := strconv.Atoi(fields[3])
		switch {
		case err != nil || n < max(5, messages/100):
		case messages > 0:
			fmt.Fprintf(&b, "%-14s %7d calls, %.2f for each message\n", fields[len(fields)-1], n, float64(n)/float64(messages))
		default:
			fmt.Fprintf(&b, "%-14s %7d calls\n", fields[len(fields)-1], n)
		}
	}
	return b.String()
}

func (r *rig) everybodysTime() time.Duration {
	r.b.Helper()
	spent, err := everybodysTime()
	if err != nil {
		r.b.Fatal(err)
	}
	return spent
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
