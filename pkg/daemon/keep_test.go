package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
	"mailpull/pkg/secret"
	"mailpull/pkg/signin"
	"mailpull/pkg/source/imap"
	"mailpull/pkg/wire"
)

// keptAccount is an account with its server, whose source is a keeper.
type keptAccount struct {
	t      *testing.T
	server *mailtest.IMAPServer
	link   *mailtest.Link
	file   string // of the password
	keeper *keeper

	mu    sync.Mutex
	conns []net.Conn // the server's sides
}

// newKept returns an account that is pulled each five minutes.
func newKept(t *testing.T, r *resting) *keptAccount {
	t.Helper()
	a := &keptAccount{t: t, file: filepath.Join(t.TempDir(), "password")}
	a.setPassword("one")
	a.server = &mailtest.IMAPServer{Caps: "LIST-STATUS UNSELECT", Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", "x\r\n")}}
	a.link = &mailtest.Link{Serve: func(conn net.Conn) {
		a.mu.Lock()
		a.conns = append(a.conns, conn)
		a.mu.Unlock()
		a.server.Serve(conn)
	}}
	account := config.Account{Name: "work", Protocol: config.IMAP, Host: "imap.example.com", Every: 5 * time.Minute, Password: secret.Source{File: a.file}}
	a.keeper = newKeeper(account, r, slog.New(slog.DiscardHandler), nil, nil)
	a.keeper.Source = pull.NewSource(imap.New(imap.Options{Wire: wire.Options{
		Host: account.Host, Security: wire.None, AllowPlaintext: true, Dial: a.link.Dial,
		Login: signin.Login{Username: "me", Password: a.keeper.password},
	}}))
	return a
}

func (a *keptAccount) setPassword(word string) {
	a.t.Helper()
	if err := os.WriteFile(a.file, []byte(word), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// open opens a session and lists the mailboxes, as a pass begins.
func (a *keptAccount) open() pull.Session {
	a.t.Helper()
	s, err := a.keeper.Open(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	boxes, err := s.Mailboxes(a.t.Context())
	if err != nil || len(boxes) != 1 {
		a.t.Fatalf("%d mailboxes, %v", len(boxes), err)
	}
	return s
}

// closed ends a session as a pass does that went well.
func (a *keptAccount) closed(s pull.Session) {
	a.t.Helper()
	if err := s.Close(a.t.Context()); err != nil {
		a.t.Error(err)
	}
	s.Abort()
}

// pass makes a pass, and waits until the next one is due.
func (a *keptAccount) pass() {
	a.t.Helper()
	a.closed(a.open())
	time.Sleep(5 * time.Minute)
}

// wantSignIns compares how often somebody signed in.
func (a *keptAccount) wantSignIns(want int) {
	a.t.Helper()
	if got := len(a.server.Heard("LOGIN")); got != want {
		a.t.Errorf("%d sign-ins, want %d", got, want)
	}
}

// wantOpen compares how many sessions have not ended, and ends them.
func (a *keptAccount) wantOpen(want int) {
	a.t.Helper()
	synctest.Wait()
	if got := len(a.server.Heard("LOGIN")) - len(a.server.Heard("LOGOUT")); got != want {
		a.t.Errorf("%d sessions are open, want %d", got, want)
	}
}

// end ends the account.
func (a *keptAccount) end() {
	a.keeper.stop()
	a.link.Wait()
	if n := len(a.keeper.resting.inUse); n > 0 {
		a.t.Errorf("%d sessions are still counted", n)
	}
}

// With a pass each five minutes the account signs in once in an hour.
func TestSessionIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newKept(t, newResting(10))
		for range 10 {
			a.pass()
		}
		a.wantSignIns(1)
		a.wantOpen(1)
		for range 14 {
			a.pass()
		}
		a.wantSignIns(2)
		a.end()
		a.wantOpen(0)
	})
}

// What happens between two passes, or after one.
func TestSessionIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	hangUp := func(a *keptAccount) {
		_ = a.conns[0].Close() // the server's side
		synctest.Wait()
	}
	for name, tc := range map[string]struct {
		between func(a *keptAccount)
		logouts int
	}{
		"the server hangs up": {hangUp, 0},
		"the server says BYE": {func(a *keptAccount) {
			_, _ = a.conns[0].Write([]byte("* BYE restarting\r\n")) // the client reads
			hangUp(a)
		}, 0},
		"the server sends garbage":     {func(a *keptAccount) { _, _ = a.conns[0].Write([]byte("what?\r\n")); synctest.Wait() }, 0},
		"the password changes":         {func(a *keptAccount) { a.setPassword("two") }, 1},
		"a watch reads a new password": {func(a *keptAccount) { a.setPassword("two"); _, _ = a.keeper.password(a.t.Context()) }, 1},
		"the pass does not come":       {func(*keptAccount) { time.Sleep(keepRest) }, 1},
		"it is paused and resumed":     {func(a *keptAccount) { a.keeper.stop(); a.keeper.start() }, 1},
		"a watch is refused":           {func(a *keptAccount) { a.keeper.drop() }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newKept(t, newResting(10))
				a.pass()
				tc.between(a)
				a.pass()
				a.wantSignIns(2)
				if got := len(a.server.Heard("LOGOUT")); got != tc.logouts {
					t.Errorf("%d goodbyes, want %d", got, tc.logouts)
				}
				a.pass()
				a.wantSignIns(2) // the new one is kept
				a.end()
			})
		})
	}
}

