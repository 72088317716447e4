package mailtest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"mailpull/pkg/demo"
)

// imapBodies signs in and returns every body of a mailbox, in order of UID.
func imapBodies(t *testing.T, d *Dovecot, user, mailbox string) [][]byte {
	t.Helper()
	c, err := imapclient.DialTLS(d.IMAPSAddr, &imapclient.Options{TLSConfig: d.TLSConfig()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Login(user, DovecotPassword).Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Select(mailbox, nil).Wait(); err != nil {
		t.Fatal(err)
	}
	section := &imap.FetchItemBodySection{Peek: true}
	cmd := c.Fetch(imap.UIDSet{imap.UIDRange{Start: 1}}, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}})
	all, err := cmd.Collect()
	if err != nil {
		t.Fatal(err)
	}
	bodies := make([][]byte, 0, len(all))
	for _, m := range all {
		bodies = append(bodies, m.FindBodySection(section))
	}
	return bodies
}

// popTalk sends commands one after the other and returns all that was said.
func popTalk(t *testing.T, d *Dovecot, commands ...string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", d.POP3SAddr, d.TLSConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.Join(commands, "\r\n")+"\r\nQUIT\r\n"); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}

func TestDovecotServesWhatWasDelivered(t *testing.T) {
	t.Parallel()
	d := StartDovecot(t, DovecotOptions{})
	want := Corpus(3, 30)
	d.Deliver("work", "INBOX", want)
	d.Deliver("work", "Projekte/Grün.1", want[:2])

	for mailbox, want := range map[string][]demo.Message{"INBOX": want, "Projekte/Grün.1": want[:2]} {
		got := imapBodies(t, d, "work", mailbox)
		if len(got) != len(want) {
			t.Fatalf("%q: got %d messages, want %d", mailbox, len(got), len(want))
		}
		onDisk := d.Messages("work", mailbox)
		for i, m := range want {
			if !bytes.Equal(got[i], m.Body) {
				t.Errorf("%q message %d: what the server sends differs from what was delivered", mailbox, i)
			}
			if disk := onDisk[i]; !bytes.Equal(disk.Body, m.Body) || !slices.Equal(disk.Flags, m.Flags) || !disk.Date.Equal(m.Date) {
				t.Errorf("%q message %d: Messages differs from what was delivered", mailbox, i)
			}
		}
	}

	said := popTalk(t, d, "USER work", "PASS "+DovecotPassword, "RETR 2")
	if !strings.Contains(said, string(want[1].Body)+".\r\n") {
		t.Errorf("POP3 did not send the second message; it said %.200q", said)
	}
	if said := popTalk(t, d, "USER work", "PASS wrong"); !strings.Contains(said, "-ERR [AUTH]") {
		t.Errorf("a wrong password: got %q", said)
	}
}

func TestDovecotOffersTLSAfterTheGreeting(t *testing.T) {
	t.Parallel()
	d := StartDovecot(t, DovecotOptions{})
	c, err := imapclient.DialStartTLS(d.IMAPAddr, &imapclient.Options{TLSConfig: d.TLSConfig()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Login("isp", DovecotPassword).Wait(); err != nil {
		t.Error(err)
	}

	conn, err := net.Dial("tcp", d.POP3Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "STLS\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 512)
	for said := ""; strings.Count(said, "\n") < 2; {
		n, err := conn.Read(answer)
		if err != nil {
			t.Fatal(err)
		}
		said += string(answer[:n])
	}
	if err := tls.Client(conn, d.TLSConfig()).Handshake(); err != nil {
		t.Error(err)
	}
	if err := tls.Client(conn, &tls.Config{ServerName: "127.0.0.1"}).Handshake(); err == nil {
		t.Error("the certificate is good without the authority")
	}
}

func TestDovecotGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	d := StartDovecot(t, DovecotOptions{})
	d.Deliver("work", "INBOX", Corpus(4, 3))
	before := imapBodies(t, d, "work", "INBOX")

	c, err := imapclient.DialTLS(d.IMAPSAddr, &imapclient.Options{TLSConfig: d.TLSConfig()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Login("work", DovecotPassword).Wait(); err != nil {
		t.Fatal(err)
	}
	d.Stop()
	d.Stop()
	<-c.Closed()
	if _, err := net.Dial("tcp", d.IMAPAddr); err == nil {
		t.Error("a stopped server answers")
	}
	d.Start()
	if after := imapBodies(t, d, "work", "INBOX"); !slices.EqualFunc(before, after, bytes.Equal) {
		t.Error("the messages changed over a restart")
	}
}

// TestDovecotReadsAnArchive points a server at folders as mailpull writes
// them, in both layouts.
func TestDovecotReadsAnArchive(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		layout  string
		folders map[string]string // by the mailbox's name
	}{
		{LayoutMaildirPP, map[string]string{"INBOX": ".", "Work/2024": ".Work.2024", "Entwürfe": ".Entw&APw-rfe", "a.b": ".a=2eb"}},
		{LayoutFS, map[string]string{"INBOX": "INBOX", "Work/2024": "Work/2024", "Entwürfe": "Entw&APw-rfe", "a.b": "a.b"}},
	} {
		t.Run(test.layout, func(t *testing.T) {
			t.Parallel()
			archive := t.TempDir()
			for name, folder := range test.folders {
				writeMaildir(t, filepath.Join(archive, folder), "Subject: "+name+"\n\ntext\n")
			}
			before := files(t, archive)

			d := StartDovecot(t, DovecotOptions{Archive: archive, Layout: test.layout})
			for name := range test.folders {
				got := imapBodies(t, d, "anybody", name)
				if want := "Subject: " + name + "\r\n\r\ntext\r\n"; len(got) != 1 || string(got[0]) != want {
					t.Errorf("%q: got %q, want %q alone", name, got, want)
				}
			}
			if after := files(t, archive); !slices.Equal(before, after) {
				t.Errorf("the server wrote into the archive: got %q, want %q", after, before)
			}

			// What mailpull writes later is seen too.
			writeMaildir(t, filepath.Join(archive, test.folders["Work/2024"]), "Subject: later\n\n")
			d.Own()
			if got := imapBodies(t, d, "anybody", "Work/2024"); len(got) != 2 {
				t.Errorf("got %d messages after one more was written, want 2", len(got))
			}
		})
	}
}

// writeMaildir adds one message that nobody has read to a Maildir.
func writeMaildir(t *testing.T, dir, body string) {
	t.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.CreateTemp(filepath.Join(dir, "cur"), "1700000000.*.mailpull:2,S")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(body); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// files lists everything below a folder.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}
