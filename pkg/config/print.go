package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"mailpull/pkg/secret"
)

// The shape of what Print writes. The keys are those of fields.go, which a
// test checks.
type (
	printedConfig struct {
		Archive  string           `yaml:"archive" json:"archive"`
		State    string           `yaml:"state" json:"state"`
		Rate     string           `yaml:"rate_limit,omitempty" json:"rate_limit,omitempty"`
		Daemon   printedDaemon    `yaml:"daemon" json:"daemon"`
		Accounts []printedAccount `yaml:"accounts" json:"accounts"`
	}

	printedAccount struct {
		Name string         `yaml:"name" json:"name"`
		IMAP *printedServer `yaml:"imap,omitempty" json:"imap,omitempty"`
		POP3 *printedServer `yaml:"pop3,omitempty" json:"pop3,omitempty"`

		Every    string        `yaml:"every,omitempty" json:"every,omitempty"`
		Cron     string        `yaml:"cron,omitempty" json:"cron,omitempty"`
		Jitter   string        `yaml:"jitter,omitempty" json:"jitter,omitempty"`
		Timezone string        `yaml:"timezone,omitempty" json:"timezone,omitempty"`
		Window   string        `yaml:"window,omitempty" json:"window,omitempty"`
		Idle     []string      `yaml:"idle,omitempty,flow" json:"idle,omitempty"`
		Hooks    *printedHooks `yaml:"hooks,omitempty" json:"hooks,omitempty"`

		Layout Layout `yaml:"layout" json:"layout"`
		Order  Order  `yaml:"order" json:"order"`

		Since          string `yaml:"since,omitempty" json:"since,omitempty"`
		RateLimit      string `yaml:"rate_limit,omitempty" json:"rate_limit,omitempty"`
		MaxMessageSize string `yaml:"max_message_size" json:"max_message_size"`
		MaxSession     string `yaml:"max_session" json:"max_session"`
		IdleTimeout    string `yaml:"idle_timeout" json:"idle_timeout"`
	}

	printedDaemon struct {
		Listen             string `yaml:"listen" json:"listen"`
		WebConfig          string `yaml:"web_config,omitempty" json:"web_config,omitempty"`
		Passes             int    `yaml:"passes" json:"passes"`
		ConnectionsPerHost int    `yaml:"connections_per_host" json:"connections_per_host"`
	}

	printedHooks struct {
		AfterPass []string `yaml:"after_pass,omitempty,flow" json:"after_pass,omitempty"`
		PingURL   any      `yaml:"ping_url,omitempty" json:"ping_url,omitempty"`
	}

	printedServer struct {
		Host           string            `yaml:"host" json:"host"`
		Port           int               `yaml:"port" json:"port"`
		Security       Security          `yaml:"security" json:"security"`
		AllowPlaintext bool              `yaml:"allow_plaintext" json:"allow_plaintext"`
		TLS            *printedTLS       `yaml:"tls,omitempty" json:"tls,omitempty"`
		Username       string            `yaml:"username" json:"username"`
		Password       any               `yaml:"password" json:"password"`
		Mailboxes      *printedMailboxes `yaml:"mailboxes,omitempty" json:"mailboxes,omitempty"`
		Connections    int               `yaml:"connections,omitempty" json:"connections,omitempty"`
		Compress       Compression       `yaml:"compress,omitempty" json:"compress,omitempty"`
	}

	printedTLS struct {
		CAFile string `yaml:"ca_file" json:"ca_file"`
	}

	printedMailboxes struct {
		Include []string `yaml:"include,flow" json:"include"`
		Exclude []string `yaml:"exclude,flow" json:"exclude"`
	}

	printedPassword struct {
		File       string   `yaml:"file,omitempty" json:"file,omitempty"`
		Command    []string `yaml:"command,omitempty,flow" json:"command,omitempty"`
		Env        string   `yaml:"env,omitempty" json:"env,omitempty"`
		Credential string   `yaml:"credential,omitempty" json:"credential,omitempty"`
	}
)

// Print writes the configuration as YAML with every default filled in, each
// account complete in itself. Loaded again it means the same, unless a
// password stands in it: that is written as [redacted].
func (c *Config) Print(w io.Writer) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(c.printed()); err != nil {
		return err
	}
	return e.Close()
}

// MarshalJSON returns what Print writes, as JSON.
func (c *Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.printed()) }

func (c *Config) printed() printedConfig {
	p := printedConfig{Archive: escaped(c.Archive), State: escaped(c.State), Rate: shortRate(c.RateLimit), Daemon: printedDaemon{
		Listen: first(c.Daemon.Listen, off), WebConfig: escaped(c.Daemon.WebConfig),
		Passes: c.Daemon.Passes, ConnectionsPerHost: c.Daemon.ConnectionsPerHost,
	}}
	for _, a := range c.Accounts {
		p.Accounts = append(p.Accounts, a.printed())
	}
	return p
}

func (a Account) printed() printedAccount {
	server := &printedServer{
		Host:           escaped(a.Host),
		Port:           a.Port,
		Security:       a.Security,
		AllowPlaintext: a.AllowPlaintext,
		Username:       escaped(a.Username),
		Password:       printedSource(a.Password),
	}
	if a.CAFile != "" {
		server.TLS = &printedTLS{CAFile: escaped(a.CAFile)}
	}
	p := printedAccount{
		Name:           a.Name,
		Cron:           a.Cron,
		Idle:           a.Idle,
		Layout:         a.Layout,
		Order:          a.Order,
		Since:          string(a.Since),
		RateLimit:      shortRate(a.RateLimit),
		MaxMessageSize: shortSize(a.MaxMessageSize),
		MaxSession:     shortDuration(a.MaxSession),
		IdleTimeout:    shortDuration(a.IdleTimeout),
	}
	a.printSchedule(&p)
	if a.Protocol == POP3 {
		p.POP3 = server
		return p
	}
	server.Connections = a.Connections
	server.Compress = a.Compress
	server.Mailboxes = &printedMailboxes{Include: a.Mailboxes.Include, Exclude: a.Mailboxes.Exclude}
	p.IMAP = server
	return p
}

// printSchedule writes when the account is pulled, and who hears of it.
func (a Account) printSchedule(p *printedAccount) {
	if a.Cron == "" {
		p.Every = shortDuration(a.Every)
		p.Jitter = fmt.Sprintf("%.0f%%", a.Jitter*100)
	}
	if a.Timezone != nil {
		p.Timezone = a.Timezone.String()
	}
	if a.Window != (Window{}) {
		p.Window = a.Window.String()
	}
	ping := a.Hooks.PingURL.Kind() != ""
	if !ping && len(a.Hooks.AfterPass) == 0 {
		return
	}
	p.Hooks = &printedHooks{AfterPass: a.Hooks.AfterPass}
	if ping {
		p.Hooks.PingURL = printedSource(a.Hooks.PingURL)
	}
}

func printedSource(s secret.Source) any {
	if s.Kind() == "plain" {
		return s.Plain // which prints as [redacted]
	}
	return printedPassword{File: escaped(s.File), Command: s.Command, Env: s.Env, Credential: s.Credential}
}

// shortRate writes 2MB/s, and nothing for no limit.
func shortRate(n int64) string {
	if n == 0 {
		return ""
	}
	return shortSize(n) + "/s"
}

// escaped undoes what expanded does.
func escaped(text string) string { return strings.ReplaceAll(text, "$", "$$") }

// shortDuration writes 15m and not 15m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
