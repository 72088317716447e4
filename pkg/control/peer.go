package control

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// refusalEvery is how often a peer that was refused is logged: who may not
// speak must not fill the log either.
const refusalEvery = time.Minute

// guarded is a listener that hands on the connections of root and of one user,
// and closes all others.
type guarded struct {
	*net.UnixListener
	uid    uint32
	log    *slog.Logger
	logged time.Time // Accept's, which is called from one goroutine
}

// Accept returns the next connection whose peer may speak.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		conn, err := g.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := peerUID(conn)
		if err == nil && (uid == 0 || uid == g.uid) {
			return conn, nil
		}
		g.refuse(conn, uid, err)
	}
}

// refuse tells the peer in one line that it may not speak, without reading
// anything of it.
func (g *guarded) refuse(conn *net.UnixConn, uid uint32, err error) {
	now := time.Now()
	if g.logged.IsZero() || now.Sub(g.logged) >= refusalEvery {
		g.logged = now
		g.log.Warn("control connection refused", "uid", uid, "err", err)
	}
	body, _ := json.Marshal(answer{SchemaVersion: version, Error: &failure{ // plain strings always marshal
		Code:    codeForbidden,
		Message: fmt.Sprintf("uid %d may not give commands to the daemon of uid %d", uid, g.uid),
		Hint:    "run this as root or as the user that the daemon runs as",
	}})
	// The buffer of a new connection is empty, so this does not wait; the
	// deadline is for a system where it would.
	_ = conn.SetWriteDeadline(now.Add(time.Second))
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d Forbidden\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		http.StatusForbidden, len(body)+1, append(body, '\n'))
	_ = conn.Close() // it is refused either way
}

// peerUID asks the kernel which user made the connection.
func peerUID(conn *net.UnixConn) (uint32, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var uid uint32
	var uidErr error
	if err := raw.Control(func(fd uintptr) { uid, uidErr = socketUID(int(fd)) }); err != nil {
		return 0, err
	}
	return uid, uidErr
}
