package mailtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answerList lists every mailbox, each with its status where that is asked
// for (RFC 5819).
func (c *IMAPTalk) answerList(tag, args string) {
	_, items, withStatus := strings.Cut(args, "STATUS (")
	items, _, _ = strings.Cut(items, ")")
	for _, box := range c.server.boxes() {
		delimiter := "NIL"
		if box.Delimiter != "" {
			delimiter = quoted(box.Delimiter)
		}
		c.Printf("* LIST (%s) %s %s", strings.Join(box.Attrs, " "), delimiter, quoted(box.Name))
		if withStatus && box.selectable() {
			c.sayStatus(&box, items)
		}
	}
	c.done(tag)
}

func (b *IMAPBox) selectable() bool {
	return !slices.ContainsFunc(b.Attrs, func(attr string) bool {
		return strings.EqualFold(attr, `\Noselect`) || strings.EqualFold(attr, `\NonExistent`)
	})
}

// answerStatus answers STATUS of one mailbox.
func (c *IMAPTalk) answerStatus(tag, args string) {
	name, items := cutString(args)
	box, ok := c.server.box(name)
	if !ok || !box.selectable() {
		c.Printf("%s NO [NONEXISTENT] no such mailbox", tag)
		return
	}
	c.sayStatus(&box, strings.Trim(items, "()"))
	c.done(tag)
}

// sayStatus tells the items that were asked for, in that order.
func (c *IMAPTalk) sayStatus(box *IMAPBox, items string) {
	values := map[string]uint64{
		"MESSAGES":      uint64(box.count()),
		"UIDNEXT":       uint64(box.uidNext()),
		"UIDVALIDITY":   uint64(box.UIDValidity),
		"HIGHESTMODSEQ": box.ModSeq,
		"SIZE":          0,
	}
	for _, m := range box.Messages { // without those of Many, which nobody made
		values["SIZE"] += uint64(len(m.Body))
	}
	var told []string
	for item := range strings.FieldsSeq(items) {
		if value, ok := values[item]; ok {
			told = append(told, fmt.Sprintf("%s %d", item, value))
		}
	}
	c.Printf("* STATUS %s (%s)", quoted(box.Name), strings.Join(told, " "))
}

// answerSelect opens a mailbox.
func (c *IMAPTalk) answerSelect(tag, verb, args string) {
	name, _ := cutString(args)
	box, ok := c.server.box(name)
	if !ok || !box.selectable() {
		c.box = nil
		c.Printf("%s NO [NONEXISTENT] no such mailbox", tag)
		return
	}
	c.box = &box
	c.Printf(`* FLAGS (\Answered \Flagged \Deleted \Seen \Draft)`)
	c.Printf("* %d EXISTS", box.count())
	c.Printf("* 0 RECENT")
	c.Printf("* OK [UIDVALIDITY %d] ok", box.UIDValidity)
	c.Printf("* OK [UIDNEXT %d] ok", box.uidNext())
	if box.ModSeq != 0 {
		c.Printf("* OK [HIGHESTMODSEQ %d] ok", box.ModSeq)
	}
	code := "READ-WRITE"
	if verb == "EXAMINE" {
		code = "READ-ONLY"
	}
	c.Printf("%s OK [%s] done", tag, code)
}

// answerSearch answers UID SEARCH ALL, BEFORE and SINCE, with ESEARCH (RFC 4731) where the
// client asks for it.
func (c *IMAPTalk) answerSearch(tag, args string) {
	if c.box == nil {
		c.Printf("%s BAD no mailbox is selected", tag)
		return
	}
	set := slices.Clone(c.box.Many.set())
	for _, m := range c.box.Messages {
		if !m.fits(args) {
			continue
		}
		set.Add(m.UID, m.UID)
	}
	switch {
	case !strings.HasPrefix(args, "RETURN"):
		c.Raw("* SEARCH")
		for uid := range set.All {
			c.Raw(" " + strconv.FormatUint(uint64(uid), 10))
		}
		c.Raw("\r\n")
	case len(set) == 0:
		c.Printf("* ESEARCH (TAG %q) UID", tag)
	default:
		c.Printf("* ESEARCH (TAG %q) UID ALL %s", tag, set)
	}
	c.done(tag)
}

// fits reports whether the message is one that a SEARCH for a day wants, in the
// time zone that its INTERNALDATE is written in (RFC 9051 section 6.4.4). Any
// other SEARCH is for all.
func (m *IMAPMessage) fits(args string) bool {
	words := strings.Fields(args)
	if len(words) < 2 {
		return true
	}
	day, err := time.Parse("2-Jan-2006", words[len(words)-1])
	date := m.Date
	if date.IsZero() {
		date = IMAPDate()
	}
	arrived, _ := time.Parse(time.DateOnly, date.Format(time.DateOnly))
	switch criterion := strings.ToUpper(words[len(words)-2]); {
	case err != nil:
		return true
	case criterion == "BEFORE":
		return arrived.Before(day)
	case criterion == "SINCE":
		return !arrived.Before(day)
	}
	return true
}
