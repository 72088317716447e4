package mailtest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// startTries bounds how often a start is tried with other ports, and
// readyWait how long one start may take.
const (
	startTries = 5
	readyWait  = 20 * time.Second
	stopWait   = 10 * time.Second
)

// errDied says that the server ended by itself.
var errDied = errors.New("dovecot ended")

// keeper runs Dovecot and ends it when its standard input is closed: by Stop,
// or by the death of the test's process, so that no server outlives its test.
// The shell gives /dev/null to a background command as its input, therefore
// descriptor 3.
const keeper = `exec 3<&0 </dev/null
"$1" -F -c "$2" 3<&- &
server=$!
{ read -r _ <&3; kill "$server" 2>/dev/null; } &
wait "$server"`

// dovecotProcess is one life of the server.
type dovecotProcess struct {
	cmd   *exec.Cmd
	input *os.File      // closing it ends the server
	ended chan struct{} // closed when the server has ended
}

// startOnFreePorts starts the server, and chooses other ports when somebody
// took one of them first.
func (d *Dovecot) startOnFreePorts() {
	d.t.Helper()
	var err error
	for range startTries {
		d.writeConfig()
		if err = d.launch(); err == nil {
			return
		}
		if !strings.Contains(d.logTail(), "Address already in use") {
			break
		}
	}
	d.t.Fatalf("starting dovecot: %v\n%s", err, d.logTail())
}

// Start starts the server again after Stop, on the same ports, and returns
// when all of them answer.
func (d *Dovecot) Start() {
	d.t.Helper()
	if d.process != nil {
		d.t.Fatal("dovecot runs already")
	}
	if err := d.launch(); err != nil {
		d.t.Fatalf("starting dovecot: %v\n%s", err, d.logTail())
	}
}

// Stop ends the server and all its connections and returns when it has ended.
// Stopping it twice does nothing.
func (d *Dovecot) Stop() {
	d.t.Helper()
	p := d.process
	if p == nil {
		return
	}
	d.process = nil
	_ = p.input.Close() // the keeper sends SIGTERM
	select {
	case <-p.ended:
	case <-time.After(stopWait):
		d.t.Errorf("dovecot did not stop within %v and was killed", stopWait)
	}
	// Whatever is left of it, such as a process in the middle of a command.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// Restart stops and starts the server.
func (d *Dovecot) Restart() {
	d.t.Helper()
	d.Stop()
	d.Start()
}

// launch starts the server and waits until its ports answer.
func (d *Dovecot) launch() error {
	d.Own()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = read.Close() }() // the child has its own
	output, err := os.OpenFile(filepath.Join(d.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	defer func() { _ = output.Close() }() // likewise

	cmd := exec.Command("sh", "-c", keeper, "sh", d.binary, filepath.Join(d.dir, "conf"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = read, output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		_ = write.Close() // nobody reads
		return err
	}
	d.process = &dovecotProcess{cmd: cmd, input: write, ended: make(chan struct{})}
	// Stop waits for it by the channel.
	go func(p *dovecotProcess) {
		_ = p.cmd.Wait() // how it ended is in the log
		close(p.ended)
	}(d.process)

	if err := d.awaitReady(); err != nil {
		d.Stop()
		return err
	}
	return nil
}

// awaitReady returns when every port has greeted.
func (d *Dovecot) awaitReady() error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(readyWait)
	for {
		err := d.greetings()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready after %v: %w", readyWait, err)
		}
		select {
		case <-ticker.C:
		case <-d.process.ended:
			return errDied
		}
	}
}

// greetings reads the greeting of each port.
func (d *Dovecot) greetings() error {
	return errors.Join(
		d.greeting(d.IMAPAddr, false, "* OK"), d.greeting(d.IMAPSAddr, true, "* OK"),
		d.greeting(d.POP3Addr, false, "+OK"), d.greeting(d.POP3SAddr, true, "+OK"),
	)
}

func (d *Dovecot) greeting(addr string, secure bool, want string) error {
	conn, err := net.DialTimeout("tcp", addr, readyWait)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // only a look
	if err := conn.SetDeadline(time.Now().Add(readyWait)); err != nil {
		return err
	}
	if secure {
		conn = tls.Client(conn, d.TLSConfig())
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, want) {
		return fmt.Errorf("%s greets with %q", addr, line)
	}
	return nil
}