// A session that a pass has while the password changes ends with the pass, whoever
// finds out that it changed, and when.
func TestSessionOfAnOldPassword(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(a *keptAccount, other func()){
		"another lane signs in": func(a *keptAccount, other func()) { other() },
		"a watch signs in":      func(a *keptAccount, _ func()) { _, _ = a.keeper.password(a.t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newKept(t, newResting(10))
				old := a.open()
				a.setPassword("two")
				change(a, func() { a.open().Abort() })
				a.closed(old)
				synctest.Wait() // the server hears it
				if n := len(a.server.Heard("LOGOUT")); n != 1 {
					t.Errorf("%d goodbyes, want one", n)
				}
				before := len(a.server.Heard("LOGIN"))
				a.pass()
				a.pass()
				a.wantSignIns(before + 1)
				a.end()
			})
		})
	}
}

// The same where the password changes while the pass signs in, after it has read it.
func TestPasswordChangesDuringSignIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newKept(t, newResting(10))
		a.server.On = func(_ *mailtest.IMAPTalk, _, command string) bool {
			if strings.HasPrefix(command, "LOGIN") && len(a.server.Heard("LOGIN")) == 1 {
				a.setPassword("two")
				_, _ = a.keeper.password(t.Context()) // as a watch does
			}
			return false
		}
		a.pass()
		a.pass()
		a.wantSignIns(2)
		a.pass()
		a.wantSignIns(2)
		a.end()
	})
}

// A session that took the place of a dead one has the password of its own sign-in.
func TestReplacedSessionHasTheNewPassword(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newKept(t, newResting(10))
		a.pass()
		s, err := a.keeper.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a.setPassword("two")
		_, _ = a.keeper.password(t.Context()) // as a watch does
		_ = a.conns[0].Close()                // the server's side
		if _, err := s.Mailboxes(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.closed(s)
		a.pass()
		a.wantSignIns(2)
		a.end()
	})
}

// A server that has fallen silent while the session rested costs one time-out.
func TestKeptSessionIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newKept(t, newResting(10))
		a.pass()
		a.link.Cut(0, mailtest.EndStall)
		begin := time.Now()
		a.closed(a.open())
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("it took %v", took)
		}
		a.wantSignIns(2)
		a.end()
	})
}

// A new session that cannot be had is the pass's error, and the only one.
func TestKeptSessionCannotBeReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newKept(t, newResting(10))
		a.pass()
		_ = a.conns[0].Close() // the server's side
		a.server.Change(func() { a.server.Username = "nobody" })
		s, err := a.keeper.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Mailboxes(t.Context()); mail.ErrorClass(err) != mail.ClassAuth {
			t.Errorf("got %v", err)
		}
		s.Abort()
		a.wantSignIns(2)
		a.end()
	})
}

