package mailtest

import (
	"fmt"
	"strconv"
	"strings"
)

// answerFetch answers FETCH and UID FETCH. The items come in an order of their
// own, because go-imap asks for them in a different one each time.
func (c *IMAPTalk) answerFetch(tag, args string, byUID bool) {
	set, items, _ := strings.Cut(args, " ")
	if c.box == nil {
		c.Printf("%s BAD no mailbox is selected", tag)
		return
	}
	c.box.Many.each(set, byUID, func(seq int, m IMAPMessage) { c.SayFetch(seq, m, items) })
	for i, m := range c.box.Messages {
		seq := c.box.Many.len() + i + 1
		number := seq
		if byUID {
			number = int(m.UID)
		}
		if InIMAPSet(set, number) {
			c.SayFetch(seq, m, items)
		}
	}
	c.done(tag)
}

// SayFetch writes a FETCH response with those of UID, FLAGS, INTERNALDATE,
// RFC822.SIZE and BODY[], or a part of it, that the items name.
func (c *IMAPTalk) SayFetch(seq int, m IMAPMessage, items string) {
	asked := strings.ToUpper(items)
	date := m.Date
	if date.IsZero() {
		date = IMAPDate()
	}
	told := []string{fmt.Sprintf("UID %d", m.UID)}
	if strings.Contains(asked, "FLAGS") {
		told = append(told, "FLAGS ("+strings.Join(m.Flags, " ")+")")
	}
	if strings.Contains(asked, "INTERNALDATE") {
		told = append(told, date.Format(`INTERNALDATE "_2-Jan-2006 15:04:05 -0700"`))
	}
	if strings.Contains(asked, "RFC822.SIZE") {
		told = append(told, fmt.Sprintf("RFC822.SIZE %d", len(m.Body)))
	}
	fmt.Fprintf(c.w, "* %d FETCH (%s", seq, strings.Join(told, " "))
	if strings.Contains(asked, "BODY") {
		c.sayBody(m.Body, asked)
	}
	c.Raw(")\r\n")
}

// sayBody writes a body, or the part of it that the items name (RFC 9051 section
// 6.4.5).
func (c *IMAPTalk) sayBody(body, asked string) {
	label := "[]"
	if _, part, ok := strings.Cut(asked, "[]<"); ok {
		part, _, _ = strings.Cut(part, ">")
		from, count, _ := strings.Cut(part, ".")
		answer := IMAPPart
		if c.server.Part != nil {
			answer = c.server.Part
		}
		label, body = answer(body, setNumber(from), setNumber(count))
	}
	fmt.Fprintf(c.w, " BODY%s {%d}\r\n", label, len(body))
	c.Raw(body)
}

// IMAPPart is the honest answer for a part of a body: what stands behind BODY,
// and the bytes.
func IMAPPart(body string, from, count int) (label, part string) {
	part = body[min(from, len(body)):]
	return fmt.Sprintf("[]<%d>", from), part[:min(count, len(part))]
}

// InIMAPSet reports whether a set as in a command, such as "1:3,7,9:*", names
// the number. A star stands for the largest number there can be.
func InIMAPSet(set string, n int) bool {
	for part := range strings.SplitSeq(set, ",") {
		if lo, hi := setEnds(part); lo <= n && n <= hi {
			return true
		}
	}
	return false
}

// setEnds reads one part of a set.
func setEnds(part string) (lo, hi int) {
	from, to, isRange := strings.Cut(part, ":")
	if !isRange {
		to = from
	}
	lo, hi = setNumber(from), setNumber(to)
	return min(lo, hi), max(lo, hi)
}

func setNumber(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil { // a star
		return 1<<32 - 1
	}
	return n
}
