package imap_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
	"mailpull/pkg/secret"
	"mailpull/pkg/signin"
	"mailpull/pkg/source/imap"
	"mailpull/pkg/wire"
)

// watched is a server that knows IDLE, and what a watch on it was told.
type watched struct {
	server *mailtest.IMAPServer
	box    *mailtest.IMAPBox

	// refuse answers IDLE, silent does not answer DONE, tell is sent when the
	// wait has begun, and again in each wait where it lies, early before that.
	refuse, early, tell string
	silent, lies        bool

	push chan string // lines for a wait under way

	mu    sync.Mutex
	news  []time.Time
	idles []time.Time
}

func newWatched() *watched {
	w := &watched{push: make(chan string, 16)}
	w.box = mailtest.NewIMAPBox("INBOX", "a\r\n", "b\r\n")
	w.server = &mailtest.IMAPServer{Caps: "IDLE", Greeting: "* PREAUTH ready", Boxes: []*mailtest.IMAPBox{w.box}, On: w.on}
	return w
}

// on answers IDLE.
func (w *watched) on(c *mailtest.IMAPTalk, tag, command string) bool {
	if command != "IDLE" {
		return false
	}
	w.mu.Lock()
	w.idles = append(w.idles, time.Now())
	w.mu.Unlock()
	if w.refuse != "" {
		c.Printf("%s %s", tag, w.refuse)
		return true
	}
	if w.early != "" {
		c.Printf("%s", w.early)
		w.early = ""
	}
	c.Printf("+ waiting")
	if w.tell != "" {
		c.Printf("%s", w.tell)
		if strings.HasPrefix(w.tell, "* BYE") {
			c.HangUp()
			return true
		}
		if !w.lies {
			w.tell = ""
		}
	}
	c.Flush()
	ended := make(chan struct{})
	pushed := make(chan struct{})
	go func() { // the wait below ends it
		defer close(pushed)
		for {
			select {
			case line := <-w.push:
				c.Printf("%s", line)
				c.Flush()
			case <-ended:
				return
			}
		}
	}()
	line, ok := c.Line()
	close(ended)
	<-pushed
	switch {
	case !ok:
	case line != "DONE":
		c.Printf("%s BAD want DONE", tag)
	case !w.silent:
		c.Printf("%s OK done", tag)
	default:
		_, _ = c.Line() // for ever
	}
	return true
}

// arrive puts a message into the mailbox and tells whoever waits.
func (w *watched) arrive(tell bool) {
	var n int
	w.server.Change(func() {
		n = len(w.box.Messages) + 1
		w.box.Messages = append(w.box.Messages, mailtest.IMAPMessage{UID: mail.UID(n), Body: "new\r\n"})
	})
	if tell {
		w.push <- fmt.Sprintf("* %d EXISTS", n)
	}
}

// watch runs pull.Watch on the server until stop is called, which returns its
// error.
func (w *watched) watch() (stop func() error) {
	source := pull.NewSource(imap.New(imap.Options{Wire: wire.Options{
		Host: "localhost", Security: wire.None, AllowPlaintext: true,
		Login: signin.Login{Username: "u", Password: func(context.Context) (secret.String, error) { return secret.New("p"), nil }},
		Dial: func(context.Context, string, string) (net.Conn, error) {
			client, server := mailtest.Pipe()
			go w.server.Serve(server) // it ends with the client
			return client, nil
		},
	}}))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { // stop waits for it
		ended <- pull.Watch(ctx, pull.WatchOptions{Source: source, Mailbox: mail.MailboxName(w.box.Name), News: w.told})
	}()
	return func() error {
		cancel()
		return <-ended
	}
}

func (w *watched) told() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.news = append(w.news, time.Now())
}

// mustHave checks how often there were news, and waits, until now.
func (w *watched) mustHave(t *testing.T, news, idles int) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.news) != news || len(w.idles) != idles {
		t.Errorf("news came %d times in %d waits, want %d and %d", len(w.news), len(w.idles), news, idles)
	}
}

