package metrics

import (
	"slices"

	dto "github.com/prometheus/client_model/go"

	"mailpull/pkg/mail"
)

const namespace = "mailpull_"

// metric is a number that each account has, or one for each of some words.
type metric int

const (
	lastSuccess metric = iota
	lastAttempt
	server
	pending
	pendingBytes
	archived
	quarantined
	excluded
	checkpointed
	entries
	runs
	errs
	skipped
	messages
	bytes
	validity
	bugs

	// What follows only a daemon knows.

	state
	next
	interval
	failures
	inflight
	connections
	idle
	archiveBytes
	certificate
	hooks
)

// row defines a metric.
type row struct {
	name, help string
	kind       *dto.MetricType
	daemon     bool // whether only a daemon tells it

	// label is the second label, empty for none, and words are its values in
	// their order.
	label string
	words []string

	at int // the first cell of it
}

// table returns the rows, each in the place of its metric, and how many cells
// an account has.
func table() (rows []row, cells int) {
	gauge, counter := dto.MetricType_GAUGE.Enum(), dto.MetricType_COUNTER.Enum()
	rows = []row{
		lastSuccess:  {kind: gauge, name: "last_success_timestamp_seconds", help: "When the last complete run ended, 0 for never."},
		lastAttempt:  {kind: gauge, name: "last_attempt_timestamp_seconds", help: "When the last run began, 0 for never."},
		server:       {kind: gauge, name: "server_messages", help: "Messages that the server listed last."},
		pending:      {kind: gauge, name: "pending_messages", help: "Messages that the last run did not bring into the archive, without those that it left alone in quarantine: see mailpull_quarantined_messages."},
		pendingBytes: {kind: gauge, name: "pending_bytes", help: "About how many bytes the pending messages have, 0 where the server does not tell and no message came yet."},
		archived:     {kind: gauge, name: "archive_messages", help: "Messages that are recorded as delivered."},
		quarantined:  {kind: gauge, name: "quarantined_messages", help: "Messages that failed repeatedly and are asked for less often."},
		excluded:     {kind: gauge, name: "excluded_messages", help: "Messages that are left on the server because they are older than since."},
		checkpointed: {kind: gauge, name: "checkpoint_timestamp_seconds", help: "When the checkpoint last recorded something, 0 for never."},
		entries:      {kind: gauge, name: "checkpoint_entries", help: "Mailboxes that the checkpoint has an entry of."},
		runs:         {kind: counter, name: "runs_total", help: "Runs that ended, by result.", label: "result", words: words([]Result{OK, Partial, Failed, Cancelled})},
		errs:         {kind: counter, name: "errors_total", help: "Runs that ended with an error, by its class.", label: "class", words: words(mail.Classes())},
		skipped:      {kind: counter, name: "messages_skipped_total", help: "Messages that were not fetched, by reason.", label: "reason", words: words([]string{reasonQuarantined, reasonVanished})},
		messages:     {kind: counter, name: "messages_fetched_total", help: "Messages that were delivered."},
		bytes:        {kind: counter, name: "bytes_fetched_total", help: "Bytes of messages, as on the wire: those that were delivered, and in a daemon all that were read."},
		validity:     {kind: counter, name: "uidvalidity_changes_total", help: "Mailboxes that the server renumbered."},
		bugs:         {kind: counter, name: "panics_total", help: "Runs that a bug ended."},

		state:        {daemon: true, kind: gauge, name: "account_state", help: "1 for the state that the account is in, 0 for the others.", label: "state", words: words(AccountStates())},
		next:         {daemon: true, kind: gauge, name: "next_run_timestamp_seconds", help: "When the next run is due, 0 for never."},
		interval:     {daemon: true, kind: gauge, name: "schedule_interval_seconds", help: "The longest time between two runs that the configuration asks for."},
		failures:     {daemon: true, kind: gauge, name: "consecutive_failures", help: "Runs since the last complete one, or since the start, that were not complete."},
		inflight:     {daemon: true, kind: gauge, name: "inflight_messages", help: "Messages that the run going on has yet to deliver."},
		connections:  {daemon: true, kind: gauge, name: "connections", help: "Connections to the server that are open."},
		idle:         {daemon: true, kind: gauge, name: "idle_connected", help: "Connections on which the server tells of new mail."},
		archiveBytes: {daemon: true, kind: gauge, name: "archive_bytes", help: "Bytes of all deliveries that the manifest lists, as on the wire. A message whose mailbox was renumbered is listed again."},
		certificate:  {daemon: true, kind: gauge, name: "tls_certificate_expiry_timestamp_seconds", help: "When the first certificate of the server's chain ends, as seen last, 0 for none seen."},
		hooks:        {daemon: true, kind: counter, name: "hooks_failed_total", help: "Hooks that failed."},
	}
	for i := range rows {
		rows[i].at = cells
		cells += max(1, len(rows[i].words))
	}
	return rows, cells
}

// words returns the texts of a closed list in their order.
func words[T ~string](list []T) []string {
	texts := make([]string, len(list))
	for i, word := range list {
		texts[i] = string(word)
	}
	slices.Sort(texts)
	return texts
}
