package imap

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"mailpull/pkg/mail"
)

// rawMark begins the name of a mailbox whose wire name does not decode. No
// decoded name holds it, so no two wire names give one name.
const rawMark = string(utf8.RuneError)

// utf7Base64 is base64 with a comma in place of the slash and without
// padding, as modified UTF-7 wants it.
var utf7Base64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// mailboxName returns what mailpull calls the mailbox with this name on the
// wire. INBOX is one mailbox in whatever case it is written (RFC 9051 section
// 5.1). Every other name is decoded from modified UTF-7 (RFC 3501 section
// 5.1.3) if encoding the result gives the same bytes again; else the bytes are
// kept behind rawMark. So the function is injective but for INBOX.
func mailboxName(wireName string) mail.MailboxName {
	if strings.EqualFold(wireName, string(mail.Inbox)) {
		return mail.Inbox
	}
	name, ok := decodeUTF7(wireName)
	if !ok || !printable(name) || encodeUTF7(name) != wireName {
		return mail.MailboxName(rawMark + wireName)
	}
	return mail.MailboxName(name)
}

// printable reports whether a decoded name is safe to be shown and holds no
// rawMark.
func printable(name string) bool {
	for _, r := range name {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// decodeUTF7 decodes modified UTF-7. It is lenient in what encodeUTF7 would
// have written otherwise, because its caller encodes the result to compare.
func decodeUTF7(s string) (string, bool) {
	var b strings.Builder
	for s != "" {
		if c := s[0]; c != '&' {
			if c < ' ' || c > '~' {
				return "", false
			}
			b.WriteByte(c)
			s = s[1:]
			continue
		}
		shifted, rest, closed := strings.Cut(s[1:], "-")
		if !closed {
			return "", false
		}
		s = rest
		if shifted == "" {
			b.WriteByte('&')
			continue
		}
		if !decodeShifted(&b, shifted) {
			return "", false
		}
	}
	return b.String(), true
}

// decodeShifted decodes one run of base64, which holds UTF-16.
func decodeShifted(b *strings.Builder, shifted string) bool {
	raw, err := utf7Base64.DecodeString(shifted)
	if err != nil || len(raw)%2 != 0 {
		return false
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
	}
	// A lone surrogate decodes to U+FFFD, which no decoded name may hold.
	for _, r := range utf16.Decode(units) {
		b.WriteRune(r)
	}
	return true
}

// encodeUTF7 returns the one encoding of a name in modified UTF-7: printable
// ASCII stands for itself, and each longest run of anything else is one run of
// base64.
func encodeUTF7(name string) string {
	var b strings.Builder
	var units []uint16
	flush := func() {
		if len(units) == 0 {
			return
		}
		raw := make([]byte, 0, 2*len(units))
		for _, u := range units {
			raw = append(raw, byte(u>>8), byte(u))
		}
		b.WriteByte('&')
		b.WriteString(utf7Base64.EncodeToString(raw))
		b.WriteByte('-')
		units = units[:0]
	}
	for _, r := range name {
		if r < ' ' || r > '~' {
			units = utf16.AppendRune(units, r)
			continue
		}
		flush()
		if r == '&' {
			b.WriteString("&-")
			continue
		}
		b.WriteByte(byte(r))
	}
	flush()
	return b.String()
}

// delimiterOf returns the hierarchy delimiter that a LIST answer names: one
// rune, or zero for a flat name. What is neither counts as flat, because a
// mailbox with a strange delimiter still holds mail.
func delimiterOf(wireDelimiter string) rune {
	r, size := utf8.DecodeRuneInString(wireDelimiter)
	if r == utf8.RuneError || size != len(wireDelimiter) {
		return 0
	}
	return r
}