// A quiet wait is renewed each nine minutes, to the second, for ever.
func TestWatchIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		begin := time.Now()
		stop := w.watch()
		w.mustHave(t, 1, 1) // the first look is news
		time.Sleep(9*time.Minute - time.Second)
		w.mustHave(t, 1, 1)
		time.Sleep(time.Second)
		w.mustHave(t, 1, 2)
		time.Sleep(5 * time.Hour)
		w.mustHave(t, 1, 1+int(time.Since(begin)/(9*time.Minute)))
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

// New mail is news at once; what expires or changes its flags is none.
func TestWatchTellsNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		stop := w.watch()
		w.mustHave(t, 1, 1)
		time.Sleep(time.Minute)
		w.arrive(true)
		w.mustHave(t, 2, 2)
		for _, line := range []string{"* 2 FETCH (FLAGS (\\Seen))", "* 3 EXISTS", "* OK still here", "* 1 EXPUNGE", "* 2 EXISTS", "* 0 RECENT"} {
			w.push <- line
		}
		w.mustHave(t, 2, 2)
		_ = stop()
	})
}

// What the server does not tell is found with the next renewal.
func TestWatchLooksAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		stop := w.watch()
		w.mustHave(t, 1, 1)
		w.arrive(false)
		time.Sleep(9 * time.Minute)
		w.mustHave(t, 2, 2)
		_ = stop()
	})
}

// News that comes between the look and the wait is not lost.
func TestWatchHearsEarlyNews(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "behind"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWatched()
			if when == "before" {
				w.early = "* 3 EXISTS"
			} else {
				w.tell = "* 3 EXISTS"
			}
			var once sync.Once
			answer := w.server.On
			w.server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
				if command == "IDLE" {
					once.Do(func() { w.arrive(false) })
				}
				return answer(c, tag, command)
			}
			stop := w.watch()
			w.mustHave(t, 2, 2)
			_ = stop()
		})
	}
}

// A server that tells of a message in each wait, and has none, is asked at most
// each ten seconds; what comes for good meanwhile is found.
func TestWatchOfNewsThatAreNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		w.tell, w.lies = "* 99 EXISTS", true
		stop := w.watch()
		w.mustHave(t, 1, 1)
		time.Sleep(10*time.Second - time.Millisecond)
		w.mustHave(t, 1, 1)
		time.Sleep(time.Millisecond)
		w.mustHave(t, 1, 2)
		time.Sleep(time.Hour)
		w.mustHave(t, 1, 362)
		w.arrive(false)
		time.Sleep(10 * time.Second)
		w.mustHave(t, 2, 363)
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

// What is told late, after a long wait, is looked at at once, and so is what
// comes next.
func TestWatchRestsOnlyAfterShortWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		stop := w.watch()
		w.mustHave(t, 1, 1)
		time.Sleep(time.Minute)
		w.push <- "* 3 EXISTS"
		w.mustHave(t, 1, 2)
		w.arrive(true)
		w.mustHave(t, 2, 3)
		_ = stop()
	})
}

// A mailbox that is different whenever it is looked at is news at once a few
// times, and then now and then.
func TestWatchOfNewsWithoutEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		answer, looks := w.server.On, 0
		w.server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
			if strings.HasPrefix(command, "EXAMINE") {
				w.arrive(false)
				looks++
			}
			return answer(c, tag, command)
		}
		stop := w.watch()
		w.mustHave(t, 3, 0)
		time.Sleep(time.Hour)
		w.mustHave(t, 3+3*60*4, 0)
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		if looks > 3+3*60*4+1 {
			t.Errorf("it looked %d times", looks)
		}
	})
}

