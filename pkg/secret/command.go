package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mailpull/pkg/command"
)

const (
	// commandLimit is how long a command may run. Password managers that ask
	// a network or a smart card need seconds; one that waits for a person
	// would wait for ever.
	commandLimit = 30 * time.Second

	// maxComplaint is how much of a command's standard error an error shows.
	maxComplaint = 200
)

// fromCommand runs argv without a shell and returns the first line of its
// standard output. All that it printed there stays out of every error.
func fromCommand(ctx context.Context, argv []string, limit time.Duration) (String, error) {
	what := fmt.Sprintf("secret command %q", argv[0])
	stdout := &head{limit: maxSize + 2} // the secret and its line end
	stderr := &head{limit: 4 << 10}
	err := command.Run(ctx, command.Options{Argv: argv, Stdout: stdout, Stderr: stderr, Limit: limit})
	if errors.Is(err, command.ErrTooLong) {
		err = fmt.Errorf("killed after %v; it must print the secret without asking anybody: %w", limit, context.DeadlineExceeded)
	}
	line := firstLine(stdout.kept)
	if err != nil {
		return String{}, fmt.Errorf("%s: %w%s", what, err, complaint(stderr.kept, line))
	}
	return checked(what+": first line of its output", line)
}

// complaint returns what the command said on standard error, fit to stand at
// the end of an error. It is left out when it repeats the secret, as a shell
// script with "set -x" does.
func complaint(stderr []byte, secret string) string {
	text := printable(stderr)
	if text == "" {
		return ""
	}
	if secret != "" && bytes.Contains(stderr, []byte(secret)) {
		return "; what it said is not shown because it holds its output"
	}
	return "; it said: " + text
}

// printable returns text as one line of printable ASCII, cut to maxComplaint.
func printable(text []byte) string {
	var b strings.Builder
	for _, word := range bytes.Fields(text) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		for _, c := range word {
			if c < ' ' || c > '~' {
				c = '?'
			}
			b.WriteByte(c)
		}
		if b.Len() > maxComplaint {
			return b.String()[:maxComplaint] + "..."
		}
	}
	return b.String()
}

func firstLine(out []byte) string {
	line, _, found := bytes.Cut(out, []byte("\n"))
	if found {
		line = bytes.TrimSuffix(line, []byte("\r"))
	}
	return string(line)
}

// head keeps the first limit bytes that are written to it and drops the rest,
// so that a command that prints for ever costs no memory.
type head struct {
	kept  []byte
	limit int
}

// Write never fails: a command must not die of a broken pipe because it
// prints more than is read.
func (h *head) Write(p []byte) (int, error) {
	room := min(h.limit-len(h.kept), len(p))
	h.kept = append(h.kept, p[:room]...)
	return len(p), nil
}
