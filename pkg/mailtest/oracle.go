package mailtest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// Oracle knows every message that a server ever had, and judges what an
// account's archive and records hold. It reads Maildir by rules of its own and
// not by mailpull's, so that both cannot be wrong together.
type Oracle struct {
	// MayLitter lets a complete pass leave files in tmp/, where no reader looks.
	// A power cut can bring one back whose message had its name: without a
	// journal the old name may outlive the flush of the new one. It goes when
	// the mailbox has a new message.
	MayLitter bool

	account  string
	messages []oracleMessage
	byKey    map[mail.Key]int
}

// oracleMessage is a message that the server has, or had.
type oracleMessage struct {
	name   string // for a person
	wire   []byte
	lf     []byte // wire as a file with plain line ends; nil when it has none
	sum    [sha256.Size]byte
	refs   []mail.Ref
	remote bool // the server still has it
}

// Records is what an account's checkpoint and manifest say.
type Records struct {
	// Delivered reports whether the checkpoint says that a ref was delivered.
	Delivered func(ref mail.Ref) bool

	// Listed are the manifest's lines.
	Listed map[mail.Key]mail.Delivery
}

// Breach is a broken promise, by its number in the README, and how it was
// broken.
type Breach struct {
	Promise string
	Text    string
}

// String returns both.
func (b Breach) String() string { return b.Promise + ": " + b.Text }

// NewOracle returns an oracle that knows of no message yet.
func NewOracle(account string) *Oracle {
	return &Oracle{account: account, byKey: make(map[mail.Key]int)}
}

// Add makes a message known that the server has under the refs: more than one
// when it was listed under another one before.
func (o *Oracle) Add(body []byte, refs ...mail.Ref) {
	m := oracleMessage{name: fmt.Sprint(refs[0]), wire: body, sum: sha256.Sum256(body), refs: refs, remote: true}
	if lf := bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")); bytes.Count(lf, []byte("\n")) == len(body)-len(lf) {
		m.lf = lf
	}
	for _, ref := range refs {
		o.byKey[mail.NewKey(o.account, ref)] = len(o.messages)
	}
	o.messages = append(o.messages, m)
}

// Renamed says that the message of one ref is now listed under another one.
func (o *Oracle) Renamed(from, to mail.Ref) {
	i := o.byKey[mail.NewKey(o.account, from)]
	o.messages[i].refs = append(o.messages[i].refs, to)
	o.byKey[mail.NewKey(o.account, to)] = i
}

// Gone says that the server has a message no longer. What the archive holds of
// it must stay.
func (o *Oracle) Gone(ref mail.Ref) {
	o.messages[o.byKey[mail.NewKey(o.account, ref)]].remote = false
}

// Messages returns how many messages are known.
func (o *Oracle) Messages() int { return len(o.messages) }

// Judge compares an archive, at any moment, with what the records say: what
// they call delivered is there, whole and once, and everything that a reader
// sees in cur/ or new/ is a whole message under its own key.
func (o *Oracle) Judge(archive durable.Dir, r Records) []Breach {
	_, breaches := o.judge(archive, r)
	return breaches
}

// JudgeComplete is Judge after a pass that called itself complete: everything
// that the server has is there, recorded and listed, and tmp/ is empty.
func (o *Oracle) JudgeComplete(archive durable.Dir, r Records) []Breach {
	l, breaches := o.judge(archive, r)
	for _, m := range o.messages {
		if m.remote && !m.delivered(r) {
			breaches = append(breaches, Breach{"P1", "complete, and not in the checkpoint: " + m.name})
		}
	}
	if l.tmp > 0 && !o.MayLitter {
		breaches = append(breaches, Breach{"P3", fmt.Sprintf("complete, and %d files left in tmp/", l.tmp)})
	}
	return breaches
}

func (m oracleMessage) delivered(r Records) bool {
	for _, ref := range m.refs {
		if r.Delivered(ref) {
			return true
		}
	}
	return false
}

func (o *Oracle) judge(archive durable.Dir, r Records) (*look, []Breach) {
	l := &look{oracle: o, count: make([]int, len(o.messages)), at: make([]string, len(o.messages))}
	if err := l.walk(archive, ""); err != nil {
		l.breach("P1", "the archive cannot be read: %v", err)
	}
	for i, m := range o.messages {
		if !m.delivered(r) {
			continue
		}
		if l.count[i] == 0 {
			l.breach("P1", "recorded as delivered, and not in the archive: %s", m.name)
		}
		l.proof(m, r)
	}
	for key, d := range r.Listed {
		i, known := o.byKey[key]
		switch {
		case !known:
			l.breach("P11", "the manifest lists %v, which no server sent", d.Item.Ref)
		case l.count[i] == 0 && !o.messages[i].delivered(r):
			// The checkpoint forgets what was listed under another UIDVALIDITY,
			// and the archive must not.
			l.breach("P1", "listed in the manifest, and not in the archive: %s", o.messages[i].name)
		}
	}
	return l, l.breaches
}

