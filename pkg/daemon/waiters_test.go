package daemon_test

import (
	"net"
	"testing"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/control"
)

// silent is an account whose server accepts and never speaks; reached tells of
// each connection.
func silent(t *testing.T, name string) (a config.Account, reached <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // it ends the loop below
	came := make(chan struct{}, 10)
	go func() { // it ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() }) // the daemon has hung up
			came <- struct{}{}
		}
	}()
	a = hourly(t, config.IMAP, name, 0)
	a.Port, a.IdleTimeout = l.Addr().(*net.TCPAddr).Port, time.Minute
	return a, came
}

// Who waits for a pass is told when the account is removed meanwhile.
func TestWaitingForARemovedAccount(t *testing.T) {
	t.Parallel()
	stuck, reached := silent(t, "stuck")
	l := start(t, stuck)
	<-reached
	answer := make(chan []control.Report, 1)
	go func() { // it ends with the answer
		reports, _ := l.Client.Pull(t.Context(), []string{"stuck"}, true) // no reports then
		answer <- reports
	}()
	l.change(nil, hourly(t, config.IMAP, "work", 1))
	// Whether the command or the reload comes first, there is an answer.
	if err := l.Client.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case reports := <-answer:
		if len(reports) > 0 && reports[0].State != control.StateCancelled {
			t.Errorf("got %+v", reports)
		}
	case <-time.After(20 * time.Second):
		t.Error("no answer")
	}
}

// Who waits for a pass gets that of the changed account.
func TestWaitingForAChangedAccount(t *testing.T) {
	t.Parallel()
	stuck, reached := silent(t, "work")
	l := start(t, stuck)
	<-reached
	answer := make(chan control.State, 1)
	go func() { // it ends with the answer
		reports, err := l.Client.Pull(t.Context(), []string{"work"}, true)
		if err != nil || len(reports) != 1 {
			t.Error(err)
			answer <- ""
			return
		}
		answer <- reports[0].State
	}()
	l.change(nil, hourly(t, config.IMAP, "work", 3))
	if err := l.Client.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case state := <-answer:
		if state != control.StateOK {
			t.Errorf("got %s", state)
		}
	case <-time.After(20 * time.Second):
		t.Error("no answer")
	}
}
