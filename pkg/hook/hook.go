package hook

import (
	"context"
	"log/slog"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/secret"
)

// Result is how a pass ended.
type Result string

// The results.
const (
	OK        Result = "ok"        // the archive has everything
	Partial   Result = "partial"   // something is missing
	Failed    Result = "failed"    // the pass came to nothing
	Cancelled Result = "cancelled" // it was stopped before its end
)

// Event is what hooks are told of a pass.
type Event struct {
	Account string
	Result  Result
	Took    time.Duration

	// New and Bytes count what was delivered, Missing what is on the server and
	// not in the archive, Quarantined what was left alone.
	New         int
	Bytes       int64
	Missing     int
	Quarantined int

	// Archive is the path of the account's folder of the archive.
	Archive string

	// Class, Error and Hint describe the first thing that went wrong. Error is
	// one that may be logged, and empty when nothing did.
	Class mail.Class
	Error string
	Hint  string
}

// Hooks are the hooks of one account. The zero value has none. It is not changed
// while it is used, and its methods may be called from any goroutine.
//
// The methods wait for the hooks, each within its limit and not beyond the end
// of ctx, log one Warn line for each that fails, and return how many did.
type Hooks struct {
	// Ping is the address of the page that watches: https, or http to this
	// machine. It is a secret, as whoever has it can say that all is well.
	Ping secret.String

	// AfterPass is the command that runs after each pass and its arguments. No
	// shell reads it.
	AfterPass []string

	// Limit is how long the command may run, 0 is 5 minutes.
	Limit time.Duration

	// Log is told what failed. It has the account attached. Nil is silent.
	Log *slog.Logger
}

// defaultLimit is long enough to index what is new or to copy it elsewhere.
const defaultLimit = 5 * time.Minute

// Start says that a pass over the account begins: the address with /start.
func (h Hooks) Start(ctx context.Context, account string) (failed int) {
	if h.Ping.IsZero() {
		return 0
	}
	return h.count("ping_url", ping(ctx, h.Ping, "start", "account "+account+": pass begins\n", pingLimit), nil)
}

// Done says how a pass ended: the address itself when the archive has
// everything, with /fail when something failed or is missing, and the summary as
// the body of the request. A pass that was stopped is neither and is not told;
// the page waits for the next. Then the command runs, whatever the result.
func (h Hooks) Done(ctx context.Context, e Event) (failed int) {
	if !h.Ping.IsZero() && e.Result != Cancelled {
		failed += h.count("ping_url", ping(ctx, h.Ping, signal(e.Result), summary(e), pingLimit), nil)
	}
	if len(h.AfterPass) > 0 {
		limit := h.Limit
		if limit == 0 {
			limit = defaultLimit
		}
		output, err := run(ctx, h.AfterPass, environment(e), limit)
		failed += h.count("after_pass", err, output)
	}
	return failed
}

// count logs how a hook ended and returns 1 when it failed.
func (h Hooks) count(name string, err error, output []byte) int {
	log := h.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log = log.With("hook", name)
	if len(output) > 0 {
		log = log.With("output", string(output))
	}
	if err != nil {
		log.Warn("hook failed", "err", err)
		return 1
	}
	log.Debug("hook ran")
	return 0
}
