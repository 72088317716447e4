package faults

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// T10 has a server repeat the password wherever it can put a text, in every
// form that it knows, and looks for it in all that a pass writes: the log at
// its most talkative, errors, hints, and every byte and name on the disk.
//
// What is no leak: the body of a message, and the name of a mailbox or of a
// message, are the server's own data, stored as they came; a server that puts
// the password there tells its owner what both know. In logs and errors it is
// masked there, too.

// t10Echo is the password as a server may repeat it.
func t10Echo() string {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + username + "\x00" + password))
	return strings.Join([]string{
		password, strconv.Quote(password), base64.StdEncoding.EncodeToString([]byte(password)), plain,
		hex.EncodeToString([]byte(password)), strings.ToUpper(hex.EncodeToString([]byte(password))),
		url.QueryEscape(password), url.PathEscape(password), "LOGIN " + username + " " + strconv.Quote(password),
	}, " ; ")
}

// t10Case is one server. data is set where the echo is the server's own data
// as well, so that only logs and errors are searched.
type t10Case struct {
	name string
	rig  func() *rig
	data bool
}

// t10Lines are what IMAP servers say at a command: "$" is the tag, "%" the
// echo. A line that begins with the tag is the answer, others come before it.
var t10Lines = []string{
	"$ NO %", "$ NO [ALERT] %", "$ NO [AUTHENTICATIONFAILED] %", "$ BAD %", "$ OK %", "$ OK [ALERT] %", "$ %",
	"* OK [ALERT] %", "* NO %", "* BAD [%] x", "* BYE %", "* %", "%", "+ %", "* LIST (%) \"/\" x", "* CAPABILITY %",
	"* STATUS INBOX (%)", "* SEARCH %", "* 1 FETCH (%)", "* FLAGS (%)",
}

// t10Answers are the same of POP3 servers, whole.
var t10Answers = []string{
	"-ERR %\r\n", "-ERR [AUTH] %\r\n", "-ERR [SYS/TEMP] %\r\n", "-ERR [%] x\r\n", "+OK %\r\n", "%\r\n", "+ %\r\n",
	"+OK\r\n%\r\n.\r\n", "+OK % octets\r\n%\r\n.\r\n", "+OK %", "-ERR %",
}

// t10IMAP has the server say a line at a command; "" is the greeting.
func t10IMAP(at, line string) t10Case {
	return t10Case{name: fmt.Sprintf("imap %s: %s", at, line), rig: func() *rig {
		line := strings.ReplaceAll(line, "%", t10Echo())
		server := &mailtest.IMAPServer{
			Caps: "SASL-IR AUTH=PLAIN", Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", "Subject: 1\r\n\r\nx\r\n")},
		}
		if at == "" {
			server.Greeting = strings.ReplaceAll(line, "$", "*")
			return imapRig(server)
		}
		server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
			if !strings.HasPrefix(command, at) {
				return false
			}
			c.Printf("%s", strings.ReplaceAll(line, "$", tag))
			return strings.HasPrefix(line, "$")
		}
		return imapRig(server)
	}}
}

// t10POP3 has the server give an answer to a command; "" is the greeting.
func t10POP3(at, answer string) t10Case {
	return t10Case{name: fmt.Sprintf("pop3 %s: %q", at, answer), rig: func() *rig {
		server := &mailtest.POP3Server{Messages: mailtest.POP3Messages("Subject: 1\r\n\r\nx\r\n")}
		server.On = func(c *mailtest.POP3Talk, command string) bool {
			if command != at && (at == "" || !strings.HasPrefix(command, at)) {
				return false
			}
			c.Raw(strings.ReplaceAll(answer, "%", t10Echo()))
			return true
		}
		return pop3Rig(server)
	}}
}

// t10Cases are all servers.
func t10Cases() (cases []t10Case) {
	for _, at := range []string{"", "CAPABILITY", "AUTHENTICATE", "LIST", "STATUS", "EXAMINE", "UID SEARCH", "UID FETCH", "LOGOUT"} {
		for _, line := range t10Lines {
			cases = append(cases, t10IMAP(at, line))
		}
	}
	for _, at := range []string{"", "CAPA", "AUTH", "STAT", "UIDL", "RETR", "QUIT"} {
		for _, answer := range t10Answers {
			c := t10POP3(at, answer)
			c.data = at == "RETR" && strings.HasPrefix(answer, "+OK")
			cases = append(cases, c)
		}
	}
	return append(cases,
		t10Case{name: "mailbox of that name", data: true, rig: func() *rig {
			return imapRig(&mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox(password, "x\r\n"), mailtest.NewIMAPBox("INBOX")},
				On: func(c *mailtest.IMAPTalk, tag, command string) bool {
					if strings.HasPrefix(command, "EXAMINE") && strings.Contains(command, password) {
						c.Printf("%s NO no mailbox %s", tag, password)
						return true
					}
					return false
				}})
		}},
		t10Case{name: "message of that name", data: true, rig: func() *rig {
			return pop3Rig(&mailtest.POP3Server{
				Messages: []mailtest.POP3Message{{UIDL: strings.ReplaceAll(password, " ", "_"), Body: "x\r\n"}},
				On: func(c *mailtest.POP3Talk, command string) bool {
					if !strings.HasPrefix(command, "RETR") {
						return false
					}
					c.Printf("-ERR %s\r\n", password)
					return true
				}})
		}},
		t10Case{name: "panic in the middle", rig: func() *rig {
			r := t10IMAP("EXAMINE", "* OK [ALERT] %").rig()
			r.wrapStore = func(s pull.Store) pull.Store { return t10Panics{s} }
			return r
		}},
	)
}

