// Package metrics holds the numbers that mailpull tells Prometheus. This file
// defines them, record.go fills them.
//
// A label is an account, a protocol, or a word of a closed list; never a
// mailbox, an address or a server's text. So the number of series follows from
// the configuration, and each is there with zero from the start: a counter
// that appears with its first failure has no increase to alert on.
package metrics

import (
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"mailpull/pkg/mail"
)

// Result is how a run over one account ended.
type Result string

// The results.
const (
	OK        Result = "ok"        // everything is in the archive
	Partial   Result = "partial"   // some messages or mailboxes failed
	Failed    Result = "failed"    // the account failed
	Cancelled Result = "cancelled" // somebody stopped it
)

// The reasons for which a message is not fetched.
const (
	reasonQuarantined = "quarantined"
	reasonVanished    = "vanished"
)

// Build says which program the numbers come from.
type Build struct{ Version, Revision, GoVersion string }

// Account names an account of the configuration.
type Account struct{ Name, Protocol string }

// Metrics are the numbers of all accounts. Its methods may be called from any
// goroutine.
type Metrics struct {
	lastSuccess, lastAttempt        *prometheus.GaugeVec
	server, pending, archived       *prometheus.GaugeVec
	quarantined                     *prometheus.GaugeVec
	runs, errors, skipped           *prometheus.CounterVec
	messages, bytes, validity, bugs *prometheus.CounterVec
	duration                        *prometheus.HistogramVec
}

// New defines the metrics in reg, with every series of the accounts at zero.
// It panics when reg has them already.
func New(reg prometheus.Registerer, build Build, accounts []Account) *Metrics {
	d := define{reg}
	m := &Metrics{
		lastSuccess: d.gauge("last_success_timestamp_seconds", "When the last complete run ended, 0 for never."),
		lastAttempt: d.gauge("last_attempt_timestamp_seconds", "When the last run began, 0 for never."),
		server:      d.gauge("server_messages", "Messages that the server listed last."),
		pending:     d.gauge("pending_messages", "Messages that the last run did not bring into the archive, without those that it left alone in quarantine: see mailpull_quarantined_messages."),
		archived:    d.gauge("archive_messages", "Messages that are recorded as delivered."),
		quarantined: d.gauge("quarantined_messages", "Messages that failed repeatedly and are asked for less often."),
		runs:        d.counter("runs_total", "Runs that ended, by result.", "result"),
		errors:      d.counter("errors_total", "Runs that ended with an error, by its class.", "class"),
		skipped:     d.counter("messages_skipped_total", "Messages that were not fetched, by reason.", "reason"),
		messages:    d.counter("messages_fetched_total", "Messages that were delivered."),
		bytes:       d.counter("bytes_fetched_total", "Bytes of the messages that were delivered, as on the wire."),
		validity:    d.counter("uidvalidity_changes_total", "Mailboxes that the server renumbered."),
		bugs:        d.counter("panics_total", "Runs that a bug ended."),
		duration:    d.duration(),
	}
	d.info("build_info", "The program that these numbers come from.", "version", "revision", "goversion").
		WithLabelValues(build.Version, build.Revision, build.GoVersion).Set(1)
	info := d.info("account_info", "The accounts of the configuration.", "account", "protocol")
	for _, a := range accounts {
		info.WithLabelValues(a.Name, a.Protocol).Set(1)
		m.create(a.Name)
	}
	return m
}

// create makes every series of an account.
func (m *Metrics) create(account string) {
	for _, g := range []*prometheus.GaugeVec{m.lastSuccess, m.lastAttempt, m.server, m.pending, m.archived, m.quarantined} {
		g.WithLabelValues(account)
	}
	for _, c := range []*prometheus.CounterVec{m.messages, m.bytes, m.validity, m.bugs} {
		c.WithLabelValues(account)
	}
	for _, result := range []Result{OK, Partial, Failed, Cancelled} {
		m.runs.WithLabelValues(account, string(result))
	}
	for _, class := range mail.Classes() {
		m.errors.WithLabelValues(account, string(class))
	}
	for _, reason := range []string{reasonQuarantined, reasonVanished} {
		m.skipped.WithLabelValues(account, reason)
	}
	m.duration.WithLabelValues(account)
}

// Write writes what g gathers in the text format of Prometheus.
func Write(w io.Writer, g prometheus.Gatherer) error {
	families, err := g.Gather()
	if err != nil {
		return err
	}
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(w, family); err != nil {
			return err
		}
	}
	return nil
}

// define registers metrics.
type define struct{ reg prometheus.Registerer }

const namespace = "mailpull"

func (d define) gauge(name, help string) *prometheus.GaugeVec { return d.info(name, help, "account") }

func (d define) info(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	d.reg.MustRegister(g)
	return g
}

func (d define) counter(name, help string, labels ...string) *prometheus.CounterVec {
	labels = append([]string{"account"}, labels...)
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	d.reg.MustRegister(c)
	return c
}

// duration has buckets for whoever reads text, from a run without news to a
// first run, and native ones for whoever scrapes those.
func (d define) duration() *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "run_duration_seconds", Help: "How long a run over an account took.",
		Buckets:                         []float64{1, 5, 15, 60, 300, 900, 3600, 14400},
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: nativeReset,
	}, []string{"account"})
	d.reg.MustRegister(h)
	return h
}
