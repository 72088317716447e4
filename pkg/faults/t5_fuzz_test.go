package faults

import (
	"bytes"
	"crypto/sha256"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
	"mailpull/pkg/wire"
)

// FuzzT5Session plays a whole conversation of a server. The parts of script are
// parted by blank lines: the first is the greeting, and each command gets the
// next one; "$" at the beginning of a line stands for the command's tag. Behind
// the last one the server hangs up, and the next connection begins anew.
//
// Whatever it says, the pass ends, and what it stores is what the server sent
// as a string, byte for byte.
func FuzzT5Session(f *testing.F) {
	f.Add([]byte(strings.Join(t5Script, "\n\n")))
	for i := range t5Script { // each part away, and each part twice
		f.Add([]byte(strings.Join(append(append([]string(nil), t5Script[:i]...), t5Script[i+1:]...), "\n\n")))
		f.Add([]byte(strings.Join(append(append([]string(nil), t5Script[:i+1]...), t5Script[i:]...), "\n\n")))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		synctest.Test(t, func(t *testing.T) {
			_, _ = playT5(t, script) // any outcome is right, if it comes
		})
	})
}

// t5Script is an honest conversation.
var t5Script = []string{
	"* OK hello",
	"* CAPABILITY IMAP4rev1 ESEARCH\n$ OK done",
	"$ OK in",
	"* CAPABILITY IMAP4rev1 ESEARCH\n$ OK done",
	"* LIST () \"/\" INBOX\n$ OK done",
	"* STATUS INBOX (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 7)\n$ OK done",
	"* FLAGS (\\Seen)\n* 2 EXISTS\n* OK [UIDVALIDITY 7] x\n* OK [UIDNEXT 3] x\n$ OK done",
	"* ESEARCH (TAG \"x\") UID ALL 1:2\n$ OK done",
	"* 1 FETCH (UID 1 FLAGS (\\Seen) INTERNALDATE \"17-Jul-2024 02:44:25 -0700\" RFC822.SIZE 6 BODY[] {6}\nab\ncd)\n" +
		"* 2 FETCH (UID 2 BODY[] \"x\\\\y\")\n$ OK done",
	"* BYE\n$ OK done",
}

// playT5 makes one pass against a script.
func playT5(t *testing.T, script []byte) (pull.Result, error) {
	t.Helper()
	sent := &bytes.Buffer{}
	server := &mailtest.IMAPServer{}
	parts := bytes.Split(script, []byte("\n\n"))
	server.Greeting = wireLines(sent, parts[0], "")
	var talk *mailtest.IMAPTalk // there is one at a time
	next := 0
	server.On = func(c *mailtest.IMAPTalk, tag, _ string) bool {
		if c != talk {
			talk, next = c, 0
		}
		if next++; next >= len(parts) {
			c.HangUp()
			return true
		}
		c.Raw(wireLines(sent, parts[next], tag) + "\r\n")
		return true
	}
	r := imapRig(server)
	r.limits = wire.Limits{Literal: 64, Line: 64 << 10, Listing: 64 << 10, Messages: 1000, Mailboxes: 100}
	began := time.Now()
	result, err := r.pass(t.Context())
	if took := time.Since(began); took > time.Hour {
		t.Errorf("it took %v", took)
	}
	checkT5Sent(t, r, sent.Bytes())
	return result, err
}

// wireLines makes what a server sends out of a part of a script, and keeps it.
func wireLines(sent *bytes.Buffer, part []byte, tag string) string {
	lines := bytes.Split(part, []byte("\n"))
	for i, line := range lines {
		if rest, ok := bytes.CutPrefix(line, []byte("$")); ok {
			lines[i] = append([]byte(tag), rest...)
		}
	}
	text := bytes.Join(lines, []byte("\r\n"))
	sent.Write(text)
	sent.WriteString("\r\n")
	return string(text)
}

// checkT5Sent compares everything that is stored with everything that was sent
// as a literal or in quotes.
func checkT5Sent(t *testing.T, r *rig, sent []byte) {
	t.Helper()
	known := t5Strings(sent)
	records, err := r.records()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range records.Listed {
		if body, ok := known[d.SHA256]; !ok {
			t.Errorf("%v holds %d bytes that the server did not send", d.Item.Ref, d.Size)
		} else {
			r.oracle.Add([]byte(body), d.Item.Ref)
		}
	}
	r.check(t, false)
}

var (
	t5LiteralHead = regexp.MustCompile(`\{([0-9]+)\+?\}\r*\n`)
	t5Quoted      = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
)

// t5Strings returns all that a reader could take for a string, by its hash.
func t5Strings(sent []byte) map[[sha256.Size]byte]string {
	known := make(map[[sha256.Size]byte]string)
	add := func(body []byte) { known[sha256.Sum256(body)] = string(body) }
	for _, at := range t5LiteralHead.FindAllSubmatchIndex(sent, -1) {
		size, err := strconv.Atoi(string(sent[at[2]:at[3]]))
		if body := sent[at[1]:]; err == nil && size <= len(body) {
			add(body[:size])
		}
	}
	for i := range sent { // a quote may end a string or begin one
		if sent[i] != '"' {
			continue
		}
		if m := t5Quoted.FindSubmatchIndex(sent[i:]); m != nil && m[0] == 0 {
			add(t5Unquote(sent[i:][m[2]:m[3]]))
		}
	}
	add(nil)
	return known
}

func t5Unquote(text []byte) []byte {
	var out []byte
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		out = append(out, text[i])
	}
	return out
}

// An honest script has everything stored, or the fuzzer would be looking at
// nothing.
func TestT5ScriptIsHonest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if result, err := playT5(t, []byte(strings.Join(t5Script, "\n\n"))); err != nil || result.New != 2 {
			t.Errorf("%d new, %v", result.New, err)
		}
	})
}
