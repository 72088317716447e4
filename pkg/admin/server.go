package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/exporter-toolkit/web"

	"mailpull/pkg/mail"
)

// Options is what Start needs. Gatherer, Snapshot, Healthy and Ready are
// required; they are called from many goroutines and must return soon.
type Options struct {
	// Listen is a host and a port; WebConfig names a file with TLS and passwords
	// in the format of Prometheus' exporter toolkit, or is empty. The toolkit
	// reads it anew for each connection.
	Listen, WebConfig string

	Gatherer prometheus.Gatherer
	Snapshot func() Snapshot

	// Healthy says why the daemon is stuck, Ready why it cannot do its work, or
	// nil.
	Healthy, Ready func() error

	// Log may be nil.
	Log *slog.Logger
}

// Limits of the listener. What it answers is small, and a client that is slow on
// purpose gets no more than this.
const (
	headerLimit  = 5 * time.Second
	requestLimit = 30 * time.Second
	idleLimit    = 2 * time.Minute
	maxHeader    = 16 << 10
)

// Server is a listener that answers. Its methods may be called from any
// goroutine.
type Server struct {
	http   *http.Server
	addr   net.Addr
	failed chan error
	ended  chan struct{}
}

// Start listens and answers until Close. A taken port, an address that is none
// of this machine's, and a file of TLS and passwords that is wrong are errors
// that name the key of the configuration; the file's has the class config.
func Start(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := web.Validate(o.WebConfig); err != nil {
		return nil, &mail.Error{
			Scope: mail.ScopeAccount, Retry: mail.RetryNever, Class: mail.ClassConfig, Err: webConfigError(o.WebConfig, err),
		}
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, listenError(err)
	}
	s := &Server{
		addr: l.Addr(), failed: make(chan error, 1), ended: make(chan struct{}),
		http: &http.Server{
			Handler: routes(o), ReadHeaderTimeout: headerLimit, ReadTimeout: requestLimit, WriteTimeout: requestLimit,
			IdleTimeout: idleLimit, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		},
	}
	if !loopback(l.Addr()) && o.WebConfig == "" {
		o.Log.Warn("anybody who reaches this address can read metrics and the status page", "addr", l.Addr().String())
	}
	go s.serve(l, o) // Close waits for it
	return s, nil
}

// listenError says what can be done about an address that cannot be had.
func listenError(err error) error {
	advice := "write an address of this machine, or off"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "another program has the port; choose another one, or off"
	case errors.Is(err, syscall.EACCES):
		advice = "ports below 1024 are for root; choose another one, or off"
	}
	return fmt.Errorf("daemon.listen: %w: %s", err, advice)
}

// serve answers until the listener is closed.
func (s *Server) serve(l net.Listener, o Options) {
	defer close(s.ended)
	defer l.Close() // the toolkit leaves it open when its file broke just now
	file := o.WebConfig
	err := web.Serve(l, s.http, &web.FlagConfig{WebListenAddresses: &[]string{o.Listen}, WebConfigFile: &file}, toolkitLog(o.Log, file))
	if !errors.Is(err, http.ErrServerClosed) {
		s.failed <- fmt.Errorf("daemon.listen: %w", err)
	}
}

// Addr is where the listener is.
func (s *Server) Addr() string { return s.addr.String() }

// Err is told when the listener ends by itself.
func (s *Server) Err() <-chan error { return s.failed }

// Close lets answers under way end, until ctx ends, and closes the listener.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-s.ended
	return err
}

// loopback reports whether only this machine reaches the address.
func loopback(a net.Addr) bool {
	addr, err := netip.ParseAddrPort(a.String())
	return err == nil && addr.Addr().Unmap().IsLoopback()
}
