package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// surroundings is what a configuration means beside its own text.
type surroundings struct {
	// file is the name that stands in front of every mistake.
	file string

	// dir is the absolute folder that relative paths start from.
	dir string

	// env looks up an environment variable.
	env func(name string) (string, bool)

	// expand is set where ${NAME} stands for a variable.
	expand bool

	// root is set when the process runs as root.
	root bool
}

// surroundingsOf returns the surroundings of a configuration file.
func surroundingsOf(file string) (*surroundings, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", printable(file), err)
	}
	return &surroundings{
		file: file, dir: filepath.Dir(abs), env: os.LookupEnv, expand: true, root: os.Geteuid() == 0,
	}, nil
}

// expanded replaces each ${NAME} by the variable's value and each $$ by a
// dollar. It runs after the YAML was parsed, so that a value cannot change
// what the file means.
func (s *surroundings) expanded(text string) (string, error) {
	if !s.expand {
		return text, nil
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if rest, dollar := strings.CutPrefix(after, "$"); dollar {
			b.WriteByte('$')
			text = rest
			continue
		}
		name, rest, closed := strings.Cut(strings.TrimPrefix(after, "{"), "}")
		if !strings.HasPrefix(after, "{") || !closed || !variableSyntax.MatchString(name) {
			return "", errors.New("holds a $ that begins no ${NAME}; write $$ for a dollar")
		}
		value, ok := s.env(name)
		if !ok {
			return "", fmt.Errorf("the variable %s is not set in the environment; set it, or write $$ for a dollar", quote(name))
		}
		b.WriteString(value)
		text = rest
	}
}

// absolute resolves a path: "~/" is the home folder, and a relative path
// starts from the configuration's folder.
func (s *surroundings) absolute(path string) (string, error) {
	if path == "" {
		return "", errors.New("is empty after its variables were replaced")
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, _ := s.env("HOME")
		if !filepath.IsAbs(home) {
			return "", errors.New("begins with ~/, and $HOME is not an absolute path; write the path out")
		}
		return filepath.Join(home, rest), nil
	}
	if strings.HasPrefix(path, "~") {
		return "", errors.New("only ~/ is known, for the own home folder; write another path out, or ./~ for a name that begins so")
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	return filepath.Join(s.dir, path), nil
}

// defaultState returns where records are kept when nothing says so.
func (s *surroundings) defaultState() (string, error) {
	// systemd sets it for StateDirectory=; more than one are joined by colons
	// (systemd.exec(5)).
	if dirs, _ := s.env("STATE_DIRECTORY"); dirs != "" {
		dir, _, _ := strings.Cut(dirs, ":")
		if filepath.IsAbs(dir) {
			return filepath.Clean(dir), nil
		}
	}
	// Root has one place whatever its variables say, because sudo and cron set
	// different ones, and two states would mean to forget what was delivered.
	if s.root {
		return "/var/lib/mailpull", nil
	}
	// A relative path is to be ignored (XDG Base Directory Specification).
	if dir, _ := s.env("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "mailpull"), nil
	}
	if home, _ := s.env("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "mailpull"), nil
	}
	return "", errors.New("has no default here, because neither $STATE_DIRECTORY, $XDG_STATE_HOME nor $HOME is set; write a path")
}
