package config

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// field is one key of a mapping and how its value is read. One of read,
// fields, items and refuse is set; a field with both read and fields takes a
// mapping or a single value.
type field struct {
	name     string
	required bool

	// read reads a single value or a list of them.
	read reader

	// fields are the keys of a mapping below this key.
	fields []field

	// items is for a list of mappings. It is called once for each, to make
	// room for it, and returns its keys.
	items func() []field

	// refuse is why this version does not take a key that is known.
	refuse string

	// hush keeps unknown keys below this one out of errors, because there
	// they may be a password that was written without quotes.
	hush bool
}

// reader stores the value of a node or reports what is wrong with it.
type reader func(w *walk, at string, n *yaml.Node)

// walk is one way through a document. It collects the mistakes and remembers
// where every value stands, so that checks across keys can name a place.
type walk struct {
	*surroundings
	errs   Errors
	places map[string]*yaml.Node // values by path
	bad    map[string]bool       // paths with a mistake
	names  map[string]string     // accounts, by their names in lower case; of all files
}

func newWalk(s *surroundings) *walk {
	return &walk{surroundings: s, places: make(map[string]*yaml.Node), bad: make(map[string]bool), names: make(map[string]string)}
}

// mistake reports what is wrong at a path. A nil node means that the place is
// that of the path, or of the nearest one above it that is there.
func (w *walk) mistake(at string, n *yaml.Node, format string, args ...any) {
	w.bad[at] = true
	if n == nil {
		n = w.nearestPlace(at)
	}
	w.errs = append(w.errs, Error{
		File: w.file, Line: n.Line, Column: n.Column,
		Path: at, Text: fmt.Sprintf(format, args...),
	})
}

func (w *walk) nearestPlace(at string) *yaml.Node {
	for {
		if n := w.places[at]; n != nil {
			return n
		}
		if at == "" {
			return &yaml.Node{}
		}
		at = at[:max(0, strings.LastIndexAny(at, ".["))]
	}
}

// has reports whether the document has a value at the path.
func (w *walk) has(at string) bool { return w.places[at] != nil }

// good reports whether there is a value at the path without a mistake.
func (w *walk) good(at string) bool { return w.has(at) && !w.bad[at] }

// mapping reads a mapping by its table.
func (w *walk) mapping(at string, n *yaml.Node, f field) {
	if n.Kind != yaml.MappingNode {
		w.mistake(at, n, "is %s; it needs keys below it: %s", kind(n), names(f.fields))
		return
	}
	seen := make(map[string]int) // the line of each key
	meant := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		child, ok := w.key(at, key, f)
		if !ok {
			meant[nearest(key.Value, fieldNames(f.fields))] = true
			continue
		}
		if line, twice := seen[child.name]; twice {
			w.mistake(at, key, "the key %q stands here a second time; the first is in line %d", child.name, line)
			continue
		}
		seen[child.name] = key.Line
		if child.refuse != "" {
			w.mistake(join(at, child.name), key, "%s; delete the key", child.refuse)
			continue
		}
		w.value(join(at, child.name), value, child)
	}
	for _, child := range f.fields {
		if _, there := seen[child.name]; child.required && !there && !meant[child.name] {
			w.mistake(join(at, child.name), n, "is required and not there")
		}
	}
}

// key finds a key's row in the table.
func (w *walk) key(at string, key *yaml.Node, f field) (field, bool) {
	switch {
	case key.Kind == yaml.ScalarNode && key.Tag == "!!merge":
		w.mistake(at, key, "merge keys (<<) are not supported; write the keys out")
		return field{}, false
	case key.Kind != yaml.ScalarNode:
		w.mistake(at, key, "a key is one of: %s; it cannot be %s", names(f.fields), kind(key))
		return field{}, false
	}
	for _, child := range f.fields {
		if child.name == key.Value {
			return child, true
		}
	}
	if f.hush {
		w.mistake(at, key, `unknown key; use one of: %s, and put a password that begins with { or holds ": " in quotes`, names(f.fields))
		return field{}, false
	}
	if !keySyntax.MatchString(key.Value) {
		w.mistake(at, key, "what stands before the colon is no key%s", w.advice("", f))
		return field{}, false
	}
	w.mistake(at, key, "unknown key %s%s", quote(key.Value), w.advice(key.Value, f))
	return field{}, false
}

