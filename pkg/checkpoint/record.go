package checkpoint

import (
	"fmt"
	"strconv"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/record"
)

// formatVersion is the version in the header that this program reads and
// writes.
const formatVersion = 1

// commitWord begins the line that ends a group.
const commitWord = "commit"

// change is a record's meaning. Writing and reading go through the same apply,
// so that what is in memory is what the next Open will find.
type change interface {
	// text appends the record without its checksum.
	text(b []byte) []byte

	// apply changes the state, or says why the record cannot follow what
	// stands before it.
	apply(s *state) error
}

type (
	mailboxRecord struct {
		number   int
		name     mail.MailboxName
		validity mail.UIDValidity
	}
	resetRecord struct {
		number        int
		validity, was mail.UIDValidity
	}
	seenRecord struct {
		number int
		uids   mail.UIDSet
	}
	uidlRecord struct {
		number int
		first  int64 // Unix seconds
		uidl   mail.UIDL
	}
	completeRecord struct {
		number   int
		status   mail.Status // without UIDVALIDITY, which is the mailbox's
		listed   int
		excluded mail.Excluded
	}
	orderRecord struct {
		number int
		order  mail.Order
	}
	quarantineRecord struct {
		number int
		entry  mail.Quarantined // without mailbox and UIDVALIDITY, which are the mailbox's
	}
	releaseRecord struct {
		number int
		place  place
	}
	passRecord struct{ pass mail.Pass }
)

// line appends a record's whole line.
func line(b []byte, r change) []byte {
	start := len(b)
	return seal(r.text(b), start)
}

// commitLine appends the line that ends group number seq.
func commitLine(b []byte, seq uint64) []byte {
	start := len(b)
	return seal(fmt.Appendf(b, "%s %d", commitWord, seq), start)
}

func (r mailboxRecord) text(b []byte) []byte {
	b = fmt.Appendf(b, "mailbox %d ", r.number)
	b = strconv.AppendQuoteToASCII(b, string(r.name))
	return fmt.Appendf(b, " validity %d", r.validity)
}

func (r resetRecord) text(b []byte) []byte {
	return fmt.Appendf(b, "reset %d validity %d was %d", r.number, r.validity, r.was)
}

func (r seenRecord) text(b []byte) []byte {
	return fmt.Appendf(b, "seen %d %s", r.number, r.uids)
}

func (r uidlRecord) text(b []byte) []byte {
	b = fmt.Appendf(b, "uidl %d %d ", r.number, r.first)
	return strconv.AppendQuoteToASCII(b, string(r.uidl))
}

func (r completeRecord) text(b []byte) []byte {
	b = fmt.Appendf(b, "complete %d uidnext %d messages %d modseq %d size %d listed %d",
		r.number, r.status.UIDNext, r.status.Messages, r.status.ModSeq, r.status.Size, r.listed)
	if r.excluded.Messages == 0 {
		return b
	}
	b = fmt.Appendf(b, " excluded %d since ", r.excluded.Messages)
	return r.excluded.Since.UTC().AppendFormat(b, time.RFC3339Nano)
}

func (r orderRecord) text(b []byte) []byte {
	return fmt.Appendf(b, "order %d mark %d whole %d %s", r.number, r.order.Mark, r.order.Whole.Unix(), orderWord(r.order.Broken))
}

func orderWord(broken bool) string {
	if broken {
		return "broken"
	}
	return "kept"
}

func (r passRecord) text(b []byte) []byte {
	p := r.pass
	b = append(b, "pass "...)
	b = p.Start.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, ' ')
	b = p.End.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, ' ')
	b = append(b, outcome(p.Complete)...)
	b = fmt.Appendf(b, " new %d bytes %d missing %d", p.New, p.Bytes, p.Missing)
	if p.MissingBytes > 0 {
		b = fmt.Appendf(b, " about %d", p.MissingBytes)
	}
	if p.Quarantined > 0 {
		b = fmt.Appendf(b, " quarantined %d", p.Quarantined)
	}
	b = append(b, " class "...)
	b = strconv.AppendQuoteToASCII(b, string(p.Class))
	b = append(b, " error "...)
	b = strconv.AppendQuoteToASCII(b, p.Error)
	b = append(b, " hint "...)
	return strconv.AppendQuoteToASCII(b, p.Hint)
}

func outcome(complete bool) string {
	if complete {
		return "complete"
	}
	return "incomplete"
}

