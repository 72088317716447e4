package config

import (
	"time"

	"mailpull/pkg/secret"
)

// Config is a configuration that was checked, with every default filled in.
// Nobody changes it after it was made, so any goroutine may read it.
type Config struct {
	// Archive and State are absolute paths: the folder with a Maildir tree for
	// each account, and the one with a folder of records for each account.
	Archive, State string

	// Accounts is not empty, but in a part of a fleet. Its order is that of the
	// file.
	Accounts []Account

	// Shard is the part of a fleet that Accounts are of.
	Shard Shard

	// RateLimit is how many bytes per second all accounts together read, 0 for
	// no limit.
	RateLimit int64

	// Daemon is what holds for mailpull daemon alone.
	Daemon Daemon
}

// Daemon is how the daemon listens and how much it does at once.
type Daemon struct {
	// Listen is the address of metrics and the status page, empty for none.
	Listen string

	// WebConfig is the absolute path of the file with TLS and passwords for
	// Listen, in the format of Prometheus' exporter toolkit, or empty.
	WebConfig string

	// Passes is how many passes run at once, ConnectionsPerHost how many
	// connections they open to one host.
	Passes, ConnectionsPerHost int
}

// Account is one login and the Maildir it fills.
type Account struct {
	// Name is unique, also when case is folded, and fit to be a file name on
	// every system.
	Name string

	Protocol Protocol
	Host     string
	Port     int
	Security Security

	// AllowPlaintext is set when the password may cross a network without TLS.
	// It is never set with another Security than None.
	AllowPlaintext bool

	// CAFile is the absolute path of the only certificates to trust, in PEM,
	// or empty for those of the system.
	CAFile string

	Username string

	// Password says where the password comes from. Exactly one field is set.
	Password secret.Source

	// Mailboxes chooses what is pulled. It means nothing to POP3.
	Mailboxes Selection

	// Connections is how many sessions a pass may open, 1 for POP3.
	Connections int

	// Compress says when the server is asked to compress what it sends. It
	// means nothing to POP3.
	Compress Compression

	// Every is the time from one pass to the next, 0 when Cron says when.
	Every time.Duration

	// Jitter is the part of Every, from 0 to 0.5, by which a pass comes later
	// by chance.
	Jitter float64

	// Cron has five fields, as in crontab(5), or is empty.
	Cron string

	// Timezone is where the clock of Cron and Window hangs; nil is that of the
	// machine.
	Timezone *time.Location

	// Window is when a backlog is worked off.
	Window Window

	// Idle are the mailboxes in which the daemon waits for new mail.
	Idle []string

	// Hooks are told of each pass.
	Hooks Hooks

	Layout Layout

	// Order is which messages of a mailbox come first.
	Order Order

	// Since is how old a message may be that is pulled. It is never set for POP3.
	Since Since

	// RateLimit is how many bytes per second are read, 0 for no limit.
	RateLimit int64

	// MaxMessageSize is the largest message that is fetched, in bytes.
	MaxMessageSize int64

	// MaxSession is how long a session may last, and IdleTimeout how long a
	// server may send nothing.
	MaxSession, IdleTimeout time.Duration
}

// Window is a part of each day, by clock times since midnight. From after To
// goes over midnight; equal times are the whole day.
type Window struct{ From, To time.Duration }

// Hooks are what is told of each pass.
type Hooks struct {
	// AfterPass is a program with its arguments, or empty.
	AfterPass []string

	// PingURL is where a monitor hears of each pass. A zero source means none.
	PingURL secret.Source
}

// Protocol is what the server speaks.
type Protocol string

// The protocols.
const (
	IMAP Protocol = "imap"
	POP3 Protocol = "pop3"
)

// Compression says when an IMAP server is asked to compress what it sends.
type Compression string

// The words for it. CompressAuto asks where it pays.
const (
	CompressAuto   Compression = "auto"
	CompressAlways Compression = "always"
	CompressNever  Compression = "never"
)

// Security is how a connection is protected.
type Security string

// The ways of protection. For POP3, StartTLS means STLS (RFC 2595).
const (
	TLS      Security = "tls"
	StartTLS Security = "starttls"
	None     Security = "none"
)

// Order is which messages of a mailbox are pulled first.
type Order string

// The orders. In both of them every message comes.
const (
	OldestFirst Order = "oldest"
	NewestFirst Order = "newest"
)

// Layout is how mailboxes become folders.
type Layout string

// The layouts.
const (
	MaildirPP Layout = "maildir++" // INBOX at the root, ".Work.2024" beside it
	FS        Layout = "fs"        // nested folders
)