// A password that cannot be read any more is what a pass ends with, kept session
// or not.
func TestKeptSessionWithoutPassword(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newKept(t, newResting(10))
		a.pass()
		if err := os.Remove(a.file); err != nil {
			t.Fatal(err)
		}
		if _, err := a.keeper.Open(t.Context()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
		a.end()
		a.wantOpen(0)
	})
}

// Sessions that are not to be kept end with their pass.
func TestSessionIsNotKept(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(k *keeper){
		"the next pass is far away": func(k *keeper) { k.plan.Every = 24 * time.Hour },
		"sessions end soon":         func(k *keeper) { k.account.MaxSession = 5 * time.Minute },
		"it was paused meanwhile":   func(k *keeper) { k.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newKept(t, newResting(10))
				s := a.open()
				change(a.keeper)
				a.closed(s)
				a.wantOpen(0)
				a.end()
			})
		})
	}
}

// Of several sessions one is kept, and an aborted one never.
func TestOneSessionIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newKept(t, newResting(10))
		one, two, three := a.open(), a.open(), a.open()
		three.Abort()
		if err := three.Close(t.Context()); err != nil { // as the contract allows, and nothing comes of it
			t.Error(err)
		}
		a.closed(one)
		a.closed(two)
		a.wantOpen(2) // the one that is kept, and one that was cut off
		a.open().Abort()
		a.wantSignIns(3)
		a.end()
	})
}

// Sessions that rest make room for passes of other accounts of their host.
func TestKeptSessionMakesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newResting(2)
		a, b, c := newKept(t, r), newKept(t, r), newKept(t, r)
		a.pass()
		b.closed(b.open())
		s := c.open()
		a.wantOpen(0)
		b.wantOpen(1)
		c.closed(s)
		b.closed(b.open())
		b.wantSignIns(1)
		other := newKept(t, r)
		other.keeper.account.Host = "imap.example.net"
		other.closed(other.open())
		b.wantOpen(1)
		for _, one := range []*keptAccount{a, b, c, other} {
			one.end()
		}
	})
}

// No more sessions than a bound rest in all.
func TestKeptSessionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newResting(1000)
		var accounts []*keptAccount
		open := 0
		for range keepMost + 3 {
			a := newKept(t, r)
			a.closed(a.open())
			synctest.Wait()
			open += len(a.server.Heard("LOGIN")) - len(a.server.Heard("LOGOUT"))
			accounts = append(accounts, a)
		}
		if open != keepMost {
			t.Errorf("%d sessions rest, want %d", open, keepMost)
		}
		for _, a := range accounts {
			a.end()
		}
	})
}

// The keeper is a source like any other.
func TestKeeperConforms(t *testing.T) {
	t.Parallel()
	mailtest.TestSource(t, func(t *testing.T) pull.Source {
		a := newKept(t, newResting(10))
		a.server.Boxes = []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", mailtest.SuiteBodies()...)}
		a.closed(a.open()) // so that the suite begins with a session that was kept
		t.Cleanup(a.keeper.stop)
		return a.keeper
	})
}

// A mailbox that is selected is left before its state is asked for again.
func TestKeptSessionLeavesItsMailbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newKept(t, newResting(10))
		s := a.open()
		if _, _, err := s.Select(t.Context(), mail.Mailbox{Name: mail.Inbox, Wire: "INBOX"}); err != nil {
			t.Fatal(err)
		}
		a.closed(s)
		a.pass()
		got := strings.Join(a.server.Heard(""), "\n")
		if want := "\nUNSELECT\nLIST "; !strings.Contains(got, want) {
			t.Errorf("the server heard\n%s", got)
		}
		a.end()
	})
}

// Cancelling a pass ends its session, and no other takes its place.
func TestKeptSessionIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newKept(t, newResting(10))
		a.server.On = func(c *mailtest.IMAPTalk, _, command string) bool {
			stalls := strings.HasPrefix(command, "LIST") && len(a.server.Heard("LIST")) == 2
			if stalls {
				c.Stall()
			}
			return stalls
		}
		a.pass()
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, context.Canceled)
		defer cancel()
		s, err := a.keeper.Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Mailboxes(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		s.Abort()
		a.wantSignIns(1)
		a.end()
	})
}
