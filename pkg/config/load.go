package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"gopkg.in/yaml.v3"

	"mailpull/pkg/secret"
)

// Load reads and checks the configuration file at path. It opens nothing else:
// no password, no certificate, no folder.
//
// Mistakes in the file come as Errors. A file that holds a password and that
// others can read is a mistake too. Where the file cannot be read, the cause
// is in the chain, such as fs.ErrNotExist.
func Load(path string) (*Config, error) {
	data, mode, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, data, mode)
}

// Parse checks a configuration that was read before. Its name stands in front
// of every mistake, and relative paths start from the name's folder.
func Parse(name string, data []byte) (*Config, error) { return parse(name, data, 0) }

// readFile reads a file up to one byte above maxSize, and its mode.
func readFile(path string) ([]byte, fs.FileMode, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, readError(path, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, 0, readError(path, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, 0, readError(path, err)
	}
	return data, info.Mode(), nil
}

func readError(path string, err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return fmt.Errorf("configuration %s: %w", printable(path), err)
}

func parse(name string, data []byte, mode fs.FileMode) (*Config, error) {
	s, err := surroundingsOf(name)
	if err != nil {
		return nil, err
	}
	d := new(document)
	w := newWalk(s)
	if root := w.parseYAML(data); root != nil {
		w.document(d, root)
		w.checkMode(d, mode)
	}
	return w.finish(d)
}

// document reads the root node into d and checks it.
func (w *walk) document(d *document, root *yaml.Node) {
	w.value("", root, field{fields: d.fields()})
	if !w.has("state") {
		state, err := w.defaultState()
		if err != nil {
			w.mistake("state", nil, "%v", err)
		}
		d.state = state
	}
	w.check(d)
}

// checkMode refuses a file with a password in it that others can read.
func (w *walk) checkMode(d *document, mode fs.FileMode) {
	if mode.Perm()&0o044 == 0 {
		return
	}
	w.checkPingMode("defaults", &d.defaults)
	for i, a := range d.accounts {
		w.checkPingMode(fmt.Sprintf("accounts[%d]", i), a)
		if a.Password.Plain.IsZero() {
			continue
		}
		for _, protocol := range []Protocol{IMAP, POP3} {
			at := fmt.Sprintf("accounts[%d].%s.password", i, protocol)
			if w.has(at) {
				w.mistake(at, nil, "other users can read this file and the password in it; type: %s", secret.ChmodLine(w.file))
			}
		}
	}
}

// checkPingMode does the same for the address of a monitor.
func (w *walk) checkPingMode(at string, a *Account) {
	if at += ".hooks.ping_url"; w.has(at) && !a.Hooks.PingURL.Plain.IsZero() {
		w.mistake(at, nil, "other users can read this file and the address in it; type: %s", secret.ChmodLine(w.file))
	}
}

// finish returns the configuration with its defaults, or all mistakes.
func (w *walk) finish(d *document) (*Config, error) {
	if len(w.errs) > 0 {
		return nil, w.errs.sorted()
	}
	c := &Config{Archive: d.archive, State: d.state, Daemon: d.daemon.withDefaults()}
	for _, a := range d.accounts {
		a.withDefaults(&d.defaults)
		c.Accounts = append(c.Accounts, *a)
	}
	return c, nil
}
