package mailtest

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

// stopWait is how long a server may take to end.
const stopWait = 10 * time.Second

// keeper runs a server and ends it when its standard input is closed: by stop,
// or by the death of the test's process, so that no server outlives its test.
// The shell gives /dev/null to a background command as its input, therefore
// descriptor 3.
const keeper = `exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
{ read -r _ <&3; kill "$server" 2>/dev/null; } &
wait "$server"`

// serverProcess is one life of a server.
type serverProcess struct {
	cmd   *exec.Cmd
	input *os.File      // closing it ends the server
	ended chan struct{} // closed when the server has ended
}

// startServer runs a server in the foreground of a process group of its own. What
// it says is appended to the file log, and environ is put behind our environment.
func startServer(log string, environ []string, server ...string) (*serverProcess, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = read.Close() }() // the child has its own
	output, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		_ = write.Close() // nobody reads
		return nil, err
	}
	defer func() { _ = output.Close() }() // likewise

	cmd := exec.Command("sh", append([]string{"-c", keeper, "sh"}, server...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = read, output, output
	cmd.Env = append(os.Environ(), environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		_ = write.Close() // nobody reads
		return nil, err
	}
	p := &serverProcess{cmd: cmd, input: write, ended: make(chan struct{})}
	go func() { // stop waits for it by the channel
		_ = p.cmd.Wait() // how it ended is in the log
		close(p.ended)
	}()
	return p, nil
}

// stop ends the server and all that is left of it. It reports whether the server
// ended by itself when it was told.
func (p *serverProcess) stop() bool {
	_ = p.input.Close() // the keeper sends SIGTERM
	obeyed := true
	select {
	case <-p.ended:
	case <-time.After(stopWait):
		obeyed = false
	}
	// Whatever is left of it, such as a process in the middle of a command.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
	return obeyed
}
