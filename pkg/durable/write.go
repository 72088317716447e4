package durable

import (
	"errors"
	"io/fs"
)

// WriteFile replaces name with data so that after a crash name holds either
// all of the old bytes or all of the new ones; it is durable when WriteFile
// returns nil.
//
// The temporary file, name with ".tmp" behind it, is in the same directory:
// rename is atomic only inside one file system. One that a crash left behind is
// removed. The directory is flushed last, because a rename that is not on disk
// can be forgotten although the bytes are there. Two calls for one name must
// not run at once.
func WriteFile(dir Dir, name string, data []byte) error {
	return replace(dir, name, name+".tmp", data, noMore)
}

// replace is WriteFile by way of the file tmp, on which more is called before
// it is flushed.
func replace(dir Dir, name, tmp string, data []byte, more func(File) error) error {
	if err := dir.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(dir, tmp, data, more); err != nil {
		_ = dir.Remove(tmp) // the first error is the one to tell
		return err
	}
	if err := dir.Replace(tmp, name); err != nil {
		_ = dir.Remove(tmp) // the first error is the one to tell
		return err
	}
	return dir.Sync()
}

// writeNew creates a file whose bytes are durable when it returns nil.
func writeNew(dir Dir, name string, data []byte, more func(File) error) error {
	f, err := dir.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = more(f)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func noMore(File) error { return nil }
