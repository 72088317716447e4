package wire

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"mailpull/pkg/mail"
	"mailpull/pkg/signin"
)

// maxUnasked is how many responses that nobody asked for may come before the
// answer to one command while a connection is opened.
const maxUnasked = 1000

// IMAP is a signed-in connection to an IMAP server. Conn goes to
// imapclient.New; Aside sends commands of ours on the same connection. What
// the server said before sign-in, and before TLS all the more, is forgotten
// but for its texts.
type IMAP struct {
	options     Options
	credentials *signin.Credentials
	conn        *Conn
	in          *imapStream
	said        *said
	guard       *Guard

	caps   map[string]bool // upper case
	mark   string          // what our tags begin with; nobody can guess it
	sent   int             // commands of ours so far
	owesID bool            // the server was not told who we are yet

	compressTried bool // see Compress
}

// OpenIMAP connects, secures the connection, signs in and learns what the server
// can do. All of it takes Limits.Open at most. ctx bounds the opening and no
// longer; see CloseOn for what comes after.
//
// The error is a *mail.Error of ScopeAccount. Its class tells which step
// failed, its hint what a person can do. No byte of the password was sent
// unless the connection was encrypted and verified, or plain text is permitted
// by the options. The caller closes the connection.
func OpenIMAP(ctx context.Context, o Options) (*IMAP, error) {
	o = o.withDefaults(protocolIMAP)
	ctx, cancel := o.opening(ctx)
	defer cancel()
	// First, so that no server's text is shown with the password in it: one
	// that heard it yesterday can repeat it in its greeting.
	credentials, err := o.credentials(ctx, protocolIMAP)
	if err != nil {
		return nil, o.failure(protocolIMAP, "sign in", causeOf(ctx, err))
	}
	conn, err := o.dial(ctx)
	if err != nil {
		return nil, o.failure(protocolIMAP, "connect", err)
	}
	stop := conn.CloseOn(ctx)
	defer stop()
	c := &IMAP{options: o, credentials: credentials, conn: conn, said: &said{credentials: credentials}, mark: "M" + rand.Text()[:6]}
	c.in = newIMAPStream(conn, c.said)
	if err := c.open(ctx); err != nil {
		_ = c.Close() // it ends with err, whatever closing says
		return nil, err
	}
	if !stop() {
		_ = c.Close() // ctx ended at the last moment, and closed it already
		return nil, o.failure(protocolIMAP, "open", context.Cause(ctx))
	}
	c.guard = newGuard(c.in, c.greetingOfOurs())
	o.Log.Debug("imap session open", "addr", o.address(), "encrypted", conn.Secure())
	return c, nil
}

// open takes the steps between connecting and handing over.
func (c *IMAP) open(ctx context.Context) error {
	signedIn, err := c.greeting()
	if err == nil && c.options.Security == StartTLS {
		err = c.startTLS(ctx, signedIn)
	}
	if err != nil {
		return c.explain("connect", err)
	}
	c.said.tell(c.options.Log)
	if !signedIn {
		if err := c.signIn(); err != nil {
			return c.explain("sign in", err)
		}
	}
	if err := c.needCapabilities(); err != nil {
		return c.explain("open", err)
	}
	c.owesID = c.Has("ID")
	return nil
}

// greeting reads the server's first line (RFC 9051 section 7.1) and reports
// whether it took us for signed in.
func (c *IMAP) greeting() (signedIn bool, err error) {
	c.conn.Await()
	r, err := c.in.response()
	if err != nil {
		return false, err
	}
	if r.Tag != "*" || r.Condition == "" || r.Condition == "NO" || r.Condition == "BAD" {
		return false, fmt.Errorf("%w: its first line is no IMAP greeting", ErrProtocol)
	}
	if r.Condition == "BYE" {
		return false, &refusal{r.Status}
	}
	c.caps = nil
	if r.Code == "CAPABILITY" {
		c.learn(strings.Fields(r.CodeArgs))
	}
	return r.Condition == "PREAUTH", nil
}

// startTLS secures the connection, or fails: there is no way on without.
func (c *IMAP) startTLS(ctx context.Context, signedIn bool) error {
	if signedIn {
		// RFC 9051 section 7.1.4: in this state STARTTLS cannot be sent, and
		// whoever is on the way can have put the greeting there.
		return errPreauth
	}
	if err := c.needCapabilities(); err != nil {
		return err
	}
	if !c.Has("STARTTLS") {
		return errNoStartTLS
	}
	status, err := c.ask("STARTTLS", nil)
	if err != nil {
		return err
	}
	if !status.OK() {
		return fmt.Errorf("%w: %s", errNoStartTLS, status.String())
	}
	if err := c.options.startTLS(ctx, c.conn, c.in.buffered()); err != nil {
		return err
	}
	if !c.conn.Secure() {
		return errNoStartTLS
	}
	c.in = newIMAPStream(c.conn, c.said)
	c.caps = nil // they came in plain text
	c.said.forget()
	return nil
}

// needCapabilities asks for the capabilities unless they are known.
func (c *IMAP) needCapabilities() error {
	if c.caps != nil {
		return nil
	}
	status, err := c.ask("CAPABILITY", func(r Response) {
		if r.Type == "CAPABILITY" {
			c.learn(words(r.Nodes))
		}
	})
	if err != nil {
		return err
	}
	if !status.OK() {
		return &refusal{status}
	}
	if c.caps == nil {
		return fmt.Errorf("%w: no capabilities", ErrProtocol)
	}
	return nil
}

// words returns the atoms of a list.
func words(nodes []Node) []string {
	var list []string
	for _, n := range nodes {
		if n.Kind == Atom {
			list = append(list, n.Text)
		}
	}
	return list
}

