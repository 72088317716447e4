// Package signin holds what a person signs in with, and puts it into the forms
// that IMAP and POP3 send: SASL PLAIN, IMAP's LOGIN, POP3's USER and PASS.
//
// The one thing to know: the plain text of the password leaves this package
// only as something to write to a connection, and Redact takes it out of
// whatever comes back, because servers do echo what they were sent.
package signin

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"

	"mailpull/pkg/secret"
)

// Errors that say what is wrong with a user name or a password. None of them
// holds either.
var (
	// ErrEmpty says that the user name or the password is empty. An empty
	// password is refused here because some servers take it for a guest's.
	ErrEmpty = errors.New("the user name or the password is empty")

	// ErrUnsendable says that the user name or the password holds CR, LF or
	// NUL. A line end would let it carry commands of its own.
	ErrUnsendable = errors.New("the user name or the password holds a line end or a NUL")
)

// Login says who signs in. It does no I/O until Resolve.
type Login struct {
	// Username is sent as it is.
	Username string

	// Password is asked at each sign-in, so that a changed password is taken
	// up without a restart.
	Password func(ctx context.Context) (secret.String, error)
}

// Resolve asks for the password and checks that both can be sent. An error
// from Password comes wrapped; the others are ErrEmpty and ErrUnsendable.
func (l Login) Resolve(ctx context.Context) (*Credentials, error) {
	if l.Password == nil {
		return nil, fmt.Errorf("password: %w", ErrEmpty)
	}
	password, err := l.Password(ctx)
	if err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	if l.Username == "" || password.Reveal() == "" {
		return nil, ErrEmpty
	}
	if strings.ContainsAny(l.Username+password.Reveal(), "\r\n\x00") {
		return nil, ErrUnsendable
	}
	return &Credentials{username: l.Username, password: password}, nil
}

// Credentials are a user name and a password, both sendable on one line. They
// never change and may be used from any goroutine.
type Credentials struct {
	username string
	password secret.String
}

// Username returns the user name, for IMAP's LOGIN and POP3's USER.
func (c *Credentials) Username() string { return c.username }

// Password returns the password, for IMAP's LOGIN and POP3's PASS.
func (c *Credentials) Password() secret.String { return c.password }

// Plain returns the initial response of SASL PLAIN (RFC 4616) in base64, as
// AUTHENTICATE and AUTH carry it (RFC 9051 section 6.2.2, RFC 5034 section 4).
func (c *Credentials) Plain() (secret.String, error) {
	_, response, err := sasl.NewPlainClient("", c.username, c.password.Reveal()).Start()
	if err != nil {
		return secret.String{}, fmt.Errorf("sasl plain: %w", err)
	}
	return secret.New(base64.StdEncoding.EncodeToString(response)), nil
}

// Redact replaces the password in a text that a server sent: as it is, as a
// quoted string carries it, in base64, inside the response of PLAIN, in
// hexadecimal digits, and as a URL carries it. Call it before the text is cut
// or escaped, or it will not be recognised.
func (c *Credentials) Redact(text string) string {
	for _, form := range forms(c.username, c.password.Reveal()) {
		text = strings.ReplaceAll(text, form, secret.Redacted)
	}
	return text
}

// forms lists what a password can look like, each before those that are parts
// of it.
func forms(username, plain string) []string {
	quoted, digits := strconv.Quote(plain), hex.EncodeToString([]byte(plain))
	return []string{
		base64.StdEncoding.EncodeToString([]byte("\x00" + username + "\x00" + plain)),
		quoted[1 : len(quoted)-1],
		Escape(plain),
		url.QueryEscape(plain),
		url.PathEscape(plain),
		plain,
		base64.StdEncoding.EncodeToString([]byte(plain)),
		digits,
		strings.ToUpper(digits),
	}
}

// Escape escapes what a quoted string must (RFC 9051 section 4.3).
func Escape(s string) string {
	// Not a strings.Replacer: it builds tables of 16 KB, and this is done for
	// each text that a server sends.
	return strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`)
}

// Quote returns s as an IMAP quoted string; ok is false when it needs a
// literal, because it is not plain ASCII text (RFC 9051 section 4.3).
func Quote(s string) (quoted string, ok bool) {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return "", false
		}
	}
	return `"` + Escape(s) + `"`, true
}
