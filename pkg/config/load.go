package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"

	"mailpull/pkg/secret"
)

// Load reads and checks the configuration file at path. It opens nothing else:
// no password, no certificate, no folder.
//
// Beside the file there may be a folder conf.d, whose files *.yaml have more
// accounts and nothing else.
//
// Mistakes in the files come as Errors. A file that holds a password and that
// others can read is a mistake too. Where a file cannot be read, the cause is in
// the chain, such as fs.ErrNotExist.
func Load(path string) (*Config, error) {
	data, mode, err := readFile(path)
	if err != nil {
		return nil, err
	}
	more, err := filepath.Glob(filepath.Join(escapeGlob(filepath.Dir(path)), "conf.d", "*.yaml"))
	if err != nil {
		return nil, readError(path, err)
	}
	return parse(path, data, mode, more)
}

// escapeGlob writes a path so that a pattern means it as it is.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// Parse checks a configuration that was read before. Its name stands in front
// of every mistake, and relative paths start from the name's folder.
func Parse(name string, data []byte) (*Config, error) { return parse(name, data, 0, nil) }

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

func parse(name string, data []byte, mode fs.FileMode, more []string) (*Config, error) {
	s, err := surroundingsOf(name)
	if err != nil {
		return nil, err
	}
	d := &document{elsewhere: len(more) > 0}
	w := newWalk(s)
	if root := w.parseYAML(data); root != nil {
		w.document(d, root)
		w.checkMode(d, mode)
	}
	mistakes := w.errs.sorted()
	for _, file := range more {
		found, err := w.addFrom(file, d)
		if err != nil {
			return nil, err
		}
		mistakes = append(mistakes, found...)
	}
	w.errs = mistakes
	return w.finish(d)
}

// addFrom reads the accounts of another file into d, and returns its mistakes.
func (w *walk) addFrom(file string, d *document) (Errors, error) {
	data, mode, err := readFile(file)
	if err != nil {
		return nil, err
	}
	s, err := surroundingsOf(file)
	if err != nil {
		return nil, err
	}
	s.dir = w.dir // relative paths start where those of the first file do
	own := newWalk(s)
	own.names = w.names
	more := &document{archive: d.archive, state: d.state}
	if root := own.parseYAML(data); root != nil {
		own.value("", root, field{fields: []field{more.accountsField(true)}})
		own.checkAccounts(more)
		if w.good("archive") && !w.bad["state"] {
			own.checkPlaces(more)
		}
		own.checkMode(more, mode)
	}
	d.accounts = append(d.accounts, more.accounts...)
	return own.errs.sorted(), nil
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
		return nil, w.errs
	}
	c := &Config{Archive: d.archive, State: d.state, RateLimit: d.rateLimit, Daemon: d.daemon.withDefaults()}
	for _, a := range d.accounts {
		a.withDefaults(&d.defaults)
		c.Accounts = append(c.Accounts, *a)
	}
	return c, nil
}