// learn replaces what is known of the server's capabilities.
func (c *IMAP) learn(capabilities []string) {
	c.caps = make(map[string]bool)
	for _, name := range capabilities {
		c.caps[strings.ToUpper(name)] = true
	}
}

// ask sends a command and reads up to its answer. see gets the untagged
// responses and may be nil.
func (c *IMAP) ask(command string, see func(Response)) (Status, error) {
	tag := c.nextTag()
	if err := c.send(tag + " " + command); err != nil {
		return Status{}, err
	}
	r, err := c.await(tag, see)
	if err == nil && r.Tag == "+" {
		err = c.in.fail(errContinuation)
	}
	return r.Status, err
}

// nextTag returns a tag that was not used before on this connection.
func (c *IMAP) nextTag() string {
	c.sent++
	return fmt.Sprintf("%s%d", c.mark, c.sent)
}

// send writes one line of ours.
func (c *IMAP) send(line string) error {
	_, err := c.conn.Write([]byte(line + "\r\n"))
	return err
}

// await reads up to the answer with the tag, or to a continuation request.
func (c *IMAP) await(tag string, see func(Response)) (Response, error) {
	c.conn.Await()
	for range maxUnasked {
		r, err := c.in.response()
		if err != nil {
			return Response{}, err
		}
		switch {
		case r.Condition == "BYE":
			return Response{}, &refusal{r.Status}
		case r.Tag == tag || r.Tag == "+":
			return r, nil
		case r.Tag != "*":
			return Response{}, c.in.fail(errForeignTag)
		case see != nil:
			see(r)
		}
	}
	return Response{}, c.in.fail(fmt.Errorf("%w: %d responses that nobody asked for", ErrTooMuch, maxUnasked))
}

// errForeignTag refuses an answer that came before its command, as somebody
// who wants us to skip a step would send it.
var errForeignTag = fmt.Errorf("%w: an answer to a command that was not sent", ErrProtocol)

// errContinuation refuses a request for more where all was said.
var errContinuation = fmt.Errorf("%w: a continuation that nobody asked for", ErrProtocol)

// greetingOfOurs is the first line that go-imap reads. It names the few
// capabilities that change what go-imap sends for the better. IMAP4rev2 would
// make it send names in UTF-8 although that was never enabled, and with
// LITERAL+ it would send literals, which the Guard does not follow.
func (c *IMAP) greetingOfOurs() string {
	names := []string{"IMAP4rev1"}
	for _, name := range []string{"CONDSTORE", "MOVE", "UIDPLUS", "UNSELECT"} {
		if c.Has(name) {
			names = append(names, name)
		}
	}
	return "* PREAUTH [CAPABILITY " + strings.Join(names, " ") + "] mailpull\r\n"
}

// Conn returns the Guard, for imapclient.New, once.
func (c *IMAP) Conn() net.Conn { return c.guard }

// Has reports whether the server announced a capability after sign-in, in any
// case. One with a value is asked for whole, as in "AUTH=PLAIN".
func (c *IMAP) Has(capability string) bool { return c.caps[strings.ToUpper(capability)] }

// Capabilities returns what the server announced after sign-in, in upper case
// and sorted. The words are the server's: pass them through Text to show them.
func (c *IMAP) Capabilities() []string {
	list := make([]string, 0, len(c.caps))
	for name := range c.caps {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// LastText returns what the server said last in a BYE, an ALERT or a NO, safe
// to print, or the empty string. It may be called from any goroutine.
func (c *IMAP) LastText() string { return c.said.text() }

// Err returns why the connection ended, as a *mail.Error, or nil while it
// lives. It may be called from any goroutine.
func (c *IMAP) Err() error {
	err := c.conn.Err()
	if err == nil {
		return nil
	}
	return c.explain("session", err)
}

// CloseOn closes the connection when ctx ends, with ctx's cause as the reason,
// until stop is called.
func (c *IMAP) CloseOn(ctx context.Context) (stop func() bool) { return c.conn.CloseOn(ctx) }

// Logout says goodbye and closes the connection, without waiting for an answer
// that could say nothing new: RFC 9051 section 6.1.3 knows no refusal, and a
// session that reads changes nothing by its end. Dovecot 2.3 logs it as logged
// out. go-imap must have no command in flight. The error is of the goodbye; the
// connection is closed anyway.
func (c *IMAP) Logout() error {
	err := c.send(c.nextTag() + " LOGOUT")
	_ = c.conn.Close() // nothing is lost any more
	return c.explain("logout", err)
}

// Redact takes the password out of a text that a server sent. It does not make
// it safe to show, see Clean.
func (c *IMAP) Redact(text string) string { return c.said.redact(text) }

// Clean makes a text that a server sent safe to show: see Text, and without
// the password.
func (c *IMAP) Clean(text string) string { return c.said.clean([]byte(text)) }

// Close closes the connection at once. It may be called from any goroutine,
// any number of times.
func (c *IMAP) Close() error {
	c.said.sum()
	return c.conn.Close()
}

// explain makes a *mail.Error out of err. When the server had said BYE, then
// that is the reason, and not that it closed the connection.
func (c *IMAP) explain(step string, err error) error {
	var classified *mail.Error
	if err == nil || errors.As(err, &classified) {
		return err
	}
	if bye := c.said.farewell(); bye != nil && isHangup(err) {
		err = &refusal{*bye}
	}
	var refused *refusal
	if errors.As(err, &refused) {
		return refused.classify("imap "+step, mail.ClassServer, mail.RetryLater)
	}
	return c.options.failure(protocolIMAP, step, err)
}
