package maildir

import (
	"strings"

	"mailpull/pkg/durable"
)

// siblings are the names in one directory, as they were when it was first
// looked at and with those that were chosen since. It is how mailboxes that
// differ only in case are kept apart; the package comment says why.
type siblings struct {
	names  map[string]bool
	folded map[string]bool
}

// readSiblings reads a directory's names.
func readSiblings(dir durable.Dir) (*siblings, error) {
	s := &siblings{names: make(map[string]bool), folded: make(map[string]bool)}
	err := dir.Names(func(name string, isDir bool) error {
		if isDir {
			s.add(name)
		}
		return nil
	})
	return s, err
}

func (s *siblings) add(name string) {
	s.names[name] = true
	s.folded[fold(name)] = true
}

// choose returns the name that the folder called plain has, or will have, among
// its siblings. What is there already decides, so the choice is for ever.
func (s *siblings) choose(plain string) string {
	other := clashForm(plain)
	switch {
	case s.names[other]:
		return other
	case s.names[plain] || !s.folded[fold(plain)]:
		return plain
	}
	return other
}

// fold makes names equal that a file system which folds case takes for one.
// They are ASCII, so every such file system agrees.
func fold(name string) string { return strings.ToLower(name) }
