package control

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/mail"
)

const nobody = 65534

// asNobody calls f on a thread of its own that has the user id of nobody and
// ends with it: on Linux each thread has its own, and package syscall would set
// all of them.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { // asNobody waits for it
		defer close(done)
		runtime.LockOSThread() // never unlocked, so the thread ends
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			t.Errorf("setresuid: %v", errno)
			return
		}
		f()
	}()
	<-done
}

// open lets everybody connect, as an administrator might have done by mistake.
func open(t *testing.T, path string) {
	t.Helper()
	for name, mode := range map[string]os.FileMode{path: 0o666, filepath.Dir(path): 0o755} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOthersAreRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	f, log := &fake{}, &lines{}
	path := start(t, f, slog.New(slog.NewTextHandler(log, nil)))

	asNobody(t, func() {
		_, err := Dial(path)
		if err == nil || !strings.Contains(err.Error(), "permission denied") || mail.ErrorHint(err) == "" {
			t.Errorf("by its mode: got %v, hint %q", err, mail.ErrorHint(err))
		}
	})
	open(t, path)
	for range 3 {
		asNobody(t, func() { refused(t, path) })
	}

	if heard := f.heard(); len(heard) != 0 {
		t.Errorf("the daemon heard %q", heard)
	}
	if n := strings.Count(log.String(), "control connection refused"); n != 1 || !strings.Contains(log.String(), "uid=65534") {
		t.Errorf("logged %d times: %s", n, log.String())
	}
	if err := dial(t, path).Reload(t.Context()); err != nil {
		t.Errorf("root: %v", err)
	}
}

// refused connects, and wants to be told in one line that it may not.
func refused(t *testing.T, path string) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Errorf("connecting: %v", err)
		return
	}
	defer func() { _ = conn.Close() }()
	// Who is let in is not answered before it has asked.
	if err := conn.SetReadDeadline(time.Now().Add(2 * requestLimit)); err != nil {
		t.Errorf("setting the deadline: %v", err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Errorf("reading: %v", err)
		return
	}
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a.Error == nil {
		t.Errorf("got %+v, %v", a, err)
		return
	}
	if want := "uid 65534 may not give commands to the daemon of uid 0"; resp.StatusCode != http.StatusForbidden || a.Error.Message != want {
		t.Errorf("got %d %q, want %q", resp.StatusCode, a.Error.Message, want)
	}
	_, _ = io.Copy(io.Discard, resp.Body) // the line's end
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("the connection is still open: %v", err)
	}
}
