package wire

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"mailpull/pkg/mail"
	"mailpull/pkg/signin"
)

// errNoMechanism says that the server takes no user name with a password.
var errNoMechanism = errors.New("the server offers no way to sign in with a password")

// credentials asks for the password.
func (o Options) credentials(ctx context.Context, p protocol) (*signin.Credentials, error) {
	credentials, err := o.Login.Resolve(ctx)
	var classified *mail.Error
	if err == nil || errors.As(err, &classified) || context.Cause(ctx) != nil ||
		errors.Is(err, signin.ErrEmpty) || errors.Is(err, signin.ErrUnsendable) {
		return credentials, err
	}
	e := &mail.Error{
		Op: string(p) + " sign in", Scope: mail.ScopeAccount, Class: mail.ClassConfig,
		Hint: "check what the configuration names under password", Err: err,
	}
	var command *exec.ExitError
	if errors.As(err, &command) || errors.Is(err, context.DeadlineExceeded) {
		// A program that knows the password may be waiting for somebody to
		// unlock it: this passes without a change to the configuration.
		e.Class = mail.ClassLocal
		e.Hint = "run the command under password by hand; it must print the password without asking anybody"
	}
	return nil, e
}

// signIn signs in by the best way that the server offers. It is reached only
// on a connection that is encrypted, or where plain text is permitted.
func (c *IMAP) signIn() error {
	if err := c.needCapabilities(); err != nil {
		return err
	}
	var r Response
	var err error
	switch {
	case c.Has("AUTH=PLAIN"):
		r, err = c.authenticate()
	case c.Has("LOGINDISABLED"):
		return c.noMechanism()
	default:
		r, err = c.login()
	}
	if err != nil {
		return err
	}
	if !r.OK() {
		refused := &refusal{r.Status}
		return refused.classify("imap sign in", mail.ClassAuth, mail.RetryNever)
	}
	// What was announced before no longer holds (RFC 9051 section 6.2.2).
	c.caps = nil
	if r.Code == "CAPABILITY" {
		c.learn(strings.Fields(r.CodeArgs))
	}
	return nil
}

func (c *IMAP) noMechanism() error {
	return &mail.Error{
		Op: "imap sign in", Scope: mail.ScopeAccount, Class: mail.ClassAuth, Retry: mail.RetryNever,
		Hint: "the server wants another way of signing in than a password; ask whoever runs it whether there are app passwords",
		Err:  errNoMechanism,
	}
}

// authenticate does AUTHENTICATE PLAIN, in one step where the server takes it
// (SASL-IR, RFC 4959).
func (c *IMAP) authenticate() (Response, error) {
	response, err := c.credentials.Plain()
	if err != nil {
		return Response{}, err
	}
	tag := c.nextTag()
	command := tag + " AUTHENTICATE PLAIN"
	if c.Has("SASL-IR") {
		return c.finish(tag, command+" "+response.Reveal())
	}
	if err := c.send(command); err != nil {
		return Response{}, err
	}
	if r, asked, err := c.asked(tag); !asked {
		return r, err
	}
	return c.finish(tag, response.Reveal())
}

// login does LOGIN (RFC 9051 section 6.2.3). What cannot be quoted goes as a
// literal, and only that: iCloud hangs up on literals here (2026).
func (c *IMAP) login() (Response, error) {
	tag := c.nextTag()
	line := tag + " LOGIN"
	for _, arg := range []string{c.credentials.Username(), c.credentials.Password().Reveal()} {
		if quoted, ok := signin.Quote(arg); ok {
			line += " " + quoted
			continue
		}
		if err := c.send(fmt.Sprintf("%s {%d}", line, len(arg))); err != nil {
			return Response{}, err
		}
		if r, asked, err := c.asked(tag); !asked {
			return r, err
		}
		line = arg
	}
	return c.finish(tag, line)
}

// asked waits for the server to ask for more; it reports false when it gave
// its answer instead, which must then be a refusal.
func (c *IMAP) asked(tag string) (Response, bool, error) {
	r, err := c.await(tag, nil)
	if err != nil {
		return Response{}, false, err
	}
	if r.OK() {
		return Response{}, false, c.in.fail(fmt.Errorf("%w: signed in before it was told who we are", ErrProtocol))
	}
	return r, r.Tag == "+", nil
}

// finish sends the last line of a sign-in and waits for its end.
func (c *IMAP) finish(tag, line string) (Response, error) {
	if err := c.send(line); err != nil {
		return Response{}, err
	}
	r, err := c.await(tag, nil)
	if err != nil {
		return Response{}, err
	}
	if r.Tag == "+" {
		return Response{}, c.in.fail(fmt.Errorf("%w: the server asks for more than a password", ErrProtocol))
	}
	return r, nil
}
