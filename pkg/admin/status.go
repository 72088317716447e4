package admin

import (
	"encoding/json"
	"time"

	"mailpull/pkg/mail"
)

// schemaVersion changes when a key changes its meaning or goes; new keys may
// come at any time.
const schemaVersion = 1

// The shape of the JSON answer.
type (
	statusAnswer struct {
		SchemaVersion int             `json:"schema_version"`
		Version       string          `json:"version"`
		Commit        string          `json:"commit"`
		State         string          `json:"state"`
		Problem       string          `json:"problem,omitempty"`
		Started       time.Time       `json:"started"`
		Now           time.Time       `json:"now"`
		Reload        reloadAnswer    `json:"reload"`
		Accounts      []accountAnswer `json:"accounts"`
		Volumes       []volumeAnswer  `json:"volumes"`
	}

	reloadAnswer struct {
		Time  time.Time `json:"time"`
		Error string    `json:"error,omitempty"`
	}

	accountAnswer struct {
		Account      string          `json:"account"`
		Source       string          `json:"source"`
		State        string          `json:"state"`
		ErrorClass   mail.Class      `json:"error_class,omitempty"`
		LastError    string          `json:"last_error,omitempty"`
		NextStep     string          `json:"next_step,omitempty"`
		Failures     int             `json:"failures"`
		LastComplete time.Time       `json:"last_complete_pass,omitzero"`
		LastPass     time.Time       `json:"last_pass,omitzero"`
		NextRun      time.Time       `json:"next_run,omitzero"`
		Server       int             `json:"server"`
		Archived     int             `json:"messages"`
		Waiting      int             `json:"waiting"`
		WaitingBytes int64           `json:"waiting_bytes"`
		Quarantined  int             `json:"quarantined"`
		Excluded     int             `json:"excluded"`
		Idle         bool            `json:"idle"`
		Running      *progressAnswer `json:"running,omitempty"`
	}

	progressAnswer struct {
		Started     time.Time `json:"started"`
		Planned     int       `json:"planned"`
		Done        int       `json:"done"`
		Bytes       int64     `json:"bytes"`
		Rate        float64   `json:"bytes_per_second"`
		Left        int       `json:"left"`
		LeftBytes   int64     `json:"left_bytes,omitempty"`
		LeftSeconds float64   `json:"left_seconds,omitempty"`
	}

	volumeAnswer struct {
		Name        string `json:"name"`
		Path        string `json:"path"`
		FreeBytes   uint64 `json:"free_bytes"`
		TotalBytes  uint64 `json:"total_bytes"`
		FreeInodes  uint64 `json:"free_inodes"`
		TotalInodes uint64 `json:"total_inodes"`
	}
)

// StatusJSON writes a snapshot as /status.json has it.
func StatusJSON(s Snapshot) (json.RawMessage, error) {
	a := statusAnswer{
		SchemaVersion: schemaVersion, Version: s.Version, Commit: s.Commit, State: s.State, Problem: short(s.Problem), Started: s.Started, Now: s.Now,
		Reload:   reloadAnswer{s.Reload.Time, short(s.Reload.Error)},
		Accounts: make([]accountAnswer, 0, len(s.Accounts)), Volumes: make([]volumeAnswer, 0, len(s.Volumes)),
	}
	for _, one := range s.Accounts {
		a.Accounts = append(a.Accounts, answerOf(one))
	}
	for _, v := range s.Volumes {
		a.Volumes = append(a.Volumes, volumeAnswer(v))
	}
	return json.Marshal(a)
}

func answerOf(a Account) accountAnswer {
	out := accountAnswer{
		Account: a.Name, Source: a.Protocol, State: a.State, ErrorClass: a.Class, LastError: short(a.Reason), NextStep: short(a.NextStep),
		Failures: a.Failures, LastComplete: a.LastComplete, LastPass: a.LastAttempt, NextRun: a.NextRun,
		Server: a.Server, Archived: a.Archived, Waiting: a.Waiting, WaitingBytes: a.WaitingBytes, Quarantined: a.Quarantined, Excluded: a.Excluded, Idle: a.Idle,
	}
	if p := a.Running; p != nil {
		out.Running = &progressAnswer{p.Started, p.Planned, p.Done, p.Bytes, p.Rate, max(0, p.Planned-p.Done), p.LeftBytes, p.Left.Seconds()}
	}
	return out
}
