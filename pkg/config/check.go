package config

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"mailpull/pkg/secret"
)

// check looks at what no single key can know. Where a key has a mistake of
// its own, nothing more is said about it.
func (w *walk) check(d *document) {
	w.checkAccounts(d)
	w.checkSchedule("defaults", &d.defaults)
	w.checkSecret("defaults.hooks.ping_url", d.defaults.Hooks.PingURL)
	w.checkFolders(d)
}

// checkAccounts looks at each account by itself, and at their names.
func (w *walk) checkAccounts(d *document) {
	for i, a := range d.accounts {
		at := fmt.Sprintf("accounts[%d]", i)
		w.checkProtocol(at, a)
		w.checkSchedule(at, a)
		w.checkSince(at, a)
		w.checkSecret(at+".hooks.ping_url", a.Hooks.PingURL)
		w.checkName(at+".name", a.Name)
	}
}

// checkName refuses two accounts that a file system might put in one folder.
func (w *walk) checkName(at, name string) {
	if !w.good(at) {
		return
	}
	same, taken := w.names[strings.ToLower(name)]
	switch {
	case taken && same == name:
		w.mistake(at, nil, "%q names an account already; two cannot share a Maildir", name)
	case taken:
		w.mistake(at, nil, "%q and %q differ only in case; on some file systems they would share a Maildir", name, same)
	}
	w.names[strings.ToLower(name)] = name
}

// checkProtocol wants one server for each account.
func (w *walk) checkProtocol(at string, a *Account) {
	switch imap, pop3 := w.has(at+".imap"), w.has(at+".pop3"); {
	case imap && pop3:
		w.mistake(at+".pop3", nil, "an account has imap or pop3, not both; make two accounts")
		return
	case imap:
		a.Protocol = IMAP
	case pop3:
		a.Protocol = POP3
	default:
		if w.good(at) {
			w.mistake(at, nil, "has no server; it needs imap or pop3 with the keys of the server below it")
		}
		return
	}
	server := join(at, string(a.Protocol))
	w.checkSecurity(server, a)
	w.checkSecret(server+".password", a.Password)
}

// checkSecurity keeps the password off a network without TLS, unless the
// configuration asks for it in so many words.
func (w *walk) checkSecurity(at string, a *Account) {
	if w.bad[at+".security"] {
		return
	}
	none := a.Security == None
	switch {
	case a.AllowPlaintext && !none:
		w.mistake(at+".allow_plaintext", nil, "has a meaning only with security none; delete it")
	case none && w.has(at+".tls"):
		w.mistake(at+".tls", nil, "has no meaning with security none; delete one of the two")
	case none && w.good(at+".host") && !isLoopback(a.Host) && !a.AllowPlaintext && !w.bad[at+".allow_plaintext"]:
		w.mistake(at+".security", nil, "none sends the password to %s as plain text for everybody on the way to read;"+
			" write tls or starttls, or allow it with allow_plaintext", quote(a.Host))
	}
}

// isLoopback reports whether what is sent to the host stays on this machine.
func isLoopback(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// checkSecret wants one source in a mapping. Of a single value, its reader has
// said all.
func (w *walk) checkSecret(at string, s secret.Source) {
	for _, source := range []string{"file", "command", "env", "credential"} {
		if w.bad[join(at, source)] {
			return
		}
	}
	if w.good(at) && s.Kind() == "" {
		w.mistake(at, nil, "needs exactly one of file, command, env or credential")
	}
}

// checkFolders keeps records and mail apart: only messages lie in a Maildir.
func (w *walk) checkFolders(d *document) {
	if !w.good("archive") || w.bad["state"] {
		return
	}
	if samePath(d.archive, d.state) {
		w.mistake("state", nil, "is the same folder as archive; give the records a folder of their own")
		return
	}
	w.checkPlaces(d)
}

// checkPlaces does the same for the folder of each account.
func (w *walk) checkPlaces(d *document) {
	for i, a := range d.accounts {
		if !w.good(fmt.Sprintf("accounts[%d].name", i)) {
			continue
		}
		switch {
		case inside(d.state, filepath.Join(d.archive, a.Name)):
			w.mistake("state", nil, "lies in the Maildir of account %q, which is archive/%s; choose another folder", a.Name, a.Name)
		case inside(d.archive, filepath.Join(d.state, a.Name)):
			w.mistake("archive", nil, "lies in the records of account %q, which are in state/%s; choose another folder", a.Name, a.Name)
		}
	}
}

// samePath compares as a file system does that folds case.
func samePath(a, b string) bool { return strings.EqualFold(a, b) }

// inside reports whether path is folder or lies below it.
func inside(path, folder string) bool {
	separator := string(filepath.Separator)
	path, folder = strings.ToLower(path)+separator, strings.ToLower(folder)+separator
	return strings.HasPrefix(path, folder)
}
