package hook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"mailpull/pkg/secret"
)

const (
	// pingLimit is how long one request may take from dialling to the end of
	// its answer.
	pingLimit = 10 * time.Second

	// pingTries is how often a request is made. Pages that watch are down now
	// and then for the length of one, and a false alarm wakes somebody.
	pingTries = 2

	// maxRedirects is how often one request is sent elsewhere on its host.
	maxRedirects = 3
)

// CheckPing says what is wrong with an address for pings, without showing it.
// Nothing is wrong with none.
func CheckPing(address secret.String) error {
	if address.IsZero() {
		return nil
	}
	_, err := parsePing(address)
	return err
}

// parsePing reads the address. Its errors do not show it; url.Parse's would.
func parsePing(address secret.String) (*url.URL, error) {
	u, err := url.Parse(address.Reveal())
	switch {
	case err != nil || u.Hostname() == "":
		return nil, errors.New("it is not an address such as https://hc-ping.com/your-key")
	case u.Scheme == "http" && !loopbackName(u.Hostname()):
		return nil, errors.New("it begins with http, which is for this machine only; write https")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("it begins with neither https nor http")
	}
	u.Fragment = "" // for browsers only
	return u, nil
}

// loopbackName reports whether a host is this machine by its name. Where a name
// leads to is looked at when it is dialled.
func loopbackName(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// signal is what is put behind the address for a result.
func signal(r Result) string {
	if r == OK {
		return ""
	}
	return "fail"
}

// ping posts body to the address, with what is put behind its path. It tries
// again where that may help, and takes at most pingTries times limit. The errors
// name the host and nothing else of the address.
func ping(ctx context.Context, address secret.String, behind, body string, limit time.Duration) error {
	u, err := parsePing(address)
	if err != nil {
		return err
	}
	if behind != "" {
		u = u.JoinPath(behind)
	}
	transport := pingTransport(u, limit)
	for try := 1; ; try++ {
		again, err := post(ctx, transport, u, body, limit)
		if err == nil {
			return nil
		}
		if !again || try == pingTries || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", u.Hostname(), err)
		}
	}
}

// pingTransport makes the connections to one address. It keeps none: the next
// ping is minutes away. There is no http.Client on it, because the errors of one
// show addresses.
//
// Dialling and the handshake go on when the request that wanted them has ended,
// so they have limits of their own.
func pingTransport(u *url.URL, limit time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: limit}
	if u.Scheme == "http" {
		dialer.Control = onlyLoopback
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment, // it leaves this machine's own servers out
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    limit,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// onlyLoopback keeps "localhost" from leading elsewhere.
func onlyLoopback(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		return errors.New("http is for this machine only, and the name leads elsewhere")
	}
	return nil
}

// post makes one request, goes where it is sent on the same host, and reports
// whether a second try may fare better.
func post(ctx context.Context, transport *http.Transport, u *url.URL, body string, limit time.Duration) (again bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, noAnswer(limit))
	defer cancel()
	for range maxRedirects + 1 {
		resp, err := exchange(ctx, transport, u, body)
		if err != nil {
			return true, inPlainWords(ctx, err, limit)
		}
		switch {
		case resp.StatusCode/100 == 2:
			return false, nil
		case resp.StatusCode/100 != 3:
			again := resp.StatusCode/100 == 5 || resp.StatusCode == http.StatusTooManyRequests
			return again, fmt.Errorf("it answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
		}
		if u, err = sameHost(u, resp); err != nil {
			return false, err
		}
	}
	return false, errors.New("it redirects too often")
}

// exchange sends one request. Of the answer the status and the header count.
func exchange(ctx context.Context, transport *http.Transport, u *url.URL, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("User-Agent", "mailpull")
	if u.User != nil {
		password, _ := u.User.Password()
		req.SetBasicAuth(u.User.Username(), password)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	// A short answer is read so that the server does not see a broken
	// connection.
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	_ = resp.Body.Close()
	return resp, nil
}

// sameHost returns where an answer sends the request, when that is on the same
// host: what stands behind the host is the secret. The errors do not show it.
func sameHost(from *url.URL, resp *http.Response) (*url.URL, error) {
	to, err := resp.Location()
	switch {
	case err != nil:
		return nil, fmt.Errorf("it answered %d and no address to go to", resp.StatusCode)
	case to.Host != from.Host:
		return nil, errors.New("it redirects to another host; write the address that it leads to")
	case to.Scheme != from.Scheme:
		return nil, errors.New("it redirects from https to http or back; write the address that it leads to")
	}
	to.User = from.User
	return to, nil
}

func noAnswer(limit time.Duration) error {
	return fmt.Errorf("no answer within %v", limit)
}

// inPlainWords says why there was no answer. Errors of net and of certificates
// name the host; net/http's show what the server sent, and a server that sends
// back what it was sent shows the address. Which of the three equal limits ran
// out first, of the request, the dialling or the handshake, is chance.
func inPlainWords(ctx context.Context, err error, limit time.Duration) error {
	var late net.Error
	var network *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &late) && late.Timeout():
		return noAnswer(limit)
	case errors.As(err, &network):
		return network
	case errors.As(err, &certificate):
		return certificate
	case errors.Is(err, io.EOF):
		return errors.New("it closed the connection without an answer")
	}
	return errors.New("it does not speak " + protocol(err))
}

// protocol says what the other end of a connection does not speak.
func protocol(err error) string {
	var record tls.RecordHeaderError
	if errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch) {
		return "TLS"
	}
	return "HTTP"
}
