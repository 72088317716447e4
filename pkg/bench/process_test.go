package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary be the command peak.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"peak": peak})
}

// process is a program to be measured.
type process struct {
	args  []string
	env   []string      // beside that of the benchmark
	limit time.Duration // it is ended then
}

// run runs the program to its end, below the command peak.
func (p process) run(b *testing.B) Run {
	b.Helper()
	cmd := exec.Command("peak", append([]string{p.limit.String()}, p.args...)...)
	cmd.Env = append(os.Environ(), p.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %v\n%s", p.args, err, tail(out))
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var took, cpu, everybody, kib int64
	var over bool
	if _, err := fmt.Sscanf(lines[len(lines)-1], "peak %d %d %d %d %t", &took, &cpu, &everybody, &kib, &over); err != nil {
		b.Fatalf("%v: %v\n%s", p.args, err, tail(out))
	}
	return Run{Took: time.Duration(took), CPU: time.Duration(cpu), Everybody: time.Duration(everybody), Peak: kib << 10, Over: over}
}

// tail keeps what a program said last.
func tail(out []byte) []byte {
	const most = 4000
	return out[max(0, len(out)-most):]
}

// peak is a command: it runs a program, ends it with its children at a limit of
// time, and prints how long it took, it computed and everybody computed meanwhile,
// in nanoseconds, the most memory it had, in KiB, and whether the limit was
// reached. It is a process of its own because a child's account of memory begins
// with that of the process that started it (execve(2) keeps it), and the
// benchmark's is large.
func peak() {
	if err := measure(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(most string, args []string) error {
	limit, err := time.ParseDuration(most)
	if err != nil {
		return err
	}
	var said bytes.Buffer
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	before, err := everybodysTime()
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	timer := time.AfterFunc(limit, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err = cmd.Wait()
	took := time.Since(begun)
	over := !timer.Stop()
	if err != nil && !over {
		return fmt.Errorf("%s%w", said.Bytes(), err)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("no account of resources on this system")
	}
	after, err := everybodysTime()
	if err != nil {
		return err
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	fmt.Printf("peak %d %d %d %d %t\n", took, cpu, after-before, usage.Maxrss, over) // KiB on Linux: getrusage(2)
	return nil
}

// everybodysTime is what all processes of this machine have used, and the kernel
// besides: the first line of /proc/stat without what was idle, waited for disks
// or was used by guests (proc_stat(5)), in hundredths of a second.
func everybodysTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	var user, nice, system, idle, waiting, irq, softirq, stolen time.Duration
	if _, err := fmt.Sscanf(string(text), "cpu %d %d %d %d %d %d %d %d",
		&user, &nice, &system, &idle, &waiting, &irq, &softirq, &stolen); err != nil {
		return 0, err
	}
	return (user + nice + system + irq + softirq + stolen) * 10 * time.Millisecond, nil
}
