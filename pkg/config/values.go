package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gopkg.in/yaml.v3"

	"mailpull/pkg/secret"
)

var (
	nameSyntax     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$`)
	variableSyntax = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	hostSyntax     = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)
)

// single returns the text of a single value of any type; ok is false, and the
// mistake reported, when there is none.
func (w *walk) single(at string, n *yaml.Node) (value string, ok bool) {
	switch {
	case n.Kind == yaml.AliasNode:
		w.mistake(at, n, "aliases (*name) are not supported; write the value out, or in quotes if it begins with *")
	case n.Kind != yaml.ScalarNode:
		w.mistake(at, n, "is %s; it needs a single value", kind(n))
	case n.Style&yaml.TaggedStyle != 0:
		w.mistake(at, n, "tags (!name) are not supported; put a text that begins with ! in quotes")
	case isNull(n):
		w.mistake(at, n, "is empty")
	default:
		return n.Value, true
	}
	return "", false
}

// text returns a single value that is a text without control characters.
func (w *walk) text(at string, n *yaml.Node) (string, bool) {
	value, ok := w.single(at, n)
	switch {
	case !ok:
		return "", false
	case n.Tag != "!!str":
		w.mistake(at, n, "is %s; put it in quotes if it is meant as a text", kind(n))
		return "", false
	case strings.ContainsFunc(value, unicode.IsControl):
		w.mistake(at, n, "holds a control character, such as a line end or a tab; remove it")
		return "", false
	}
	return value, true
}

// expandedText returns a text with its ${NAME}s replaced.
func (w *walk) expandedText(at string, n *yaml.Node) (string, bool) {
	value, ok := w.text(at, n)
	if !ok {
		return "", false
	}
	value, err := w.expanded(value)
	if err != nil {
		w.mistake(at, n, "%v", err)
		return "", false
	}
	if strings.ContainsFunc(value, unicode.IsControl) {
		w.mistake(at, n, "a variable in it holds a control character, such as a line end; correct the variable")
		return "", false
	}
	return value, true
}

// path reads a path and makes it absolute.
func path(dst *string) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.expandedText(at, n)
		if !ok {
			return
		}
		value, err := w.absolute(value)
		if err != nil {
			w.mistake(at, n, "%v", err)
			return
		}
		*dst = value
	}
}

func accountName(dst *string) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.text(at, n)
		if ok && !nameSyntax.MatchString(value) {
			w.mistake(at, n, "%s is not an account's name; write 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-',"+
				" not beginning with '.' or '-'", quote(value))
			return
		}
		*dst = value
	}
}

// host reads a host's name or an IP address.
func host(dst *string) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.expandedText(at, n)
		if !ok {
			return
		}
		if strings.Contains(value, "@") {
			// A pasted URL has a password before it, which is not shown.
			w.mistake(at, n, "is not a host's name; write what stands behind the @, and username and password as keys of their own")
			return
		}
		if advice := hostMistake(value); advice != "" {
			w.mistake(at, n, "%s is not a host's name; %s", quote(n.Value), advice)
			return
		}
		*dst = value
	}
}

// hostMistake says what to write instead of value, or nothing when it is a
// host's name or an IP address.
func hostMistake(value string) string {
	if _, err := netip.ParseAddr(value); err == nil {
		return ""
	}
	name, port, _ := strings.Cut(value, ":")
	_, noNumber := strconv.Atoi(port)
	switch {
	case strings.Contains(value, "://"):
		return "write it without the part up to //, and choose by security and port"
	case strings.HasPrefix(value, "["):
		return "write an IPv6 address without brackets, and the port as a key of its own"
	case hostSyntax.MatchString(name) && noNumber == nil:
		return "write the port as a key of its own, port: " + port
	case strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII }):
		return "write it in its ASCII form, which begins with xn--"
	case len(value) > 253 || !hostSyntax.MatchString(value):
		return "write a name such as imap.example.com, or an IP address"
	}
	return ""
}

// username reads a login. Control characters, which text refuses, would reach
// the wire.
func username(dst *string) reader {
	return func(w *walk, at string, n *yaml.Node) {
		if value, ok := w.expandedText(at, n); ok {
			*dst = value
		}
	}
}

// word reads one of a few words.
func word[T ~string](dst *T, what string, words ...T) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.single(at, n)
		if !ok {
			return
		}
		if !slices.Contains(words, T(value)) {
			w.mistake(at, n, "%s is not a %s; write %s", quote(value), what, alternatives(words))
			return
		}
		*dst = T(value)
	}
}

// alternatives writes "tls, starttls or none".
func alternatives[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

func number(dst *int, what string, least, most int) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.single(at, n)
		if !ok {
			return
		}
		i, err := strconv.Atoi(value)
		if err != nil || i < least || i > most {
			w.mistake(at, n, "%s is not a %s; write a number from %d to %d", quote(value), what, least, most)
			return
		}
		*dst = i
	}
}

func connections(dst *int) reader { return number(dst, "number of connections", 1, maxConnections) }

// boolean takes the two words of YAML 1.2 and not the yes and on of YAML 1.1,
// which mean different things to different programs.
func boolean(dst *bool) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.single(at, n)
		if !ok {
			return
		}
		if value != "true" && value != "false" {
			w.mistake(at, n, "%s is neither true nor false; write one of these", quote(value))
			return
		}
		*dst = value == "true"
	}
}

// interval reads the time from one pass to the next.
func interval(dst *time.Duration) reader { return duration(dst, "15m or 24h", minEvery, 0) }

// duration reads a time with a unit that is at least least, and at most most
// unless that is 0. examples are two that are good, for a person.
func duration(dst *time.Duration, examples string, least, most time.Duration) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.single(at, n)
		if !ok {
			return
		}
		d, err := time.ParseDuration(value)
		switch {
		case err != nil:
			w.mistake(at, n, "%s is not a duration; write for example %s", quote(value), examples)
		case d < least:
			w.mistake(at, n, "%s is too short; write %s or more", quote(value), shortDuration(least))
		case most != 0 && d > most:
			w.mistake(at, n, "%s is too long; write %s or less", quote(value), shortDuration(most))
		default:
			*dst = d
		}
	}
}

// plainPassword reads a password that stands in the file itself. No error
// shows any part of it.
func plainPassword(dst *secret.String) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.single(at, n)
		switch {
		case !ok:
		case n.Tag != "!!str":
			w.mistake(at, n, "is %s; put the password in quotes", kind(n))
		case strings.ContainsAny(value, "\r\n\x00"):
			w.mistake(at, n, "holds a line end or a NUL byte; write the password on one line, in quotes")
		case n.Style == 0 && n.LineComment != "":
			w.mistake(at, n, "what follows # is a comment and not a part of the password; put the password in quotes")
		default:
			*dst = secret.New(value)
		}
	}
}

// variable reads the name of an environment variable. What is no name may be
// the password itself, so the errors do not show it.
func variable(dst *string) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.text(at, n)
		if ok && !variableSyntax.MatchString(value) {
			w.mistake(at, n, "is not a variable's name; write letters, digits and '_', without $")
			return
		}
		*dst = value
	}
}

// credential reads the name of a systemd credential, and is as careful as
// variable.
func credential(dst *string) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.text(at, n)
		if ok && !secret.OneComponent(value) {
			w.mistake(at, n, "is not a credential's name; write the name that LoadCredential= gives it, without folders")
			return
		}
		*dst = value
	}
}
