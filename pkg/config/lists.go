package config

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// texts reads a list of texts. The ones with a mistake are empty, and ok is
// then false.
func (w *walk) texts(at string, n *yaml.Node, example string) (values []string, ok bool) {
	if n.Kind != yaml.SequenceNode {
		w.mistake(at, n, "is %s; it needs a list, such as %s", kind(n), example)
		return nil, false
	}
	ok = true
	values = make([]string, 0, len(n.Content))
	for i, item := range n.Content {
		value, good := w.text(fmt.Sprintf("%s[%d]", at, i), item)
		values = append(values, value)
		ok = ok && good
	}
	if !ok {
		w.bad[at] = true
	}
	return values, ok
}

// command reads a program with its arguments.
func command(dst *[]string) reader {
	return func(w *walk, at string, n *yaml.Node) {
		values, ok := w.texts(at, n, `["pass", "show", "mail/work"]; no shell reads it`)
		switch {
		case !ok:
		case len(values) == 0:
			w.mistake(at, n, `is empty; write the program and its arguments, such as ["pass", "show", "mail/work"]`)
		default:
			*dst = values
		}
	}
}

// patterns reads a list of patterns for mailboxes. An empty list that selects
// is a mistake: nothing would be pulled.
func patterns(dst *[]string, selects bool) reader {
	return func(w *walk, at string, n *yaml.Node) {
		values, ok := w.texts(at, n, `["*"]`)
		if ok && selects && len(values) == 0 {
			w.mistake(at, n, "is empty, so that nothing would be pulled; delete the key to pull everything")
			return
		}
		for i, value := range values {
			if strings.HasPrefix(value, `\`) && !isSpecialUse(value) {
				w.mistake(fmt.Sprintf("%s[%d]", at, i), n.Content[i], "%s is not a special-use word%s",
					inSingleQuotes(value), specialUseAdvice(value))
			}
		}
		*dst = values
	}
}

func isSpecialUse(word string) bool {
	for _, use := range specialUses() {
		if strings.EqualFold(use, word) {
			return true
		}
	}
	return false
}

// specialUseAdvice says which word to write instead.
func specialUseAdvice(word string) string {
	if use := nearest(word, specialUses()); use != "" {
		return fmt.Sprintf("; did you mean %s?", inSingleQuotes(use))
	}
	return "; write one of " + strings.Join(specialUses(), " ") + ", or ? for a backslash in a name"
}

// inSingleQuotes quotes a word with a backslash as YAML wants it, because
// people copy. Only printable ASCII comes through as it is.
func inSingleQuotes(word string) string {
	text := quote(word)
	return "'" + strings.ReplaceAll(strings.Trim(text, `"`), `\\`, `\`) + "'"
}
