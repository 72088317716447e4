package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"

	"mailpull/pkg/durable"
	"mailpull/pkg/record"
)

// fileName is the manifest's name in its directory.
const fileName = "manifest"

// maxHeader bounds the first line, whatever the account's name.
const maxHeader = 64 << 10

// Options says which manifest to open.
type Options struct {
	// Dir is the account's state directory. It stays the caller's to close,
	// and the caller holds the account's lock as long as the File is open.
	Dir durable.Dir

	// Account is written to the file's first line; a file with another one is
	// refused.
	Account string

	// Log is told of what was cut off. Nil means silence.
	Log *slog.Logger
}

// File is an open manifest. It keeps nothing in memory but the last hash. It
// may be used from several goroutines; reading goes on beside appending and
// sees what was durable when it began.
//
// After the first error in writing or flushing every call returns that error
// and nothing more is written: the kernel may have dropped what it could not
// write and say yes to the next flush. The next Open reads what there is.
type File struct {
	dir     durable.Dir
	account string
	log     *slog.Logger

	mu    sync.Mutex
	file  durable.File
	chain chain
	size  int64 // how much of the file is durable
	err   error // why the file is dead, or nil
}

// Open opens the account's manifest and makes an empty one where there is
// none. It reads the file's end only, however large the file is; an
// unfinished append is cut off, with a log line. The file's name is durable
// when Open returns.
//
// The error is a *mail.Error of class disk; errors.Is finds ErrDamaged,
// ErrVersion and ErrMismatch in it, or the file system's error.
func Open(o Options) (*File, error) {
	f := &File{dir: o.Dir, account: o.Account, log: o.Log}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if err := f.open(); err != nil {
		if f.file != nil {
			_ = f.file.Close() // nothing was written that a close could lose
		}
		return nil, f.failure(err)
	}
	return f, nil
}

func (f *File) open() error {
	if err := f.begin(); err != nil {
		return err
	}
	file, err := f.dir.Append(fileName)
	if err != nil {
		return err
	}
	f.file = file
	size, err := file.Size()
	if err != nil {
		return err
	}
	if err := f.checkHeader(size); err != nil {
		return err
	}
	if err := f.cutTail(size); err != nil {
		return err
	}
	// A process that was killed while it made the file may have left a name
	// that a power cut would take back, and one that was killed between writing
	// lines and flushing them lines that are not durable yet and are now
	// believed.
	if err := f.file.Sync(); err != nil {
		return err
	}
	return f.dir.Sync()
}

// begin makes a manifest of its first line where there is none, or an empty
// file.
func (f *File) begin() error {
	file, err := f.dir.Open(fileName)
	if errors.Is(err, fs.ErrNotExist) {
		return durable.WriteFile(f.dir, fileName, headerLine(f.account))
	}
	if err != nil {
		return err
	}
	defer file.Close() // it was only read
	size, err := file.Size()
	if err != nil || size > 0 {
		return err
	}
	f.log.Warn("manifest was empty", "path", f.path())
	return durable.WriteFile(f.dir, fileName, headerLine(f.account))
}

// checkHeader reads the first line and refuses another account's file.
func (f *File) checkHeader(size int64) error {
	buf := make([]byte, min(size, maxHeader))
	if _, err := f.file.ReadAt(buf, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	line, _, whole := bytes.Cut(buf, []byte{'\n'})
	if !whole {
		return &record.Damage{Line: 1, Reason: "the line has no end"}
	}
	account, err := parseHeader(line)
	if err != nil {
		return err
	}
	return record.CheckAccount(account, f.account)
}

// cutTail finds the last whole append and cuts off what an interrupted one
// left behind it.
func (f *File) cutTail(size int64) error {
	t, err := readTail(f.file, size)
	if err != nil {
		return err
	}
	if !t.ok || t.damaged {
		return f.locate(size)
	}
	f.chain, f.size = t.chain, t.end
	if t.end == size {
		return nil
	}
	f.log.Info("manifest lost an unfinished append", "path", f.path(), "bytes", size-t.end)
	if err := f.file.Truncate(t.end); err != nil {
		return err
	}
	return f.file.Sync()
}

// locate reads the whole file to tell the line of a damage near its end.
func (f *File) locate(size int64) error {
	err := walk(f.file, size, func(int, []byte) error { return nil })
	if err == nil {
		err = &record.Damage{Reason: fmt.Sprintf("manifest is damaged: no append ends within its last %d bytes", int64(maxTail))}
	}
	return err
}

// Empty reports whether the manifest lists no message.
func (f *File) Empty() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size == int64(len(headerLine(f.account)))
}

// Close lets go of the file. Every later call returns an error.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	if f.err == nil {
		f.err = f.failure(errClosed)
	}
	if err != nil {
		return f.failure(err)
	}
	return nil
}

func (f *File) failure(err error) error { return failure(f.account, f.path(), err) }

func (f *File) path() string { return filepath.Join(f.dir.Path(), fileName) }
