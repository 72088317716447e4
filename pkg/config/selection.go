package config

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"mailpull/pkg/mail"
)

// specialUses are the special-use words of RFC 6154 section 2 and RFC 8457
// section 3.
func specialUses() []string {
	return []string{`\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Important`, `\Junk`, `\Sent`, `\Trash`}
}

// Selection chooses mailboxes by patterns. A pattern that begins with a
// backslash is a special-use word, in any case. Any other is compared with
// the whole name as the server has it, delimiters included: * stands for any
// text, also none and also with delimiters, ? for one character, and every
// other character for itself. INBOX is the same in any case (RFC 9051 section
// 5.1). Every text is a good pattern.
//
// The zero value selects everything that can hold messages.
type Selection struct {
	// Include lists what to select; nil stands for "*".
	Include []string

	// Exclude lists what to leave out, whatever Include says.
	Exclude []string
}

// Select reports whether the mailbox is chosen, and the reason for a person:
// which pattern decided.
func (s Selection) Select(m mail.Mailbox) (ok bool, reason string) {
	if m.NoSelect {
		return false, "holds no messages"
	}
	for _, pattern := range s.Exclude {
		if matches(pattern, m) {
			return false, fmt.Sprintf(`excluded by "%s"`, pattern)
		}
	}
	if s.Include == nil {
		return true, `included by "*"`
	}
	for _, pattern := range s.Include {
		if matches(pattern, m) {
			return true, fmt.Sprintf(`included by "%s"`, pattern)
		}
	}
	return false, "not included"
}

// matches reports whether the mailbox is meant by the pattern.
func matches(pattern string, m mail.Mailbox) bool {
	if strings.HasPrefix(pattern, `\`) {
		for _, use := range m.Use {
			if strings.EqualFold(use, pattern) {
				return true
			}
		}
		return false
	}
	name := string(m.Name)
	if strings.EqualFold(name, string(mail.Inbox)) {
		return glob(strings.ToUpper(pattern), strings.ToUpper(name))
	}
	return glob(pattern, name)
}

// glob matches without recursion: only the last star is ever tried again, so
// that a hostile name costs at most its length times the pattern's.
func glob(pattern, name string) bool {
	p, n := 0, 0
	star, mark := -1, 0 // behind the last star, and where it stopped eating
	for n < len(name) {
		_, width := utf8.DecodeRuneInString(name[n:])
		switch {
		case p < len(pattern) && pattern[p] == '*':
			p++
			star, mark = p, n
		case p < len(pattern) && pattern[p] == '?':
			p++
			n += width
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			_, width = utf8.DecodeRuneInString(name[mark:])
			mark += width
			p, n = star, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
