package bench

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"mailpull/pkg/demo"
	"mailpull/pkg/durable"
	"mailpull/pkg/mailtest"
)

// drain measures what the network and the server need.
func (r *rig) drain(addr string, t task, messages int) Row {
	r.b.Helper()
	return r.limit("one connection, drained", func() error { return r.drainAll(addr, t, messages) })
}

// drainAll reads all that a task asks for over one connection, every question
// sent at once, and throws it away.
func (r *rig) drainAll(addr string, t task, messages int) error {
	conn, err := tls.Dial("tcp", addr, r.server.TLSConfig())
	if err != nil {
		return err
	}
	defer conn.Close()
	questions := imapQuestions(t)
	if t.protocol == "pop3" {
		questions = pop3Questions(t, messages)
	}
	var asking sync.WaitGroup
	asking.Go(func() { _, err = io.WriteString(conn, questions) })
	_, rerr := io.Copy(io.Discard, conn)
	asking.Wait()
	return errors.Join(err, rerr)
}

func imapQuestions(t task) string {
	var q strings.Builder
	fmt.Fprintf(&q, "a LOGIN %s %s\r\n", t.user, mailtest.DovecotPassword)
	for _, mailbox := range t.mailboxes {
		fmt.Fprintf(&q, "b EXAMINE %q\r\nc UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])\r\n", mailbox)
	}
	q.WriteString("d LOGOUT\r\n")
	return q.String()
}

func pop3Questions(t task, messages int) string {
	var q strings.Builder
	fmt.Fprintf(&q, "USER %s\r\nPASS %s\r\nUIDL\r\n", t.user, mailtest.DovecotPassword)
	for n := range messages {
		fmt.Fprintf(&q, "RETR %d\r\n", n+1)
	}
	q.WriteString("QUIT\r\n")
	return q.String()
}

// limit measures one run of what the machine allows.
func (r *rig) limit(who string, work func() error) Row {
	r.b.Helper()
	begun := time.Now()
	if err := work(); err != nil {
		r.b.Fatal(err)
	}
	return Row{Who: who, Runs: []Run{{Took: time.Since(begun)}}}
}

// batched measures what durable files need. It is what is left of mailpull's
// ladder without a source, names, hashes and memory.
func (r *rig) batched(messages []demo.Message, writers int) Row {
	r.b.Helper()
	name := "batched files, one writer"
	if writers > 1 {
		name = fmt.Sprintf("batched files, %d writers", writers)
	}
	return r.limit(name, r.writer(messages, writers))
}

// atOnce measures reading and writing at the same time, on the same processors,
// and nothing that ties the one to the other.
func (r *rig) atOnce(addr string, t task, messages []demo.Message) Row {
	r.b.Helper()
	write := r.writer(messages, 1)
	return r.limit("drained and batched files at once", func() error {
		var writing sync.WaitGroup
		var errWrite error
		writing.Go(func() { errWrite = write() })
		err := r.drainAll(addr, t, len(messages))
		writing.Wait()
		return errors.Join(err, errWrite)
	})
}

// writer returns what writes messages as durable files and does nothing else: 512
// into tmp/, one flush of the file system, each into new/, one flush of the
// directory.
func (r *rig) writer(messages []demo.Message, writers int) func() error {
	r.b.Helper()
	files := make([][]byte, len(messages)) // with the line ends of a Maildir
	for i, m := range messages {
		files[i] = bytes.ReplaceAll(m.Body, []byte("\r\n"), []byte("\n"))
	}
	home, err := durable.OpenDir(r.dir)
	if err != nil {
		r.b.Fatal(err)
	}
	r.folders++
	tmp := freshDir(r.b, home, fmt.Sprintf("tmp%d", r.folders))
	to := freshDir(r.b, home, fmt.Sprintf("new%d", r.folders))
	return func() error {
		defer home.Close() // it was only written through
		for first := 0; first < len(files); first += 512 {
			batch := files[first:min(first+512, len(files))]
			if err := writeBatch(home, tmp, to, first, batch, writers); err != nil {
				return err
			}
		}
		return nil
	}
}

func freshDir(b *testing.B, home durable.Dir, name string) durable.Dir {
	b.Helper()
	err := home.Mkdir(name)
	dir, errSub := home.Sub(name)
	if err := errors.Join(err, errSub); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = dir.Close() }) // it was only written through
	return dir
}

func writeBatch(home, tmp, to durable.Dir, first int, batch [][]byte, writers int) error {
	errs := make([]error, writers)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := w; i < len(batch) && errs[w] == nil; i += writers {
				errs[w] = writeFile(tmp, fmt.Sprint(first+i), batch[i])
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := home.SyncFS(); err != nil {
		return err
	}
	for i := range batch {
		name := fmt.Sprint(first + i)
		if err := tmp.Rename(name, to, name); err != nil {
			return err
		}
	}
	return to.Sync()
}

func writeFile(dir durable.Dir, name string, data []byte) error {
	f, err := dir.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
