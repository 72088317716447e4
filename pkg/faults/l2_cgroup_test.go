//go:build linux

package faults

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// l2Memory is a control group whose processes together have so much memory and
// no more: one that wants more is killed by the kernel. A limit of the address
// space (RLIMIT_AS) says nothing about a Go program, which reserves far more
// than it uses.
type l2Memory struct {
	dir    string
	kills  string // the file that counts those that were killed
	killed string // and the word in it
	peak   string // the file with the most that was ever used
}

// l2LimitMemory makes a control group, in the hierarchy that the machine has.
func l2LimitMemory(t *testing.T, bytes int64) *l2Memory {
	t.Helper()
	needRoot(t)
	var m *l2Memory
	var err error
	if _, v1 := os.Stat("/sys/fs/cgroup/memory/memory.limit_in_bytes"); v1 == nil {
		m = &l2Memory{dir: "/sys/fs/cgroup/memory/mailpull-faults", kills: "memory.oom_control", killed: "oom_kill ", peak: "memory.max_usage_in_bytes"}
		err = m.make("memory.limit_in_bytes", bytes)
	} else {
		m = &l2Memory{dir: "/sys/fs/cgroup/mailpull-faults", kills: "memory.events", killed: "oom_kill ", peak: "memory.peak"}
		// It may be on already, or not ours to turn on: make tells.
		_ = os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+memory"), 0o600)
		err = m.make("memory.max", bytes)
	}
	if err != nil {
		lacking(t, "no control group with a limit of memory: "+err.Error())
	}
	t.Cleanup(func() {
		if err := os.Remove(m.dir); err != nil {
			t.Error(err)
		}
	})
	return m
}

func (m *l2Memory) make(limit string, bytes int64) error {
	if err := os.Mkdir(m.dir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	return os.WriteFile(filepath.Join(m.dir, limit), []byte(strconv.FormatInt(bytes, 10)), 0o600)
}

// under is the beginning of a command that runs inside the group.
func (m *l2Memory) under() []string {
	return []string{"sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, m.dir}
}

// kills returns how many processes of the group were killed for their memory.
func (m *l2Memory) oomKills(t *testing.T) int {
	t.Helper()
	for line := range strings.Lines(m.read(t, m.kills)) {
		if number, ok := strings.CutPrefix(line, m.killed); ok {
			n, err := strconv.Atoi(strings.TrimSpace(number))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s does not count", m.kills)
	return 0
}

func (m *l2Memory) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(m.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
