// Package command runs another program so that it cannot outstay its limit,
// however it behaves: what it starts is killed with it, and what it leaves behind
// cannot keep its caller waiting.
package command

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// pipeLimit is how long the output may stay open after the command has ended. What
// it left running often holds it.
const pipeLimit = 2 * time.Second

// ErrTooLong says that a command was killed because it reached its limit.
var ErrTooLong = errors.New("took too long")

// Options is what Run needs. A nil Env is the environment of this process.
type Options struct {
	Argv           []string
	Env            []string
	Stdout, Stderr io.Writer
	Limit          time.Duration
}

// Run runs a program without a shell and waits for its end. It has no input and no
// terminal: one that asks a person fails at once instead of being stopped in the
// background. At the limit, and when ctx ends, it is killed with all that it has
// started; what it left running when it ended by itself is left alone.
//
// The error is ErrTooLong, ctx's, an *exec.ExitError, or why it did not start,
// without its name. The writers are not written to any more when Run returns.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.Limit, ErrTooLong)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.Argv[0], o.Argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = o.Env, o.Stdout, o.Stderr
	// A session of its own makes a process group that can be killed whole, and
	// has no terminal. Stdin is nil, which is /dev/null.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = pipeLimit
	return plain(ctx, cmd.Run())
}

// plain leaves out of an error what its reader knows.
func plain(ctx context.Context, err error) error {
	var execErr *exec.Error
	var pathErr *os.PathError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil // it ended well, and may have left something behind that holds its output
	case context.Cause(ctx) == ErrTooLong:
		return ErrTooLong
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &execErr):
		return execErr.Err
	case errors.As(err, &pathErr):
		return pathErr.Err
	}
	return err
}
