package wire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/signin"
)

// pop3Listing is the default of Limits.Listing for POP3: a UIDL of a million
// lines fits in.
const pop3Listing = 128 << 20

// POP3 is a signed-in POP3 connection.
type POP3 struct {
	// Turn is for go-pop3 and for the caller's own commands. The caller
	// closes it.
	*Turn

	// Pipelining is set when the server takes commands before it has answered
	// the ones before (RFC 2449 section 6.6).
	Pipelining bool
}

// OpenPOP3 connects, reads the greeting, does STLS (RFC 2595) where the
// options ask for it, and signs in: by USER and PASS in one write where the
// server takes both at once, else by SASL PLAIN (RFC 5034) where it announces
// that, else by USER and PASS one after the other. APOP is never used, because
// its digest is MD5 and gives the password away to whoever can try.
//
// All of it together takes no longer than Limits.Open. Cancelling ctx closes
// the connection while OpenPOP3 runs, and means nothing afterwards. The error
// is a *mail.Error of ScopeAccount, and no password is in it whatever the
// server says.
func OpenPOP3(ctx context.Context, options Options) (*POP3, error) {
	setDefault(&options.Limits.Listing, pop3Listing)
	options = options.withDefaults(protocolPOP3)
	ctx, cancel := options.opening(ctx)
	defer cancel()

	credentials, err := options.credentials(ctx, protocolPOP3)
	if err != nil {
		return nil, options.failure(protocolPOP3, "sign in", causeOf(ctx, err))
	}
	conn, err := options.dial(ctx)
	if err != nil {
		return nil, options.failure(protocolPOP3, "connect", err)
	}
	stop := conn.CloseOn(ctx)
	opener := &pop3Opener{
		options:     options,
		credentials: credentials,
		turn:        newTurn(conn, credentials.Redact),
	}
	err = opener.open(ctx)
	if !stop() && err == nil {
		err = opener.failure("sign in", context.Cause(ctx)) // it ended at the last moment
	}
	if err != nil {
		_ = conn.Close() // nothing was asked of the server yet
		return nil, err
	}
	return &POP3{Turn: opener.turn, Pipelining: opener.caps.pipelining}, nil
}

// pop3Opener is the state of opening one connection.
type pop3Opener struct {
	options     Options
	credentials *signin.Credentials
	turn        *Turn
	caps        pop3Caps
}

func (p *pop3Opener) open(ctx context.Context) error {
	if err := p.greeting(); err != nil {
		return err
	}
	if err := p.capabilities(); err != nil {
		return err
	}
	if p.options.Security == StartTLS {
		if err := p.startTLS(ctx); err != nil {
			return err
		}
		// What was announced in plain text may be anybody's (RFC 2595 section 4).
		if err := p.capabilities(); err != nil {
			return err
		}
	}
	return p.signIn()
}

func (p *pop3Opener) greeting() error {
	p.turn.due.Add(1) // connecting is what it answers
	reply, err := p.turn.Answer()
	if err != nil {
		return p.failure("greeting", err)
	}
	if !reply.OK {
		return pop3Refusal("pop3 greeting", reply, mail.ClassServer)
	}
	return nil
}

// capabilities asks for CAPA. Servers older than RFC 2449 refuse it, and are
// taken to announce nothing.
func (p *pop3Opener) capabilities() error {
	if err := p.turn.Send("CAPA"); err != nil {
		return p.failure("capa", err)
	}
	p.caps = pop3Caps{}
	if _, err := p.turn.Listing(p.caps.add); err != nil {
		return p.failure("capa", err)
	}
	return nil
}

// startTLS encrypts the connection or fails: there is no going on without.
func (p *pop3Opener) startTLS(ctx context.Context) error {
	if !p.caps.stls {
		return p.failure("stls", errNoStartTLS)
	}
	if err := p.turn.Send("STLS"); err != nil {
		return p.failure("stls", err)
	}
	reply, err := p.turn.Answer()
	if errors.Is(err, errUnasked) {
		err = errInjected
	}
	if err != nil {
		return p.failure("stls", err)
	}
	if !reply.OK {
		return p.failure("stls", fmt.Errorf("%w: %w", errNoStartTLS, reply))
	}
	conn := p.turn.Conn
	if err := p.options.startTLS(ctx, conn, p.turn.src.Buffered()); err != nil {
		return p.failure("tls", err)
	}
	// A new reader: nothing of the plain connection lives on.
	p.turn = newTurn(conn, p.credentials.Redact)
	return nil
}

func (p *pop3Opener) signIn() error {
	reply, err := p.credentialsSent()
	if err != nil {
		return p.failure("sign in", err)
	}
	if reply.OK {
		return nil
	}
	class := mail.ClassAuth
	if p.caps.authCodes {
		class = mail.ClassServer // it would have said [AUTH] (RFC 3206 section 6)
	}
	e := pop3Refusal("pop3 sign in", reply, class)
	if reply.Code == POP3LoginDelay && e.After == 0 {
		e.After = p.caps.loginDelay
	}
	return e
}

// credentialsSent sends user name and password and returns the last answer.
func (p *pop3Opener) credentialsSent() (POP3Reply, error) {
	user, pass := "USER "+p.credentials.Username(), "PASS "+p.credentials.Password().Reveal()
	switch {
	case p.caps.pipelining && p.caps.user && isArgument(user) && isArgument(pass):
		return p.userPass([]string{user, pass})
	case p.caps.plain:
		return p.authPlain()
	}
	return p.userPass([]string{user}, []string{pass})
}

