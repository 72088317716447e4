package systemd

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/coreos/go-systemd/v22/daemon"
)

// maxStatus is the size of the longest status line in bytes.
const maxStatus = 500

// Notifier tells the service manager how the daemon's life goes, as sd_notify(3)
// says. Its methods may be called from any goroutine and do nothing where there
// is no service manager. What cannot be told is logged once and again after the
// next success: nobody can do more about it.
type Notifier struct {
	log    *slog.Logger
	beat   time.Duration
	failed atomic.Bool
}

// New finds the service manager. A nil log is silent.
func New(log *slog.Logger) *Notifier {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("systemd's watchdog is not understood, it gets no beat", "err", err)
	}
	// Half of the limit, as sd_watchdog_enabled(3) recommends.
	return &Notifier{log: log, beat: limit / 2}
}

// Ready says that the daemon is up, or that a reload has ended. Until then
// systemd keeps waiting what comes after the service.
func (n *Notifier) Ready() { n.send(daemon.SdNotifyReady) }

// Reloading says that the configuration is being read again. Ready must follow
// however the reload ends. systemd 253 and later fail a reload that does not
// name its time.
func (n *Notifier) Reloading() {
	n.send(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// Stopping says that the daemon is being stopped.
func (n *Notifier) Stopping() { n.send(daemon.SdNotifyStopping) }

// Status sets the line that systemctl status shows. Control characters become
// spaces: a line end would begin another message to systemd.
func (n *Notifier) Status(line string) {
	line = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(line, "\uFFFD"))
	if len(line) > maxStatus {
		line = strings.ToValidUTF8(line[:maxStatus], "") + "..."
	}
	n.send("STATUS=" + line)
}

// ExtendTimeout asks for d more, from now, to start, reload or stop.
func (n *Notifier) ExtendTimeout(d time.Duration) {
	n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()))
}

// BeatEvery returns how often Beat has to be called, 0 where no watchdog waits
// for it. It is half of what systemd allows.
func (n *Notifier) BeatEvery() time.Duration { return n.beat }

// Beat says that work moves. A daemon that does not say so is killed and started
// again, so it is called only while that is true.
func (n *Notifier) Beat() {
	if n.beat > 0 {
		n.send(daemon.SdNotifyWatchdog)
	}
}

func (n *Notifier) send(state string) {
	_, err := daemon.SdNotify(false, state)
	if err == nil {
		n.failed.Store(false)
		return
	}
	if !n.failed.Swap(true) {
		n.log.Warn("systemd could not be told", "err", err)
	}
}