// parseRecord reads what text wrote.
func parseRecord(text string) (change, error) {
	f := record.NewFields(text)
	var r change
	switch kind := f.Word(); kind {
	case "mailbox":
		r = parseMailbox(f)
	case "reset":
		r = parseReset(f)
	case "seen":
		r = seenRecord{number: f.Count(), uids: parseUIDs(f)}
	case "uidl":
		r = uidlRecord{number: f.Count(), first: f.Int(), uidl: mail.UIDL(f.Quoted())}
	case "complete":
		r = parseComplete(f)
	case "order":
		r = parseOrder(f)
	case "quarantine":
		r = parseQuarantine(f)
	case "release":
		r = releaseRecord{number: f.Count(), place: parsePlace(f)}
	case "pass":
		r = parsePass(f)
	default:
		f.Fail("unknown record %q", record.Clip(kind))
	}
	return r, f.End()
}

func parseUIDs(f *record.Fields) mail.UIDSet {
	word := f.Word()
	set, err := mail.ParseUIDSet(word)
	if err != nil {
		f.Fail("%q is no set of uids", record.Clip(word))
	}
	return set
}

func parseMailbox(f *record.Fields) change {
	var r mailboxRecord
	r.number = f.Count()
	r.name = mail.MailboxName(f.Quoted())
	f.Label("validity")
	r.validity = mail.UIDValidity(f.Uint(32))
	return r
}

func parseReset(f *record.Fields) change {
	var r resetRecord
	r.number = f.Count()
	f.Label("validity")
	r.validity = mail.UIDValidity(f.Uint(32))
	f.Label("was")
	r.was = mail.UIDValidity(f.Uint(32))
	return r
}

func parseComplete(f *record.Fields) change {
	var r completeRecord
	r.number = f.Count()
	f.Label("uidnext")
	r.status.UIDNext = mail.UID(f.Uint(32))
	f.Label("messages")
	r.status.Messages = f.Count()
	f.Label("modseq")
	r.status.ModSeq = f.Uint(64)
	f.Label("size")
	r.status.Size = f.Int()
	f.Label("listed")
	r.listed = f.Count()
	if !f.More() {
		return r
	}
	f.Label("excluded")
	r.excluded.Messages = f.Count()
	f.Label("since")
	r.excluded.Since = f.Time()
	return r
}

func parseOrder(f *record.Fields) change {
	var r orderRecord
	r.number = f.Count()
	f.Label("mark")
	r.order.Mark = f.Uint(64)
	f.Label("whole")
	r.order.Whole = time.Unix(f.Int(), 0)
	switch word := f.Word(); word {
	case orderWord(true):
		r.order.Broken = true
	case orderWord(false):
	default:
		f.Fail("%q says nothing of an order", record.Clip(word))
	}
	return r
}

func parsePass(f *record.Fields) change {
	var p mail.Pass
	p.Start = f.Time()
	p.End = f.Time()
	switch word := f.Word(); word {
	case outcome(true):
		p.Complete = true
	case outcome(false):
	default:
		f.Fail("%q is no outcome of a pass", record.Clip(word))
	}
	f.Label("new")
	p.New = f.Count()
	f.Label("bytes")
	p.Bytes = f.Int()
	f.Label("missing")
	p.Missing = f.Count()
	word := f.Word()
	if word == "about" {
		p.MissingBytes, word = f.Int(), f.Word()
	}
	if word == "quarantined" {
		p.Quarantined, word = f.Count(), f.Word()
	}
	if word != "class" {
		f.Fail("%q stands in place of %q", record.Clip(word), "class")
	}
	p.Class = mail.Class(f.Quoted())
	f.Label("error")
	p.Error = f.Quoted()
	f.Label("hint")
	p.Hint = f.Quoted()
	return passRecord{p}
}

// header is the first line's meaning.
type header struct{ account, source string }

// headerLine appends the header's whole line.
func headerLine(b []byte, h header) []byte {
	start := len(b)
	b = fmt.Appendf(b, "mailpull checkpoint %d account ", formatVersion)
	b = strconv.AppendQuoteToASCII(b, h.account)
	b = append(b, " source "...)
	b = strconv.AppendQuoteToASCII(b, h.source)
	return seal(b, start)
}

// parseHeader reads a header without its checksum. The version is asked
// first: what follows it may differ in another one.
func parseHeader(text string) (header, error) {
	f := record.NewFields(text)
	f.Label("mailpull")
	f.Label("checkpoint")
	f.Version(formatVersion)
	f.Label("account")
	account := f.Quoted()
	f.Label("source")
	source := f.Quoted()
	return header{account, source}, f.End()
}

// parseCommit returns a commit line's number; ok is false for other records.
func parseCommit(text []byte) (seq uint64, ok bool, err error) {
	if len(text) <= len(commitWord) || string(text[:len(commitWord)+1]) != commitWord+" " {
		return 0, false, nil
	}
	f := record.NewFields(string(text[len(commitWord)+1:]))
	seq = f.Uint(64)
	return seq, true, f.End()
}