// keySyntax is what a misspelt key looks like. Anything else is not repeated
// in an error: when a file that is no configuration is named as one, such as
// a list of passwords, its lines must not reach a log.
var keySyntax = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,39}$`)

// advice says what to write instead of an unknown key of f. It says nothing
// once there are more mistakes than are shown, because it takes time.
func (w *walk) advice(key string, f field) string {
	if len(w.errs) > maxShown {
		return ""
	}
	if text := didYouMean(key, fieldNames(f.fields)); text != "" {
		return text
	}
	if text := elsewhere(key); text != "" {
		return text
	}
	return "; known here: " + names(f.fields)
}

// elsewhere says below which keys a key belongs that stands in a wrong place,
// as a wrong indentation makes it.
func elsewhere(name string) string {
	var above []string
	for _, path := range paths("", new(document).fields(), false) {
		if parent, ok := strings.CutSuffix(path, "."+name); ok {
			above = append(above, parent)
		}
	}
	if len(above) == 0 {
		return ""
	}
	return "; it belongs below " + strings.Join(above, " or ")
}

// value reads what stands behind a key.
func (w *walk) value(at string, n *yaml.Node, f field) {
	w.places[at] = n
	switch {
	case n.Kind == yaml.AliasNode:
		w.mistake(at, n, "aliases (*name) are not supported; write the value out, or in quotes if it begins with *")
	case n.Style&yaml.TaggedStyle != 0:
		w.mistake(at, n, "tags (!name) are not supported; put a text that begins with ! in quotes")
	case isNull(n):
		w.mistake(at, n, "is empty; write a value or delete the key")
	case f.items != nil:
		w.list(at, n, f)
	case f.read != nil && (f.fields == nil || n.Kind != yaml.MappingNode):
		f.read(w, at, n)
	default:
		w.mapping(at, n, f)
	}
}

// list reads a list of mappings.
func (w *walk) list(at string, n *yaml.Node, f field) {
	if n.Kind != yaml.SequenceNode {
		w.mistake(at, n, `is %s; it needs a list, each entry behind "- "`, kind(n))
		return
	}
	if len(n.Content) == 0 {
		w.mistake(at, n, "is empty; it needs at least one entry")
	}
	for i, item := range n.Content {
		w.value(fmt.Sprintf("%s[%d]", at, i), item, field{fields: f.items()})
	}
}

// kind says in plain words what a node is. It never repeats the node's text.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping of keys"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias (*name)"
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	default:
		return "a text"
	}
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && (n.Tag == "!!null" || n.Value == "")
}

// join appends a key to a path.
func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// paths lists the paths of all keys of a table, such as
// accounts[].imap.host, in the table's order. Keys that are refused are in it
// only if refused is set.
func paths(at string, fields []field, refused bool) []string {
	var all []string
	for _, f := range fields {
		if f.refuse != "" && !refused {
			continue
		}
		path := join(at, f.name)
		all = append(all, path)
		if f.items != nil {
			all = append(all, paths(path+"[]", f.items(), refused)...)
		}
		all = append(all, paths(path, f.fields, refused)...)
	}
	return all
}

// fieldNames lists the keys of a mapping, also those that are refused: whoever
// misspells one of these should be told.
func fieldNames(fields []field) []string {
	var list []string
	for _, f := range fields {
		list = append(list, f.name)
	}
	return list
}

// names lists the keys that a mapping takes, for a person.
func names(fields []field) string {
	var list []string
	for _, f := range fields {
		if f.refuse == "" {
			list = append(list, f.name)
		}
	}
	return strings.Join(list, ", ")
}
