package maildir

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"unicode/utf8"

	"mailpull/pkg/mail"
)

// Layout says how mailboxes become folders. The package comment has the rules.
type Layout string

// The layouts. The empty one is Maildirpp, which is what Dovecot expects when
// it is told nothing.
const (
	Maildirpp Layout = "maildir++" // INBOX at the root, ".Work.2024" beside
	FS        Layout = "fs"        // nested folders
)

const (
	// maxName is the longest file name of every file system in use.
	maxName = 255

	// maxDepth is how deep folders nest in layout FS. What lies below is one
	// folder, so that no server can build a tree which tools choke on.
	maxDepth = 16
)

const (
	emptyMark = "=n" // an empty level
	caseMark  = "=u" // the pattern of capitals follows
	cutMark   = "=h" // the hash of the whole name follows
)

// cutEncoding has one case only, for file systems that fold case.
var cutEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// cutHashLen is the length of a cut name's hash: 160 bits, so that nobody can
// make two names with the same one.
const cutHashLen = 32

// folderName returns the folder of a mailbox, as path components below the
// account's directory; none for INBOX in layout Maildirpp.
func folderName(layout Layout, path []string) []string {
	if len(path) == 1 && path[0] == string(mail.Inbox) {
		if layout != FS {
			return nil
		}
		return []string{string(mail.Inbox)}
	}

	encoded := make([]string, len(path))
	for i, level := range path {
		encoded[i] = encodeLevel(layout, level)
	}
	if path[0] != string(mail.Inbox) && strings.EqualFold(path[0], string(mail.Inbox)) {
		encoded[0] = caseForm(encoded[0])
	}

	if layout != FS {
		name := "." + strings.Join(encoded, ".")
		if len(name) > maxName {
			name = "." + cut(layout, path, encoded, ".", maxName-1)
		}
		return []string{name}
	}
	deep := min(len(path), maxDepth)
	for i := range deep {
		if len(encoded[i]) > maxName {
			encoded[i] = cut(layout, path[i:i+1], encoded[i:i+1], "/", maxName)
		}
	}
	if len(path) > maxDepth {
		last := maxDepth - 1
		encoded[last] = cut(layout, path[last:last+1], encoded[last:], "/", maxName)
	}
	return encoded[:deep]
}

// encodeLevel writes one level of a mailbox's name.
func encodeLevel(layout Layout, level string) string {
	if level == "" {
		return emptyMark
	}
	var out []byte
	var run []rune
	for i := 0; i < len(level); {
		r, size := utf8.DecodeRuneInString(level[i:])
		if r >= utf8.RuneSelf && (r != utf8.RuneError || size > 1) {
			run = append(run, r)
			i += size
			continue
		}
		out = appendShifted(out, run)
		run = run[:0]
		out = appendByte(out, layout, level, i)
		i++
	}
	return string(appendShifted(out, run))
}

// appendByte writes the byte at i, which is ASCII or no UTF-8.
func appendByte(out []byte, layout Layout, level string, i int) []byte {
	switch c := level[i]; {
	case c == '&':
		return append(out, "&-"...)
	case mustEscape(layout, level, i), i == 0 && reserved(layout, level):
		return append(out, '=', hexDigits[c>>4], hexDigits[c&15])
	default:
		return append(out, c)
	}
}

const hexDigits = "0123456789abcdef"

// mustEscape reports whether the byte at i can not stand for itself.
func mustEscape(layout Layout, level string, i int) bool {
	first, last := i == 0, i == len(level)-1
	switch c := level[i]; c {
	case '/', '=':
		return true
	case '.':
		// A leading dot hides a folder and ".." leaves it; trailing dots and
		// spaces vanish on SMB shares.
		return layout != FS || first || last
	case ' ':
		return last
	case '~':
		return first // a home directory, to Dovecot and to shells
	default:
		return c < ' ' || c >= 0x7f
	}
}

// reserved reports whether a folder of this name would stand in the place of
// something else in layout FS: the folders of the message store, or Dovecot's
// own files.
func reserved(layout Layout, level string) bool {
	if layout != FS {
		return false
	}
	switch lower := strings.ToLower(level); lower {
	case "cur", "new", "tmp", "subscriptions", "maildirfolder":
		return true
	default:
		return strings.HasPrefix(lower, "dovecot.") || strings.HasPrefix(lower, "dovecot-")
	}
}

// cut returns as much of the levels of path as fits into max bytes together
// with the hash of all levels in encoded.
func cut(layout Layout, path, encoded []string, separator string, max int) string {
	sum := sha256.Sum256([]byte(strings.Join(encoded, "/")))
	hash := cutMark + cutEncoding.EncodeToString(sum[:])[:cutHashLen]

	head, between := "", ""
	for i, level := range path {
		room := max - len(hash) - len(head) - len(between)
		if len(encoded[i]) > room {
			head += between + cutLevel(layout, level, room)
			break
		}
		head += between + encoded[i]
		between = separator
	}
	return head[:min(len(head), max-len(hash))] + hash
}

// cutLevel encodes as many characters of a level as fit into max bytes. It
// counts characters and not bytes of the encoded name, of which no part makes
// sense.
func cutLevel(layout Layout, level string, max int) string {
	level = level[:min(len(level), 4*maxName)] // no character makes less than a quarter byte
	for level != "" {
		_, size := utf8.DecodeLastRuneInString(level)
		level = level[:len(level)-size]
		if e := encodeLevel(layout, level); len(e) <= max && level != "" {
			return e
		}
	}
	return ""
}

// caseForm adds the pattern of capitals to a folder's name: a bit per letter,
// the first letter highest, without the zeros at the end. Two names that
// differ in nothing but case never have the same one.
func caseForm(name string) string {
	var bits []byte
	letters := 0
	for i := range len(name) {
		c := name[i]
		if (c|0x20) < 'a' || (c|0x20) > 'z' {
			continue
		}
		if letters%4 == 0 {
			bits = append(bits, 0)
		}
		if c < 'a' {
			bits[letters/4] |= 8 >> (letters % 4)
		}
		letters++
	}
	for i, b := range bits {
		bits[i] = hexDigits[b]
	}
	return name + caseMark + strings.TrimRight(string(bits), "0")
}

// clashForm is the name that a mailbox's folder component has when name is
// taken by one that differs in nothing but case.
func clashForm(name string) string {
	form := caseForm(name)
	if len(form) <= maxName {
		return form
	}
	// The hash of the whole name tells its case as well.
	sum := sha256.Sum256([]byte(name))
	hash := cutMark + cutEncoding.EncodeToString(sum[:])[:cutHashLen]
	return safePrefix(name, maxName-len(hash)) + hash
}

// safePrefix returns the longest beginning of an encoded name that is at most
// max bytes long and ends in no half of an escape.
func safePrefix(name string, max int) string {
	end := 0
	for end < len(name) {
		next := end + tokenLen(name[end:])
		if next > max {
			break
		}
		end = next
	}
	return name[:end]
}

// tokenLen is the length of the escape or the plain byte that text, which is
// not empty, begins with.
func tokenLen(text string) int {
	switch {
	case text[0] == '&' && strings.Contains(text, "-"):
		return strings.IndexByte(text, '-') + 1
	case text[0] == '=' && len(text) >= 3:
		return 3
	}
	return 1
}