// userPass sends commands, each group in one write, and returns the answer to
// the last one or the first refusal. In one write PASS is sent whatever the
// answer to USER; it is for the same server, and a refusal ends the connection.
// Nothing goes out behind PASS before it is answered: some servers hand the
// connection to another program then, and lose what they have read.
func (p *pop3Opener) userPass(groups ...[]string) (reply POP3Reply, err error) {
	for _, commands := range groups {
		if err := p.turn.Send(commands...); err != nil {
			return POP3Reply{}, err
		}
		for range commands {
			if reply, err = p.turn.Answer(); err != nil || !reply.OK {
				return reply, err
			}
		}
	}
	return reply, nil
}

// isArgument reports whether a command is a keyword and one argument as RFC
// 1939 section 3 has it, within the length of RFC 2449 section 4. With a blank
// or another character in it PLAIN says more clearly what is meant.
func isArgument(command string) bool {
	_, argument, _ := strings.Cut(command, " ")
	return len(command) <= 255-len("\r\n") && !strings.ContainsFunc(argument, func(r rune) bool { return r <= ' ' || r > '~' })
}

// authPlain signs in by SASL PLAIN. The response goes on a line of its own
// once the server asked for it: in the command it is RFC 5034's, and a server
// that knows AUTH as RFC 1734 has it takes the command for a wrong one.
func (p *pop3Opener) authPlain() (POP3Reply, error) {
	response, err := p.credentials.Plain()
	if err != nil {
		return POP3Reply{}, err
	}
	if err := p.turn.Send("AUTH PLAIN"); err != nil {
		return POP3Reply{}, err
	}
	more, reply, err := p.turn.challenge()
	if err != nil {
		return reply, err
	}
	if !more && reply.OK {
		return reply, p.turn.fail(fmt.Errorf("%w: signed in before it was told who we are", ErrProtocol))
	}
	if !more {
		return reply, nil
	}
	if err := p.turn.Send(response.Reveal()); err != nil {
		return POP3Reply{}, err
	}
	return p.turn.Answer()
}

func (p *pop3Opener) failure(step string, err error) error {
	return p.options.failure(protocolPOP3, step, err)
}

// pop3Refusal makes the error for -ERR on the way to a signed-in connection.
// class is what it means when no response code says better.
func pop3Refusal(op string, reply POP3Reply, class mail.Class) *mail.Error {
	e := &mail.Error{Op: op, Scope: mail.ScopeAccount, Class: class, After: SaidDelay(reply.Text), Err: reply}
	switch reply.Code {
	case POP3InUse:
		e.Class = mail.ClassServer
		e.Hint = "another program has this mailbox open, and POP3 lets one in at a time; the next run tries again"
	case POP3LoginDelay:
		e.Class = mail.ClassThrottled
		e.Hint = "the server wants more time between two sign-ins; pull this account less often"
	case POP3SysTemp:
		e.Class = mail.ClassServer
	case POP3SysPerm:
		e.Class, e.Retry = mail.ClassServer, mail.RetryNever
		e.Hint = "the server says that this will not pass by itself; ask whoever runs it"
	case POP3Auth:
		e.Class = mail.ClassAuth
	default:
		passingRefusal(e, reply)
	}
	if e.Class == mail.ClassAuth {
		e.Retry = mail.RetryNever
		e.Hint = "check username and password; many providers want an app password instead of the usual one, or POP3 switched on first"
	}
	return e
}

// passingRefusal makes of e what a refusal without a response code means, if
// its words say that it passes by itself: servers that know no codes refuse a
// maildrop which is in use, or a second sign-in within minutes, as they refuse
// a wrong password.
func passingRefusal(e *mail.Error, reply POP3Reply) {
	switch {
	case isLocked(reply.Text):
		e.Class = mail.ClassThrottled
		e.Hint = "another program seems to have this mailbox open, and POP3 lets one in at a time; the next run tries again"
	case reply.Passing():
		e.Class = mail.ClassThrottled
		e.Hint = "the server asks to wait; the next run tries again, and pulling this account less often may help"
	}
}

// isLocked reports whether a refusal's words say that somebody else has the
// maildrop. An account that is locked is another matter.
func isLocked(text string) bool {
	return says(text, "locked", "to lock", "maildrop lock", "mailbox lock") && !says(text, "account")
}

// pop3Caps is what we need to know of the answer to CAPA (RFC 2449).
type pop3Caps struct {
	stls       bool
	user       bool
	plain      bool
	pipelining bool
	authCodes  bool
	loginDelay time.Duration // between two sign-ins; 0: any
}

// add takes one line of the answer. Unknown capabilities, and lines that are
// none, are nobody's business.
func (c *pop3Caps) add(line []byte) {
	words := strings.Fields(strings.ToUpper(string(line)))
	if len(words) == 0 {
		return
	}
	switch words[0] {
	case "STLS":
		c.stls = true
	case "USER":
		c.user = true
	case "SASL":
		c.plain = c.plain || slices.Contains(words[1:], "PLAIN")
	case "PIPELINING":
		c.pipelining = true
	case "AUTH-RESP-CODE":
		c.authCodes = true
	case "LOGIN-DELAY": // in seconds, and the longest of all users (RFC 2449 section 6.5)
		if len(words) > 1 {
			c.loginDelay = delayOf(words[1], time.Second)
		}
	}
}
