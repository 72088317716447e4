package config

import (
	"slices"

	"mailpull/pkg/secret"
)

// document is what the tables fill: the configuration as it is written, before
// the defaults.
type document struct {
	archive, state string
	defaults       Account
	accounts       []*Account
	daemon         Daemon
	rateLimit      int64

	// elsewhere is set when other files have accounts too.
	elsewhere bool
}

// fields is the table of the whole file.
func (d *document) fields() []field {
	return []field{
		{name: "archive", required: true, read: path(&d.archive)},
		{name: "state", read: path(&d.state)},
		{name: "rate_limit", read: rateLimit(&d.rateLimit)},
		{name: "daemon", fields: daemonFields(&d.daemon)},
		{name: "defaults", fields: slices.Concat(scheduleFields(&d.defaults), []field{
			hookFields(&d.defaults),
			{name: "layout", read: word(&d.defaults.Layout, "layout", MaildirPP, FS)},
			{name: "connections", read: connections(&d.defaults.Connections)},
			{name: "order", read: word(&d.defaults.Order, "order", OldestFirst, NewestFirst)},
		}, limitFields(&d.defaults), laterFields())},
		d.accountsField(!d.elsewhere),
	}
}

// accountsField is the list of the accounts.
func (d *document) accountsField(required bool) field {
	return field{name: "accounts", required: required, items: func() []field {
		a := new(Account)
		d.accounts = append(d.accounts, a)
		return accountFields(a)
	}}
}

func accountFields(a *Account) []field {
	return slices.Concat([]field{
		{name: "name", required: true, read: accountName(&a.Name)},
		{name: "imap", fields: append(serverFields(a),
			field{name: "mailboxes", fields: []field{
				{name: "include", read: patterns(&a.Mailboxes.Include, true)},
				{name: "exclude", read: patterns(&a.Mailboxes.Exclude, false)},
			}},
			field{name: "connections", read: connections(&a.Connections)},
			field{name: "compress", read: word(&a.Compress, "word for compress", CompressAuto, CompressAlways, CompressNever)},
		)},
		{name: "pop3", fields: append(serverFields(a),
			field{name: "mailboxes", refuse: "POP3 has one mailbox, and all of it is pulled"},
			field{name: "connections", refuse: "a POP3 server lets one connection at a time into a mailbox"},
			field{name: "compress", refuse: "POP3 has no compression"},
		)},
	}, scheduleFields(a), []field{
		{name: "idle", read: idle(&a.Idle)},
		hookFields(a),
		{name: "layout", read: word(&a.Layout, "layout", MaildirPP, FS)},
		{name: "order", read: word(&a.Order, "order", OldestFirst, NewestFirst)},
	}, limitFields(a), laterFields())
}

// limitFields are the bounds of what is pulled, and of a server's cost, that an
// account can set.
func limitFields(a *Account) []field {
	return []field{
		{name: "since", read: since(&a.Since)},
		{name: "rate_limit", read: rateLimit(&a.RateLimit)},
		{name: "max_message_size", read: messageSize(&a.MaxMessageSize)},
		{name: "max_session", read: duration(&a.MaxSession, "1h or 24h", minSession, 0)},
		{name: "idle_timeout", read: duration(&a.IdleTimeout, "30s or 5m", minIdleTimeout, maxIdleTimeout)},
	}
}

// serverFields are the keys that imap and pop3 share.
func serverFields(a *Account) []field {
	return []field{
		{name: "host", required: true, read: host(&a.Host)},
		{name: "port", read: number(&a.Port, "port", 1, 65535)},
		{name: "security", read: word(&a.Security, "security", TLS, StartTLS, None)},
		{name: "allow_plaintext", read: boolean(&a.AllowPlaintext)},
		{name: "tls", fields: []field{
			{name: "ca_file", read: path(&a.CAFile)},
		}},
		{name: "username", required: true, read: username(&a.Username)},
		{name: "password", required: true, hush: true, read: plainPassword(&a.Password.Plain), fields: secretFields(&a.Password)},
	}
}

// secretFields are the places that a secret can come from.
func secretFields(s *secret.Source) []field {
	return []field{
		{name: "file", read: path(&s.File)},
		{name: "command", read: command(&s.Command)},
		{name: "env", read: variable(&s.Env)},
		{name: "credential", read: credential(&s.Credential)},
	}
}

// laterFields are keys that a later version will take. They are refused with
// a reason, because a key that is ignored promises what does not happen.
func laterFields() []field {
	return []field{
		{name: "remove_after", refuse: "this version never removes mail on the server"},
	}
}
