package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"mailpull/pkg/config"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/schedule"
)

// memoryName is the file in an account's state folder that keeps what the
// timetable must not forget over a restart: a pause, and refused sign-ins. It
// is JSON, so that a person can read it, and may be removed at any time: the
// account then goes on as if nothing had been refused.
const (
	memoryName    = "schedule"
	memoryVersion = 1
	maxMemory     = 64 << 10
)

// memoryFile is what the file holds.
type memoryFile struct {
	Version int `json:"version"`
	schedule.Memory
}

// readMemory returns what is remembered of an account; the zero value where
// nothing is. A file that cannot be read or understood is an error.
func readMemory(c *config.Config, account string) (schedule.Memory, error) {
	dir, err := durable.OpenDir(filepath.Join(c.State, account))
	if errors.Is(err, fs.ErrNotExist) {
		return schedule.Memory{}, nil
	}
	if err != nil {
		return schedule.Memory{}, diskError("schedule", err)
	}
	defer dir.Close() // it was only read
	f, err := dir.Open(memoryName)
	if errors.Is(err, fs.ErrNotExist) {
		return schedule.Memory{}, nil
	}
	if err != nil {
		return schedule.Memory{}, diskError("schedule", err)
	}
	defer f.Close() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxMemory))
	if err != nil {
		return schedule.Memory{}, diskError("schedule", err)
	}
	return parseMemory(dir.Path()+"/"+memoryName, text)
}

// parseMemory reads the file's text.
func parseMemory(path string, text []byte) (schedule.Memory, error) {
	var m memoryFile
	err := json.Unmarshal(text, &m)
	if err == nil && m.Version != memoryVersion {
		err = fmt.Errorf("version %d is not known, this program knows %d", m.Version, memoryVersion)
	}
	if err != nil {
		return schedule.Memory{}, &mail.Error{
			Op: "schedule", Scope: mail.ScopeAccount, Class: mail.ClassDisk, Err: fmt.Errorf("%s: %w", path, err),
			Hint: "remove the file: only pauses and refused sign-ins are forgotten by that",
		}
	}
	return m.Memory, nil
}

// writeMemory keeps what is remembered of an account; durable when it returns
// nil.
func writeMemory(c *config.Config, account string, m schedule.Memory) error {
	dir, err := makeDir(filepath.Join(c.State, account))
	if err != nil {
		return diskError("schedule", err)
	}
	defer dir.Close() // what was written was flushed
	text, err := json.MarshalIndent(memoryFile{memoryVersion, m}, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(dir, memoryName, append(text, '\n')); err != nil {
		return diskError("schedule", err)
	}
	return nil
}
