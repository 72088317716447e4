package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// fromFile reads the secret in the file at path. Errors start with what.
func fromFile(what, path string) (String, error) {
	text, err := readFile(path)
	if err != nil {
		return String{}, fmt.Errorf("%s: %w", what, err)
	}
	text, found := strings.CutSuffix(text, "\n")
	if found {
		text = strings.TrimSuffix(text, "\r")
	}
	return checked(what, text)
}

// readFile returns the whole of a small regular file that strangers cannot
// read. Everything is asked of the open file and not of its path, so that a
// path that changes its meaning in between cannot cheat.
func readFile(path string) (string, error) {
	// Without O_NONBLOCK, opening a FIFO waits for a writer for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", withoutPath(err)
	}
	defer func() { _ = f.Close() }() // it was only read

	info, err := f.Stat()
	if err != nil {
		return "", withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("is not a regular file")
	}
	// Group-readable is how Docker secrets and Kubernetes volumes come. There
	// a mount is often world-readable too, and cannot be changed when it is
	// read-only.
	if info.Mode().Perm()&0o004 != 0 && !onReadOnlyMount(f) {
		return "", fmt.Errorf("every user of this machine can read it; type: %s", ChmodLine(path))
	}

	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return "", withoutPath(err)
	}
	if len(data) > maxSize {
		return "", fmt.Errorf("is larger than %d bytes; is this the right file?", maxSize)
	}
	return string(data), nil
}

// withoutPath drops the path from the error, because the text before it has
// the path already.
func withoutPath(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// ChmodLine returns the command line that makes the file at path readable by
// its owner alone, quoted for a shell.
func ChmodLine(path string) string {
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("/._-+,:@%", r)
	}
	if strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) >= 0 {
		path = "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return "chmod 600 " + path
}
