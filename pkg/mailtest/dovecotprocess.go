package mailtest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"
)

// startTries bounds how often a start is tried with other ports, and
// readyWait how long one start may take.
const (
	startTries = 5
	readyWait  = 20 * time.Second
)

// errDied says that the server ended by itself.
var errDied = errors.New("dovecot ended")

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
	if !p.stop() {
		d.t.Errorf("dovecot did not stop within %v and was killed", stopWait)
	}
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
	process, err := startServer(filepath.Join(d.dir, "log"), nil, d.binary, "-F", "-c", filepath.Join(d.dir, "conf"))
	if err != nil {
		return err
	}
	d.process = process
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
