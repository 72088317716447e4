package imap

import (
	"net"
	"testing"
	"testing/synctest"
)

// A write that failed is told when the reader has ended, and not before.
func TestFailedWriteIsToldLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		_ = far.Close()
		ended, told := make(chan struct{}), make(chan error, 1)
		w := &writes{Conn: near, ended: ended}
		go func() { // ends with the channel below
			_, err := w.Write([]byte("T1 NOOP\r\n"))
			told <- err
		}()
		synctest.Wait()
		if len(told) > 0 {
			t.Error("go-imap is told while its reader is at work")
		}
		close(ended)
		if err := <-told; err == nil {
			t.Error("no error")
		}
	})
}
