package daemon

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"mailpull/pkg/secret"
)

// keepMost is how many sessions a daemon keeps at most: each has the buffers of
// a connection.
const keepMost = 64

// resting are the sessions of all accounts that wait for a pass. The sessions
// that passes have are counted too, so that both together keep to the bound of a
// host: one that rests makes room for one that is needed. Its methods may be
// called from any goroutine and do no I/O.
type resting struct {
	perHost int
	key     []byte // of fingerprints; nobody else has it

	mu    sync.Mutex // guards what is below
	inUse map[string]int
	kept  []*keptSession // the longest at rest first
}

// keptSession is a session that rests.
type keptSession struct {
	signedIn
	keeper *keeper
	timer  *time.Timer
}

// fingerprintOf tells whether two secrets are the same, within one process.
type fingerprintOf [sha256.Size]byte

func newResting(perHost int) *resting {
	return &resting{perHost: perHost, key: []byte(rand.Text()), inUse: make(map[string]int)}
}

// end says goodbye, which waits for nobody.
func (s *keptSession) end(ctx context.Context) {
	if err := s.Close(ctx); err != nil {
		s.keeper.log.Debug("kept session did not end politely", "err", err)
	}
	s.Abort()
}

// has reports whether a session of the account rests.
func (r *resting) has(k *keeper) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.place(k) >= 0
}

// place returns where the session of an account is, -1 for nowhere. The lock is
// held, as for all that follows here and takes none.
func (r *resting) place(k *keeper) int {
	return slices.IndexFunc(r.kept, func(s *keptSession) bool { return s.keeper == k })
}

// takeOut takes out the session at a place.
func (r *resting) takeOut(i int) *keptSession {
	s := r.kept[i]
	r.kept = slices.Delete(r.kept, i, i+1)
	s.timer.Stop()
	return s
}

// remove takes out the session of an account, nil where there is none. The caller
// ends it.
func (r *resting) remove(k *keeper) *keptSession {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.place(k); i >= 0 {
		return r.takeOut(i)
	}
	return nil
}

// take hands the session of an account to a pass, nil where there is none.
func (r *resting) take(k *keeper) *keptSession {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.place(k)
	if i < 0 {
		return nil
	}
	r.inUse[k.account.Host]++
	return r.takeOut(i)
}

// enter counts one more session of a pass. It returns the session that has to
// make room for it, nil for none; the caller ends that.
func (r *resting) enter(host string) *keptSession {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inUse[host]++
	n, first := r.inUse[host], -1
	for i, s := range r.kept {
		if s.keeper.account.Host != host {
			continue
		}
		if n++; first < 0 {
			first = i
		}
	}
	if n <= r.perHost || first < 0 {
		return nil
	}
	return r.takeOut(first)
}

// leave counts one session of a pass less.
func (r *resting) leave(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaveLocked(host)
}

func (r *resting) leaveLocked(host string) {
	if r.inUse[host]--; r.inUse[host] == 0 {
		delete(r.inUse, host)
	}
}

// keep has a session of a pass rest, and reports false where it may not. One from
// before the password changed may not: a pass had it when the others were dropped.
func (r *resting) keep(k *keeper, s signedIn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k.stopped || s.generation != k.generation || len(r.kept) >= keepMost || r.place(k) >= 0 {
		return false
	}
	r.leaveLocked(k.account.Host)
	kept := &keptSession{signedIn: s, keeper: k}
	kept.timer = time.AfterFunc(keepRest, func() { r.expire(kept) }) // stop waits for it
	r.kept = append(r.kept, kept)
	return true
}

// expire ends a session that has rested for too long.
func (r *resting) expire(s *keptSession) {
	r.mu.Lock()
	i := slices.Index(r.kept, s)
	if i < 0 {
		r.mu.Unlock()
		return
	}
	r.takeOut(i)
	s.keeper.ending.Add(1)
	r.mu.Unlock()
	defer s.keeper.ending.Done()
	s.end(context.Background())
}

// stop sets whether nothing of an account is to be kept.
func (r *resting) stop(k *keeper, stopped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k.stopped = stopped
}

// generation returns how often what an account signs in with has changed.
func (r *resting) generation(k *keeper) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return k.generation
}

// changed keeps the fingerprint of what an account signs in with, and reports
// whether it was another one before. The first one is no change.
func (r *resting) changed(k *keeper, now secret.String) bool {
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(now.Reveal()))
	print := fingerprintOf(mac.Sum(nil))
	r.mu.Lock()
	defer r.mu.Unlock()
	before := k.print
	k.print = print
	if before == print || before == (fingerprintOf{}) {
		return false
	}
	k.generation++
	return true
}
