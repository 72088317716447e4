package maildir

import (
	"encoding/hex"
	"strings"

	"mailpull/pkg/mail"
)

// MailboxPath returns the levels of the mailbox that a folder holds, given the
// folder's path components below the account's directory. ok is false for a
// name that this package does not write, and for one that was cut: the manifest
// knows the mailboxes of those.
func MailboxPath(layout Layout, folder []string) (path []string, ok bool) {
	path, ok = decodeFolder(layout, folder)
	if !ok {
		return nil, false
	}
	// Each mailbox has one name, or one more after a clash: what reads well
	// and is neither of them was made by somebody else.
	want := folderName(layout, path)
	if len(want) != len(folder) {
		return nil, false
	}
	for i, component := range folder {
		if component != want[i] && component != clashForm(want[i]) {
			return nil, false
		}
	}
	return path, true
}

func decodeFolder(layout Layout, folder []string) ([]string, bool) {
	if layout == FS {
		return decodeLevels(folder)
	}
	switch {
	case len(folder) == 0:
		return []string{string(mail.Inbox)}, true
	case len(folder) > 1 || !strings.HasPrefix(folder[0], "."):
		return nil, false
	}
	return decodeLevels(strings.Split(folder[0][1:], "."))
}

func decodeLevels(encoded []string) ([]string, bool) {
	path := make([]string, 0, len(encoded))
	for _, e := range encoded {
		level, ok := decodeLevel(e)
		if !ok {
			return nil, false
		}
		path = append(path, level)
	}
	return path, len(path) > 0
}

// decodeLevel reads what encodeLevel wrote, with or without the pattern of
// capitals behind it.
func decodeLevel(encoded string) (string, bool) {
	encoded, _, _ = strings.Cut(encoded, caseMark)
	if encoded == emptyMark {
		return "", true
	}
	var level []byte
	for encoded != "" {
		token := encoded[:tokenLen(encoded)]
		encoded = encoded[len(token):]
		decoded, ok := decodeToken(token)
		if !ok {
			return "", false
		}
		level = append(level, decoded...)
	}
	return string(level), len(level) > 0
}

// decodeToken reads one escape or one plain byte.
func decodeToken(token string) ([]byte, bool) {
	switch {
	case token == "&-":
		return []byte{'&'}, true
	case token == "&", token == "=":
		return nil, false
	case token[0] == '&':
		return decodeShifted(token[1 : len(token)-1])
	case token[0] == '=':
		b, err := hex.DecodeString(token[1:])
		return b, err == nil
	}
	return []byte(token), true
}
