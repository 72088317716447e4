package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/record"
)

// formatVersion is the version in the header that this program reads and
// writes.
const formatVersion = 1

const (
	// maxLine bounds a line in the reader's memory: a mailbox and a UIDL of
	// maxName bytes, flags and a Message-ID, all of them escaped to four.
	maxLine = 256 << 10

	// maxName bounds a mailbox's name and a UIDL, in bytes.
	maxName = 16 << 10

	// maxFlags and maxID bound what a line keeps of the flags and of the
	// Message-ID, in bytes: they are hints, and not worth refusing a message.
	maxFlags = 8 << 10
	maxID    = 1 << 10
)

const (
	prevWord = " prev="
	moreWord = " more"
	endWord  = " end "
)

// timeLayout has a fixed width, so that the keys of all lines stand below each
// other.
const timeLayout = "2006-01-02T15:04:05Z"

// digestLen is the length of a digest's text.
const digestLen = 32

// digest is the first half of a SHA-256 in hexadecimal digits.
type digest [digestLen]byte

func digestOf(b []byte) (d digest) {
	sum := sha256.Sum256(b)
	hex.Encode(d[:], sum[:digestLen/2])
	return d
}

// headerLine returns the whole first line.
func headerLine(account string) []byte {
	b := append([]byte("mailpull manifest "), strconv.Itoa(formatVersion)...)
	b = append(b, " account "...)
	b = strconv.AppendQuoteToASCII(b, account)
	return closeLine(b, 0, 0)
}

// closeLine ends the line that begins at b[start] as an append's last one.
func closeLine(b []byte, start int, number uint64) []byte {
	b = append(b, endWord...)
	b = strconv.AppendUint(b, number, 10)
	b = append(b, ' ')
	self := digestOf(b[start:])
	b = append(b, self[:]...)
	return append(b, '\n')
}

// text appends a line up to its prev.
func text(b []byte, now time.Time, d mail.Delivery) []byte {
	b = now.UTC().AppendFormat(b, timeLayout)
	b = append(b, ' ')
	b = append(b, d.Key.String()...)
	b = append(b, ' ')
	b = refText(b, d.Item.Ref)
	b = append(b, ' ')
	b = strconv.AppendInt(b, d.Size, 10)
	b = append(b, ' ')
	b = hex.AppendEncode(b, d.SHA256[:])
	b = append(b, ' ')
	b = append(b, d.Form.String()...)
	b = append(b, ' ')
	b = flagsText(b, d.Item.Flags)
	b = append(b, ' ')
	b = dateText(b, d.Item.Date)
	b = append(b, ' ')
	return strconv.AppendQuoteToASCII(b, d.MessageID[:min(len(d.MessageID), maxID)])
}

func refText(b []byte, ref mail.Ref) []byte {
	b = strconv.AppendQuoteToASCII(b, string(ref.Mailbox))
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(ref.Validity), 10)
	b = append(b, ' ')
	if ref.UID != 0 {
		return strconv.AppendUint(b, uint64(ref.UID), 10)
	}
	return strconv.AppendQuoteToASCII(b, string(ref.UIDL))
}

func flagsText(b []byte, flags []string) []byte {
	b = append(b, '(')
	size := 0
	for i, flag := range flags {
		if size += len(flag) + 1; size > maxFlags { // an empty one costs too
			break
		}
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendQuoteToASCII(b, flag)
	}
	return append(b, ')')
}

// dateText writes a date in UTC: a zone's odd offset would not survive. A
// year that RFC 3339 cannot write is no date.
func dateText(b []byte, date time.Time) []byte {
	date = date.UTC()
	if date.IsZero() || date.Year() < 0 || date.Year() > 9999 {
		return append(b, '-')
	}
	return date.AppendFormat(b, time.RFC3339Nano)
}

// parse reads what text wrote.
func parse(line string) (recorded time.Time, d mail.Delivery, err error) {
	f := record.NewFields(line)
	recorded = f.Time()
	key, ok := mail.ParseKey(f.Word())
	if !ok {
		f.Fail("no key stands behind the time")
	}
	d.Key = key
	d.Item.Ref = parseRef(f)
	d.Size = f.Int()
	f.Hex(d.SHA256[:])
	switch form := f.Word(); form {
	case mail.FormLF.String():
		d.Form = mail.FormLF
	case mail.FormWire.String():
		d.Form = mail.FormWire
	default:
		f.Fail("unknown form %q", record.Clip(form))
	}
	d.Item.Flags = f.List()
	if !f.Dash() {
		d.Item.Date = f.Time()
	}
	d.MessageID = f.Quoted()
	return recorded, d, f.End()
}

func parseRef(f *record.Fields) (ref mail.Ref) {
	ref.Mailbox = mail.MailboxName(f.Quoted())
	ref.Validity = mail.UIDValidity(f.Uint(32))
	if f.Quotes() {
		ref.UIDL = mail.UIDL(f.Quoted())
		return ref
	}
	if ref.UID = mail.UID(f.Uint(32)); ref.UID == 0 {
		f.Fail("uid 0 names no message")
	}
	return ref
}

// parseHeader returns the account that the first line names. line is without
// LF. Its hash is checked first: it keeps its place in every version.
func parseHeader(line []byte) (account string, err error) {
	t, ok := cutTrailer(line)
	if !ok || !t.end || t.number != 0 {
		return "", &record.Damage{Line: 1, Reason: "hash does not match"}
	}
	f := record.NewFields(string(t.body))
	f.Label("mailpull")
	f.Label("manifest")
	f.Version(formatVersion)
	f.Label("account")
	account = f.Quoted()
	err = f.End()
	if err != nil && !errors.Is(err, record.ErrVersion) {
		err = &record.Damage{Line: 1, Reason: err.Error()}
	}
	return account, err
}

// trailer is what stands at a line's end.
type trailer struct {
	body   []byte // what stands before it, prev left on when there is none
	prev   digest
	end    bool
	number uint64 // if end is set
}

// cutTrailer takes a line's trailer off. ok is false when there is none, or
// when the line's hash of itself is wrong.
func cutTrailer(line []byte) (t trailer, ok bool) {
	rest, isMore := bytes.CutSuffix(line, []byte(moreWord))
	if !isMore {
		if rest, t.number, ok = cutEnd(line); !ok {
			return t, false
		}
		t.end = true
	}
	n := len(rest) - digestLen
	if n >= len(prevWord) && string(rest[n-len(prevWord):n]) == prevWord {
		copy(t.prev[:], rest[n:])
		rest = rest[:n-len(prevWord)]
	}
	t.body = rest
	return t, true
}

// cutEnd takes off an end with its number and the line's own hash.
func cutEnd(line []byte) (rest []byte, number uint64, ok bool) {
	n := len(line) - digestLen
	if n < 1 {
		return nil, 0, false
	}
	if self := digestOf(line[:n]); string(self[:]) != string(line[n:]) {
		return nil, 0, false
	}
	at := bytes.LastIndex(line[:n], []byte(endWord))
	if at < 0 {
		return nil, 0, false
	}
	number, err := strconv.ParseUint(string(line[at+len(endWord):n-1]), 10, 64)
	return line[:at], number, err == nil
}
