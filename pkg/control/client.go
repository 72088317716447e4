package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"mailpull/pkg/mail"
)

// commandLimit is how long a client waits for an answer, where it does not wait
// for a pass.
const commandLimit = time.Minute

// Client asks a live daemon. It holds nothing open between two commands, and its
// methods may be called from any goroutine. They are those of Handler, return
// what the daemon's returned, and ErrNoDaemon when it has gone away meanwhile.
type Client struct {
	path string
	http *http.Client
}

var _ Handler = (*Client)(nil)

// Dial looks for the daemon that listens at path. When there is none, the error
// is ErrNoDaemon; any other says why it could not be asked.
func Dial(path string) (*Client, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	c := &Client{path: path}
	// A connection for each command: nothing is left open that a Close would
	// have to end.
	c.http = &http.Client{Transport: &http.Transport{DialContext: c.connect, DisableKeepAlives: true}}
	conn, err := c.connect(context.Background(), "", "")
	if err != nil {
		return nil, err
	}
	_ = conn.Close() // nothing was said on it
	return c, nil
}

// connect opens the socket, whatever the address.
func (c *Client) connect(ctx context.Context, _, _ string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialLimit}
	conn, err := dialer.DialContext(ctx, "unix", c.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("control socket %q: %w", c.path, ErrNoDaemon)
	case errors.Is(err, fs.ErrPermission):
		return nil, localError(err, ownerHint(c.path))
	case err != nil:
		return nil, err
	}
	return conn, nil
}

// Pull asks for a pass over each account; see Handler.
func (c *Client) Pull(ctx context.Context, accounts []string, wait bool) ([]Report, error) {
	a, err := c.ask(ctx, "pull", request{Accounts: accounts, Wait: wait})
	return a.Reports, err
}

// Pause keeps the accounts from beginning a pass; see Handler.
func (c *Client) Pause(ctx context.Context, accounts []string) error {
	_, err := c.ask(ctx, "pause", request{Accounts: accounts})
	return err
}

// Resume lets the accounts go on; see Handler.
func (c *Client) Resume(ctx context.Context, accounts []string) error {
	_, err := c.ask(ctx, "resume", request{Accounts: accounts})
	return err
}

// Reload makes the daemon read its configuration again; see Handler.
func (c *Client) Reload(ctx context.Context) error {
	_, err := c.ask(ctx, "reload", request{})
	return err
}

// Status returns how the daemon is, as its handler wrote it; see Handler.
func (c *Client) Status(ctx context.Context) (json.RawMessage, error) {
	a, err := c.ask(ctx, "status", request{})
	return a.Status, err
}

// ask does one command.
func (c *Client) ask(ctx context.Context, name string, r request) (answer, error) {
	op := "daemon " + name
	if !r.Wait {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, commandLimit)
		defer cancel()
	}
	a, err := c.exchange(ctx, name, r)
	var classified *mail.Error
	switch {
	case err == nil && a.Error == nil:
		return a, nil
	case err == nil:
		return answer{}, a.Error.restored(op)
	case errors.Is(err, ErrNoDaemon), errors.As(err, &classified):
		return answer{}, err
	}
	return answer{}, &mail.Error{Op: op, Class: mail.ClassLocal, Err: err}
}

// exchange sends a request and reads its answer.
func (c *Client) exchange(ctx context.Context, name string, r request) (answer, error) {
	r.SchemaVersion = version
	body, err := json.Marshal(r)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://mailpull/"+name, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, plain(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	return parseAnswer(resp.Body)
}

// plain takes off net/http's "Post "http://mailpull/pull"", which is no address
// that anybody could look at.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