// t10Panics is a store that panics with a session open.
type t10Panics struct{ pull.Store }

// Box implements pull.Store.
func (t10Panics) Box(mail.Mailbox) (mail.Box, error) { panic("out of cheese") }

// t10Written is all that a pass wrote, by where.
type t10Written map[string][]byte

// t10Pass makes a pass with a log in that format and returns what it wrote.
func t10Pass(r *rig, handler func(io.Writer, *slog.HandlerOptions) slog.Handler) t10Written {
	var log bytes.Buffer
	r.log = slog.New(handler(&log, &slog.HandlerOptions{Level: slog.LevelDebug - 8, AddSource: true}))
	result, err := r.pass(context.Background())
	w := t10Written{"log": log.Bytes(), "result": fmt.Appendf(nil, "%v %+v %#v", result, result, result)}
	for e := err; e != nil; e = errors.Unwrap(e) {
		w["error"] = fmt.Appendf(w["error"], "%v\n%+v\n%q\n", e, e, e)
	}
	w["error"] = append(w["error"], mail.ErrorHint(err)...)
	for i, box := range result.Mailboxes {
		w[fmt.Sprint("mailbox ", i)] = fmt.Appendf(nil, "%v %s", box.Err, mail.ErrorHint(box.Err))
	}
	return w
}

// add adds the names and bytes of all files below a folder.
func (w t10Written) add(dir durable.Dir) error {
	return dir.Names(func(name string, isDir bool) error {
		path := dir.Path() + "/" + name
		if isDir {
			sub, err := dir.Sub(name)
			if err != nil {
				return err
			}
			defer sub.Close()
			w[path] = []byte(path)
			return w.add(sub)
		}
		file, err := dir.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		data, err := io.ReadAll(file)
		w[path] = append([]byte(path+"\n"), data...)
		return err
	})
}

// t10Search runs a case and returns where the password stands, and how many
// places were searched.
func t10Search(c t10Case) (leaks []string, searched int) {
	canary := mailtest.NewCanary(password)
	for _, handler := range []func(io.Writer, *slog.HandlerOptions) slog.Handler{
		func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(w, o) },
		func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(w, o) },
	} {
		r := c.rig()
		written := t10Pass(r, handler)
		if c.data {
			delete(written, "result") // it names the mailboxes
		} else if err := written.add(r.disk); err != nil {
			leaks = append(leaks, err.Error())
		}
		for where, data := range written {
			searched++
			if found := canary.Found(data); found != "" {
				leaks = append(leaks, fmt.Sprintf("%s: %s\n%.600q", where, found, data))
			}
		}
	}
	return leaks, searched
}

// TestT10Secrets searches all that passes over honest and hostile servers
// write.
func TestT10Secrets(t *testing.T) {
	t.Parallel()
	n := 0
	for i, c := range t10Cases() {
		if i%mailtest.Every(4) != 0 {
			continue
		}
		var leaks []string
		synctest.Test(t, func(*testing.T) {
			found, searched := t10Search(c)
			leaks, n = found, n+searched
		})
		for _, leak := range leaks {
			t.Errorf("%s: %s", c.name, leak)
		}
	}
	mailtest.Figure(t, "T10", "canary searches", n, 60)
}

// TestT10SelfTest has a pass give the password away in its log, and in a file.
func TestT10SelfTest(t *testing.T) {
	t.Parallel()
	for name, leak := range map[string]func(*rig) error{
		"log":    func(r *rig) error { r.log.Debug("signing in", "password", password); return nil },
		"base64": func(r *rig) error { r.log.Debug("> " + t10Echo()[len(password):]); return nil },
		"disk":   func(r *rig) error { return durable.WriteFile(r.disk, "trace", []byte(password)) },
	} {
		c := t10IMAP("LOGOUT", "* OK hello")
		honest := c.rig
		c.rig = func() *rig {
			r := honest()
			r.wrapSource = func(s pull.Source) pull.Source {
				if err := leak(r); err != nil {
					t.Error(err)
				}
				return s
			}
			return r
		}
		synctest.Test(t, func(t *testing.T) {
			if leaks, _ := t10Search(c); len(leaks) == 0 {
				t.Errorf("%s: it was not noticed", name)
			}
		})
	}
}