const (
	// off is written for no listener. It is no host's name with a port.
	off = "off"

	// defaultListen is not among the ports of Prometheus' wiki.
	defaultListen = "127.0.0.1:9723"

	// maxPasses keeps the memory of their batches within bounds, and maxPerHost
	// is what a server of one's own may stand.
	maxPasses  = 64
	maxPerHost = 100

	// maxIdle is how many mailboxes an account may wait in: each costs it a
	// connection, and providers allow ten to fifteen.
	maxIdle = 5

	// minEvery is far below what providers like to see, but a pass without
	// news is cheap.
	minEvery = time.Minute

	// defaultConnections hide each other's round trips, and leave room for the
	// mail programs of the account with every provider that we know: Courier
	// allows four from one address.
	defaultConnections = 3

	// maxConnections is below what the large providers allow: ten to fifteen
	// for one login, with other programs wanting some too.
	maxConnections = 10

	// Below 1 MiB ordinary mail would be refused. 64 GiB is more than any
	// server takes.
	minMessageSize = 1 << 20
	maxMessageSize = 64 << 30

	// A session that is shorter than minSession would spend its time on
	// signing in.
	minSession = 5 * time.Minute

	// Below 5 s a busy server is taken for a dead one. RFC 9051 section 5.4
	// lets a server end a connection after 30 minutes without a command.
	minIdleTimeout = 5 * time.Second
	maxIdleTimeout = 30 * time.Minute
)

// withDefaults fills in what neither the account nor the section of defaults
// has set.
func (a *Account) withDefaults(defaults *Account) {
	a.scheduleDefaults(defaults)
	if len(a.Hooks.AfterPass) == 0 {
		a.Hooks.AfterPass = defaults.Hooks.AfterPass
	}
	if a.Hooks.PingURL.Kind() == "" {
		a.Hooks.PingURL = defaults.Hooks.PingURL
	}
	a.Layout = first(a.Layout, defaults.Layout, MaildirPP)
	a.Order = first(a.Order, defaults.Order, OldestFirst)
	a.sinceDefault(defaults)
	a.RateLimit = first(a.RateLimit, defaults.RateLimit)
	a.MaxMessageSize = first(a.MaxMessageSize, defaults.MaxMessageSize, 2<<30)
	a.MaxSession = first(a.MaxSession, defaults.MaxSession, 24*time.Hour)
	a.IdleTimeout = first(a.IdleTimeout, defaults.IdleTimeout, time.Minute)
	a.Security = first(a.Security, TLS)
	a.Port = first(a.Port, defaultPort(a.Protocol, a.Security))
	a.Connections = first(a.Connections, defaults.Connections, defaultConnections)
	a.Compress = first(a.Compress, CompressAuto)
	if a.Protocol == POP3 {
		a.Connections = 1 // a maildrop is locked by its session (RFC 1939 section 8)
	}
	if a.Mailboxes.Include == nil {
		a.Mailboxes.Include = []string{"*"}
	}
}

// scheduleDefaults fills in when the account is pulled. Every and Cron exclude
// each other: what the account says beats what the defaults say.
func (a *Account) scheduleDefaults(defaults *Account) {
	if a.Every == 0 && a.Cron == "" {
		a.Every, a.Cron = defaults.Every, defaults.Cron
	}
	a.Timezone = first(a.Timezone, defaults.Timezone)
	a.Window = first(a.Window, defaults.Window)
	if a.Cron != "" {
		a.Jitter = 0
		return
	}
	a.Every = first(a.Every, 15*time.Minute)
	a.Jitter = max(0, first(a.Jitter, defaults.Jitter, 0.1))
}

// withDefaults fills in what the file does not say of the daemon.
func (d Daemon) withDefaults() Daemon {
	if d.Listen = first(d.Listen, defaultListen); d.Listen == off {
		d.Listen = ""
	}
	d.Passes = first(d.Passes, 4)
	d.ConnectionsPerHost = first(d.ConnectionsPerHost, 10)
	return d
}

// defaultPort returns the ports of RFC 8314 section 3 with TLS from the first
// byte, and the old ones otherwise.
func defaultPort(protocol Protocol, security Security) int {
	switch {
	case protocol == POP3 && security == TLS:
		return 995
	case protocol == POP3:
		return 110
	case security == TLS:
		return 993
	default:
		return 143
	}
}

// first returns the first value that is not zero, or zero.
func first[T comparable](values ...T) (zero T) {
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}
