package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// requestLimit is how long a client may take for its header, and once more
	// for its body. Both are written in one go.
	requestLimit = 5 * time.Second

	// answerLimit is how long a client may take to read an answer.
	answerLimit = 10 * time.Second

	// idleLimit is how long a connection may stay open between two requests.
	idleLimit = 10 * time.Second
)

// Options say where to listen and who answers.
type Options struct {
	// Path is where the socket is made: an absolute path in a folder that is
	// there and that nobody but the daemon's user may write to.
	Path string

	// Handler does what is asked.
	Handler Handler

	// Log is told of refused peers and of panics. Nil is silent.
	Log *slog.Logger
}

// Server is the daemon's end of the socket. Its methods may be called from any
// goroutine.
type Server struct {
	handler Handler
	log     *slog.Logger
	http    *http.Server
	stop    context.CancelCauseFunc
	served  chan struct{} // closed when the serving goroutine has ended

	mu      sync.Mutex
	closed  bool
	pending sync.WaitGroup // requests; added to under mu while not closed
}

// Listen makes the socket, mode 0600, and serves it until Close. The caller
// holds the lock of the daemon's state folder: the socket of a daemon that died
// is replaced. One on which somebody listens is refused with ErrInUse, and
// anything that is no socket with an error that names it.
func Listen(o Options) (*Server, error) {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	listener, err := listen(o.Path)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(context.Background())
	s := &Server{handler: o.Handler, log: log, stop: stop, served: make(chan struct{})}
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: requestLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    4 << 10, // curl's has a hundred bytes
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	go s.serve(&guarded{UnixListener: listener, uid: uint32(os.Geteuid()), log: log}) // Close waits for it
	return s, nil
}

// listen binds the socket. Until its mode is set, the umask's holds; the peer of
// a connection that was made in between is checked like any other.
func listen(path string) (*net.UnixListener, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if err := makeWay(path); err != nil {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, localError(err, "")
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = listener.Close() // it was of no use to anybody yet
		return nil, localError(err, "")
	}
	return listener, nil
}

func (s *Server) serve(l net.Listener) {
	defer close(s.served)
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("control socket failed", "err", err)
	}
}

// Close ends the contexts of the requests that are being served, waits until
// they are answered or ctx ends, closes all connections and removes the socket.
// The error is ctx's, when a handler was still at work.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop(ErrStopping)

	answered := make(chan struct{})
	go func() { // ends with the last handler, which Close has told to stop
		s.pending.Wait()
		close(answered)
	}()
	var err error
	select {
	case <-answered:
	case <-ctx.Done():
		err = ctx.Err()
	}
	// Not Shutdown: it waits five seconds for a client that never speaks.
	_ = s.http.Close() // of a listener that is to go
	<-s.served
	return err
}

// begin counts a request in that has been read, and reports whether it may still
// be served.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.pending.Add(1)
	return true
}

// command does one request.
type command func(context.Context, request) (answer, error)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /pull", s.serving(func(ctx context.Context, r request) (answer, error) {
		reports, err := s.handler.Pull(ctx, r.Accounts, r.Wait)
		return answer{Reports: reports}, err
	}))
	mux.HandleFunc("POST /pause", s.serving(func(ctx context.Context, r request) (answer, error) {
		return answer{}, s.handler.Pause(ctx, r.Accounts)
	}))
	mux.HandleFunc("POST /resume", s.serving(func(ctx context.Context, r request) (answer, error) {
		return answer{}, s.handler.Resume(ctx, r.Accounts)
	}))
	mux.HandleFunc("POST /reload", s.serving(func(ctx context.Context, _ request) (answer, error) {
		return answer{}, s.handler.Reload(ctx)
	}))
	mux.HandleFunc("POST /status", s.serving(func(ctx context.Context, _ request) (answer, error) {
		status, err := s.handler.Status(ctx)
		return answer{Status: status}, err
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		write(w, answer{Error: &failure{
			Code: codeNotFound, Message: "the daemon has no such command",
			Hint: "use the program that the daemon was started from, or restart the daemon",
		}})
	})
	return mux
}

// serving makes a handler of a command: the request is read within its bounds,
// and the answer is on its way to the client before the request counts as done.
func (s *Server) serving(do command) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req, failed := readRequest(w, r)
		if failed != nil {
			write(w, answer{Error: failed})
			return
		}
		if !s.begin() {
			return // the connection is about to be closed
		}
		defer s.pending.Done()
		write(w, s.answer(r.Context(), do, req))
	}
}

// answer does the command and turns whatever becomes of it into an answer.
func (s *Server) answer(ctx context.Context, do command, req request) (a answer) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("panic", "err", fmt.Sprint(v), "stack", string(debug.Stack()))
			a = answer{Error: &failure{Code: codeBug, Message: "a bug in the daemon; its log has the details"}}
		}
	}()
	a, err := do(ctx, req)
	if err != nil {
		return answer{Error: newFailure(ctx, err)}
	}
	return a
}

// readRequest reads and parses the body. http.Server's ReadTimeout would not do:
// it goes on while the command is done, and ends the request's context.
func readRequest(w http.ResponseWriter, r *http.Request) (request, *failure) {
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(requestLimit)); err != nil {
		return request{}, badRequest("%v", err)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return request{}, badRequest("the request is larger than %d KiB", maxRequest>>10)
	case err != nil:
		return request{}, badRequest("the request broke off: %v", err)
	}
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return request{}, badRequest("%v", err)
	}
	return parseRequest(body)
}

// write sends an answer. A client that is gone or does not read it has lost
// nothing but the answer, so errors are not told to anybody.
func write(w http.ResponseWriter, a answer) {
	a.SchemaVersion = version
	body, err := json.Marshal(a)
	if err != nil { // the handler's status is no JSON
		a = answer{SchemaVersion: version, Error: &failure{Code: codeBug, Message: "the status is not JSON: " + err.Error()}}
		body, _ = json.Marshal(a) // plain strings always marshal
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(answerLimit))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)+1))
	w.WriteHeader(a.status())
	_, _ = w.Write(append(body, '\n'))
	_ = control.Flush()
}

// status is for those who ask with curl; our client reads the body.
func (a answer) status() int {
	if a.Error == nil {
		return http.StatusOK
	}
	switch a.Error.Code {
	case codeRequest, codeVersion:
		return http.StatusBadRequest
	case codeNotFound, codeUnknown:
		return http.StatusNotFound
	case codeStopping:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
