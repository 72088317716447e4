package daemon

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"mailpull/pkg/config"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// The archive carries a marker, and the state folder remembers which one. When
// the disk of the archive is not mounted its mount point has none, and nothing
// is written into it: not even by an account that is pulled for the first time.
const (
	markerName     = ".mailpull-archive"
	rememberedName = ".archive" // no account's name begins with a dot

	// maxMarker is more than a marker has.
	maxMarker = 256
)

// checkMarker opens the folders of archive and state, marks an archive that is
// used for the first time, and refuses one that is not the one of before.
func checkMarker(c *config.Config) error {
	state, err := makeDir(c.State)
	if err != nil {
		return diskError("state", err)
	}
	defer state.Close() // what was written was flushed
	remembered, err := readMarker(state, rememberedName)
	if err != nil {
		return diskError("state", err)
	}
	if remembered != "" {
		return sameArchive(c, remembered)
	}
	marker, err := markArchive(c.Archive)
	if err != nil {
		return diskError("archive", err)
	}
	if err := writeOnce(state, rememberedName, marker); err != nil {
		return diskError("state", err)
	}
	return nil
}

// sameArchive reads the marker of an archive that was used before.
func sameArchive(c *config.Config, remembered string) error {
	archive, err := durable.OpenDir(c.Archive)
	if err == nil {
		defer archive.Close() // it was only read
		var marker string
		if marker, err = readMarker(archive, markerName); err == nil && marker == remembered {
			return nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskError("archive", err)
	}
	return &mail.Error{
		Op: "archive", Scope: mail.ScopeAccount, Class: mail.ClassDisk,
		Err: fmt.Errorf("%s is not the archive of before: its file %s is missing or another one", c.Archive, markerName),
		Hint: fmt.Sprintf("mount or move the archive back to this place; if this folder is to be used from now on, remove %s and run again",
			filepath.Join(c.State, rememberedName)),
	}
}

// markArchive returns the marker of an archive, and makes one where there is
// none.
func markArchive(path string) (string, error) {
	archive, err := makeDir(path)
	if err != nil {
		return "", err
	}
	defer archive.Close() // what was written was flushed
	marker, err := readMarker(archive, markerName)
	if err != nil || marker != "" {
		return marker, err
	}
	if err := writeOnce(archive, markerName, rand.Text()); err != nil {
		return "", err
	}
	return readMarker(archive, markerName) // another process may have been faster
}

// writeOnce writes a marker, unless there is one.
func writeOnce(dir durable.Dir, name, marker string) error {
	tmp := name + "." + rand.Text()
	err := durable.WriteFile(dir, tmp, []byte("mailpull archive "+marker+"\n"))
	var where *fs.PathError
	if errors.As(err, &where) {
		return &fs.PathError{Op: "write", Path: dir.Path() + "/" + name, Err: where.Err}
	}
	if err != nil {
		return err
	}
	err = dir.Rename(tmp, dir, name)
	if errors.Is(err, fs.ErrExist) {
		return dir.Remove(tmp)
	}
	return errors.Join(err, dir.Sync())
}

// readMarker reads a marker, or the empty string where there is no file.
func readMarker(dir durable.Dir, name string) (string, error) {
	f, err := dir.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxMarker))
	if err != nil {
		return "", err
	}
	marker, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "mailpull archive ")
	if !ok || marker == "" {
		return "", fmt.Errorf("%s/%s: not the marker of an archive; remove it if it is not yours", dir.Path(), name)
	}
	return marker, nil
}

// makeDir opens a folder and makes it where it is missing.
func makeDir(path string) (durable.Dir, error) {
	if err := durable.MkdirAll(path); err != nil {
		return nil, err
	}
	return durable.OpenDir(path)
}
