package hook

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"mailpull/pkg/command"
)

const (
	// maxOutput is how much of a command's output is kept: its end, where what
	// went wrong stands.
	maxOutput = 4 << 10

	// defaultPath is where a command looks for others when mailpull has no
	// PATH itself.
	defaultPath = "/usr/local/bin:/usr/bin:/bin"
)

// environment is what the command can read. It is made anew and not inherited:
// mailpull's own environment may hold passwords.
func environment(e Event) []string {
	env := []string{
		"PATH=" + defaultPath,
		"MAILPULL_ACCOUNT=" + e.Account,
		"MAILPULL_RESULT=" + string(e.Result),
		"MAILPULL_NEW=" + strconv.Itoa(e.New),
		"MAILPULL_BYTES=" + strconv.FormatInt(e.Bytes, 10),
		"MAILPULL_MISSING=" + strconv.Itoa(e.Missing),
		"MAILPULL_QUARANTINED=" + strconv.Itoa(e.Quarantined),
		"MAILPULL_ARCHIVE=" + e.Archive,
		"MAILPULL_CLASS=" + string(e.Class),
		"MAILPULL_ERROR=" + oneLine(e.Error),
	}
	for _, name := range []string{"PATH", "HOME", "LANG"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value) // of two, the later counts
		}
	}
	return env
}

// run runs argv, waits for its end, and returns the end of what it printed. At
// the limit, and when ctx ends, it is killed with all that it has started; what
// it left running when it ended by itself is left alone.
func run(ctx context.Context, argv, env []string, limit time.Duration) ([]byte, error) {
	output := &tail{limit: maxOutput}
	err := command.Run(ctx, command.Options{Argv: argv, Env: env, Stdout: output, Stderr: output, Limit: limit})
	if errors.Is(err, command.ErrTooLong) {
		err = fmt.Errorf("killed after %v: %w", limit, context.DeadlineExceeded)
	}
	if err != nil {
		err = fmt.Errorf("%q: %w", argv[0], err)
	}
	return []byte(strings.ToValidUTF8(string(output.kept), "\uFFFD")), err
}

// tail keeps the last limit bytes that are written to it, so that a command that
// prints for ever costs no memory.
type tail struct {
	kept  []byte
	limit int
}

// Write never fails: a command must not die of a broken pipe because it prints
// more than is read.
func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	p = p[max(0, n-t.limit):]
	drop := max(0, len(t.kept)+len(p)-t.limit)
	t.kept = append(t.kept[:0], t.kept[drop:]...)
	t.kept = append(t.kept, p...)
	return n, nil
}