// look is one look through an archive.
type look struct {
	oracle   *Oracle
	count    []int    // files of each message
	at       []string // the last one
	tmp      int      // files in tmp/
	buf      bytes.Buffer
	breaches []Breach
}

func (l *look) breach(promise, format string, args ...any) {
	l.breaches = append(l.breaches, Breach{promise, fmt.Sprintf(format, args...)})
}

// walk looks at a folder, and at those below it.
func (l *look) walk(dir durable.Dir, name string) error {
	var below []string
	err := dir.Names(func(entry string, isDir bool) error {
		switch {
		case isDir:
			below = append(below, entry)
		case name == "tmp":
			l.tmp++
		case name == "cur" || name == "new":
			return l.file(dir, entry)
		default:
			l.breach("P3", "a file beside the folders of a Maildir: %s/%s", dir.Path(), entry)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, entry := range below {
		sub, err := dir.Sub(entry)
		if err != nil {
			return err
		}
		err = l.walk(sub, entry)
		_ = sub.Close() // it was only read
		if err != nil {
			return err
		}
	}
	return nil
}

// file judges one file that readers of the Maildir see.
func (l *look) file(dir durable.Dir, name string) error {
	key, stored, ok := parseOracleName(name)
	place := dir.Path() + "/" + name
	if !ok {
		l.breach("P3", "not a name of ours: %s", place)
		return nil
	}
	i, known := l.oracle.byKey[key]
	if !known {
		l.breach("P2", "no message has this key: %s", place)
		return nil
	}
	f, err := dir.Open(name)
	if err != nil {
		return err
	}
	l.buf.Reset()
	_, err = l.buf.ReadFrom(readerOnly{f})
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	m := l.oracle.messages[i]
	data := l.buf.Bytes()
	switch {
	case int64(len(data)) != stored:
		l.breach("P3", "%d bytes where the name says %d: %s", len(data), stored, place)
	case !bytes.Equal(data, m.wire) && (m.lf == nil || !bytes.Equal(data, m.lf)):
		l.breach("P3", "not the bytes of %s: %s", m.name, place)
	}
	if l.count[i]++; l.count[i] > 1 {
		l.breach("P2", "%s stands twice: %s and %s", m.name, l.at[i], place)
	}
	l.at[i] = place
	return nil
}

// readerOnly hides what else a file can do, so that a disk in memory and a
// real one are read in the same way.
type readerOnly struct{ io.Reader }

// proof compares the manifest's line of a delivered message with the message.
func (l *look) proof(m oracleMessage, r Records) {
	for _, ref := range m.refs {
		d, ok := r.Listed[mail.NewKey(l.oracle.account, ref)]
		switch {
		case !ok:
			continue
		case d.Size != int64(len(m.wire)) || d.SHA256 != m.sum:
			l.breach("P11", "the manifest has another size or hash: %s", m.name)
		case d.Form == mail.FormLF && m.lf == nil:
			l.breach("P11", "the manifest says lf, and not every line ended in CRLF: %s", m.name)
		}
		return
	}
	l.breach("P11", "recorded as delivered, and not in the manifest: %s", m.name)
}

// parseOracleName takes the key and the size out of a file's name,
// TIME.KEY.mailpull,S=SIZE,W=SIZE, with :2,FLAGS behind it or not.
func parseOracleName(name string) (key mail.Key, stored int64, ok bool) {
	name, _, _ = strings.Cut(name, ":")
	parts := strings.Split(name, ".")
	if len(parts) != 3 {
		return key, 0, false
	}
	if key, ok = mail.ParseKey(parts[1]); !ok {
		return key, 0, false
	}
	fields := strings.Split(parts[2], ",")
	if len(fields) != 3 || fields[0] != "mailpull" {
		return key, 0, false
	}
	size, ok := strings.CutPrefix(fields[1], "S=")
	if !ok {
		return key, 0, false
	}
	stored, err := strconv.ParseInt(size, 10, 64)
	return key, stored, err == nil
}
