package systemd

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
)

// entry is what was sent to the journal.
type entry struct {
	message  string
	priority journal.Priority
	fields   map[string]string
}

// recorded returns a logger and where its last entry goes.
func recorded(level slog.Level) (*slog.Logger, *entry) {
	var last entry
	h := NewHandler(level, nil)
	h.send = func(message string, priority journal.Priority, fields map[string]string) error {
		last = entry{message, priority, fields}
		return nil
	}
	return slog.New(h), &last
}

func TestJournalEntry(t *testing.T) {
	t.Parallel()
	log, got := recorded(slog.LevelInfo)
	log.With("account", "work").Info("pass done", "new", 3, "took", 1800*time.Millisecond)
	want := entry{"pass done account=work new=3 took=1.8s", journal.PriInfo, map[string]string{
		"SYSLOG_IDENTIFIER": "mailpull",
		"MESSAGE_ID":        "265c0599c91641588fa86e186b37df12",
		"MAILPULL_ACCOUNT":  "work",
		"MAILPULL_NEW":      "3",
		"MAILPULL_TOOK":     "1.8s",
	}}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %+v\nwant %+v", *got, want)
	}
}

type secretly struct{}

func (secretly) LogValue() slog.Value { return slog.StringValue("[redacted]") }

func TestJournalAttributes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		log     func(*slog.Logger)
		message string
		fields  map[string]string
	}{
		"nothing": {func(l *slog.Logger) { l.Info("up") }, "up", nil},
		"quotes": {
			func(l *slog.Logger) { l.Info("x", "mailbox", "Sent Mail", "err", errors.New(`said "no"`), "hint", "") },
			`x mailbox="Sent Mail" err="said \"no\"" hint=""`,
			map[string]string{"MAILBOX": "Sent Mail", "ERR": `said "no"`, "HINT": ""},
		},
		"lines": {
			func(l *slog.Logger) { l.Info("x", "err", "a\nPRIORITY=0\x1b[31m") },
			`x err="a\nPRIORITY=0\x1b[31m"`,
			map[string]string{"ERR": "a\nPRIORITY=0\x1b[31m"},
		},
		"no UTF-8": {
			func(l *slog.Logger) { l.Info("x", "mailbox", "a\xff") },
			`x mailbox="a\xff"`, map[string]string{"MAILBOX": "a\uFFFD"},
		},
		"stack": {
			func(l *slog.Logger) { l.Error("panic", "err", "bad", "stack", "a\nb") },
			"panic err=bad", map[string]string{"ERR": "bad", "STACK": "a\nb"},
		},
		"odd names": {
			func(l *slog.Logger) { l.Info("x", "_a b-Ü", 1, strings.Repeat("k", 100), 2) },
			`x "_a b-Ü"=1 ` + strings.Repeat("k", 100) + "=2",
			map[string]string{"_A_B__": "1", strings.Repeat("K", 55): "2"},
		},
		"later counts": {
			func(l *slog.Logger) { l.With("pid", 1).Info("x", "pid", 2) },
			"x pid=1 pid=2", map[string]string{"PID": "2"},
		},
		"secret": {
			func(l *slog.Logger) { l.Info("x", "url", secretly{}) },
			"x url=[redacted]", map[string]string{"URL": "[redacted]"},
		},
		"groups": {
			func(l *slog.Logger) {
				l.With("a", 1).WithGroup("g").With("b", 2).WithGroup("").WithGroup("h").
					Info("x", "c", 3, slog.Group("i", "d", 4), slog.Group("", "e", 5), slog.Group("empty"), slog.Attr{})
			},
			"x a=1 g.b=2 g.h.c=3 g.h.i.d=4 g.h.e=5",
			map[string]string{"A": "1", "G_B": "2", "G_H_C": "3", "G_H_I_D": "4", "G_H_E": "5"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, got := recorded(slog.LevelDebug)
			c.log(log)
			if got.message != c.message {
				t.Errorf("got message %s, want %s", got.message, c.message)
			}
			delete(got.fields, "SYSLOG_IDENTIFIER")
			delete(got.fields, "MESSAGE_ID")
			want := make(map[string]string)
			for k, v := range c.fields {
				want["MAILPULL_"+k] = v
			}
			if !reflect.DeepEqual(got.fields, want) {
				t.Errorf("got fields %q, want %q", got.fields, want)
			}
		})
	}
}

// Two loggers made of one do not write into each other's attributes.
func TestJournalLoggersAreApart(t *testing.T) {
	t.Parallel()
	log, got := recorded(slog.LevelInfo)
	base := log.With("a", 1).With("b", 2).With("c", 3)
	one, two := base.With("account", "one"), base.With("account", "two")
	_ = two
	one.Info("x")
	if want := "x a=1 b=2 c=3 account=one"; got.message != want {
		t.Errorf("got %q, want %q", got.message, want)
	}
}

func TestJournalLevels(t *testing.T) {
	t.Parallel()
	log, got := recorded(slog.LevelDebug)
	for level, want := range map[slog.Level]journal.Priority{
		slog.LevelDebug: journal.PriDebug, slog.LevelInfo: journal.PriInfo, slog.LevelInfo + 1: journal.PriInfo,
		slog.LevelWarn: journal.PriWarning, slog.LevelError: journal.PriErr, slog.LevelError + 4: journal.PriErr,
	} {
		log.Log(t.Context(), level, "x")
		if got.priority != want {
			t.Errorf("%v: got %v, want %v", level, got.priority, want)
		}
	}
	quiet, none := recorded(slog.LevelWarn)
	quiet.Info("x")
	if none.message != "" {
		t.Errorf("got %q, want nothing", none.message)
	}
}

// What the journal does not take is written where it would be without it.
func TestJournalFallback(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	h := NewHandler(slog.LevelInfo, slog.NewTextHandler(&out, nil))
	h.send = func(string, journal.Priority, map[string]string) error { return errors.New("gone") }
	slog.New(h).With("account", "work").WithGroup("g").Info("pass done", "new", 3)
	if got, want := out.String(), "level=INFO msg=\"pass done\" account=work g.new=3\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEventsAreApart(t *testing.T) {
	t.Parallel()
	id := regexp.MustCompile(`^[0-9a-f]{32}$`)
	seen := make(map[string]string)
	for message, event := range Events() {
		if !id.MatchString(event) {
			t.Errorf("%s: %q is not a MESSAGE_ID", message, event)
		}
		if other, ok := seen[event]; ok {
			t.Errorf("%q and %q have one id", message, other)
		}
		seen[event] = message
	}
}

func TestNotUnderJournal(t *testing.T) {
	for _, stream := range []string{"", "nonsense", fmt.Sprintf("%d:%d", 1, 1)} {
		t.Setenv("JOURNAL_STREAM", stream)
		if UnderJournal() {
			t.Errorf("JOURNAL_STREAM=%q was believed", stream)
		}
	}
}