// A mailbox that is deleted while it is watched ends the watch; the next one
// learns that asking again is of no use.
func TestWatchOfWhatIsDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		w.box.Name = "Work"
		stop := w.watch()
		w.mustHave(t, 1, 1)
		w.server.Change(func() { w.server.Boxes = nil })
		time.Sleep(9 * time.Minute)
		w.mustHave(t, 1, 1)
		err := stop()
		if mail.ErrorClass(err) != mail.ClassServer || errors.Is(err, mail.ErrCannotWatch) || !strings.Contains(fmt.Sprint(err), `"Work"`) {
			t.Errorf("the first ended with %v of class %s", err, mail.ErrorClass(err))
		}
		stop = w.watch()
		synctest.Wait()
		if err := stop(); !errors.Is(err, mail.ErrCannotWatch) || mail.ErrorHint(err) == "" {
			t.Errorf("the next ended with %v", err)
		}
	})
}

// A server that asks to wait can do it another time.
func TestWatchRefusedForAWhile(t *testing.T) {
	t.Parallel()
	for refuse, want := range map[string]struct {
		class mail.Class
		after time.Duration
	}{
		"NO [LIMIT] try again in 5 minutes": {mail.ClassThrottled, 5 * time.Minute},
		"NO too many waits":                 {mail.ClassThrottled, 0},
		"NO [UNAVAILABLE] not now":          {mail.ClassServer, 0},
		"NO [OVERQUOTA] that was enough":    {mail.ClassQuota, 0},
		"BAD Request is throttled. Suggested Backoff Time: 201317 milliseconds": {mail.ClassThrottled, 201317 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWatched()
			w.refuse = refuse
			stop := w.watch()
			synctest.Wait()
			err := stop()
			if errors.Is(err, mail.ErrCannotWatch) || mail.ErrorClass(err) != want.class || mail.ErrorRetry(err) != mail.RetryLater {
				t.Errorf("%s: got %v of class %s", refuse, err, mail.ErrorClass(err))
			}
			if got := mail.ErrorAfter(err); got != want.after {
				t.Errorf("%s: after %s, want %s", refuse, got, want.after)
			}
		})
	}
}

// A server that cannot is no error of the network: asking again is of no use.
func TestWatchRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*watched){
		"no capability": func(w *watched) { w.server.Caps = "" },
		"NO":            func(w *watched) { w.refuse = "NO not today" },
		"BAD":           func(w *watched) { w.refuse = "BAD what" },
		"BAD in words":  func(w *watched) { w.refuse = "BAD too many arguments" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWatched()
				change(w)
				stop := w.watch()
				synctest.Wait()
				err := stop()
				if !errors.Is(err, mail.ErrCannotWatch) || mail.ErrorRetry(err) != mail.RetryNever {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// A server that dies in silence is noticed at the next renewal, and one that
// breaks the protocol at once.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*watched)
		after  time.Duration
		class  mail.Class
	}{
		"dead":    {func(w *watched) { w.silent = true }, 9*time.Minute + time.Minute, mail.ClassTimeout},
		"bye":     {func(w *watched) { w.tell = "* BYE going down" }, 0, mail.ClassServer},
		"garbage": {func(w *watched) { w.tell = "nonsense" }, 0, mail.ClassProtocol},
		"tag":     {func(w *watched) { w.tell = "x9 OK what" }, 0, mail.ClassProtocol},
		"plus":    {func(w *watched) { w.tell = "+ again" }, 0, mail.ClassProtocol},
		"long":    {func(w *watched) { w.tell = "* OK " + strings.Repeat("x", 2<<20) }, 0, mail.ClassProtocol},
		"flood":   {func(w *watched) { w.tell = strings.Repeat("* OK no news\r\n", 10_001) + "* OK" }, 0, mail.ClassProtocol},
		"no wait": {func(w *watched) { w.refuse = "OK before it began" }, 0, mail.ClassProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWatched()
				c.change(w)
				stop := w.watch()
				time.Sleep(c.after)
				synctest.Wait()
				if err := stop(); mail.ErrorClass(err) != c.class {
					t.Errorf("got %v of class %s, want %s", err, mail.ErrorClass(err), c.class)
				}
			})
		})
	}
}
