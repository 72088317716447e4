package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Find returns the path of the configuration file to load: flag, then
// $MAILPULL_CONFIG, then the first that is there of
// $XDG_CONFIG_HOME/mailpull/config.yaml (by default in ~/.config) and
// /etc/mailpull/config.yaml. The first two are returned without a look,
// because whoever names a file wants no other.
//
// The path is empty when there is none; tried says in which places it was
// looked for. It is an error when a place cannot be looked at: what lies
// there may be the right file, and the next place has another.
func Find(flag string, env func(string) string) (path string, tried []string, err error) {
	if path := first(flag, env("MAILPULL_CONFIG")); path != "" {
		return path, []string{path}, nil
	}
	var places []string
	// Relative paths are to be ignored (XDG Base Directory Specification).
	if dir := env("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		places = append(places, filepath.Join(dir, "mailpull", "config.yaml"))
	} else if home := env("HOME"); filepath.IsAbs(home) {
		places = append(places, filepath.Join(home, ".config", "mailpull", "config.yaml"))
	}
	places = append(places, "/etc/mailpull/config.yaml")
	path, err = firstFile(places)
	return path, places, err
}

// firstFile returns the first path at which there is something.
func firstFile(places []string) (string, error) {
	for _, place := range places {
		_, err := os.Stat(place)
		switch {
		case err == nil:
			return place, nil
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		default:
			return "", fmt.Errorf("%w; make it readable, or name a file with --config", readError(place, err))
		}
	}
	return "", nil
}
