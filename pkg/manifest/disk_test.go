package manifest

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"mailpull/pkg/durable"
)

var (
	errKilled = errors.New("killed")
	errIO     = errors.New("input/output error")
)

// memDisk is a directory in memory that knows what a power cut would leave,
// and that fails or dies at a given operation.
type memDisk struct {
	names   map[string]*memFile // what a running process sees
	durable map[string]*memFile // what the directory's last flush saw

	ops    int
	failAt int  // the operation that fails; 0 for none
	dead   bool // whether all operations after it fail too
	log    []string
}

type memFile struct {
	data   []byte
	synced []byte // what the file's last flush saw
}

func newMemDisk() *memDisk {
	return &memDisk{names: map[string]*memFile{}, durable: map[string]*memFile{}}
}

func (d *memDisk) op(name string) error {
	d.ops++
	d.log = append(d.log, name)
	switch {
	case d.failAt == 0 || d.ops < d.failAt:
		return nil
	case d.dead:
		return errKilled
	case d.ops == d.failAt:
		return errIO
	}
	return nil
}

// revived is the disk as the next process finds it, when only the process
// died: what was not flushed is there, and still not flushed.
func (d *memDisk) revived() *memDisk {
	next := newMemDisk()
	copies := map[*memFile]*memFile{}
	for from, to := range map[*map[string]*memFile]map[string]*memFile{&d.names: next.names, &d.durable: next.durable} {
		for name, f := range *from {
			if copies[f] == nil {
				copies[f] = &memFile{data: slices.Clone(f.data), synced: slices.Clone(f.synced)}
			}
			to[name] = copies[f]
		}
	}
	return next
}

// cut is the disk after a power cut: names are those of the last flush, or
// the newest, and of each file what was not flushed is kept, lost, cut short
// or replaced by zeros in parts.
func (d *memDisk) cut(rnd *rand.Rand) *memDisk {
	names := d.durable
	if rnd.IntN(2) == 0 {
		names = d.names
	}
	next := newMemDisk()
	for name, f := range names {
		data := torn(rnd, f)
		next.names[name] = &memFile{data: data, synced: data}
	}
	maps.Copy(next.durable, next.names)
	return next
}

func torn(rnd *rand.Rand, f *memFile) []byte {
	if slices.Equal(f.data, f.synced) {
		return slices.Clone(f.synced)
	}
	if len(f.data) <= len(f.synced) { // a truncation that was not flushed
		if rnd.IntN(2) == 0 {
			return slices.Clone(f.synced)
		}
		return slices.Clone(f.data)
	}
	tail := slices.Clone(f.data[len(f.synced):])
	tail = tail[:rnd.IntN(len(tail)+1)]
	if len(tail) > 0 && rnd.IntN(2) == 0 { // pages reach the disk in any order
		a, b := rnd.IntN(len(tail)), rnd.IntN(len(tail))
		clear(tail[min(a, b):max(a, b)])
	}
	return slices.Concat(f.synced, tail)
}

func (d *memDisk) Create(name string) (durable.File, error) {
	if err := d.op("create"); err != nil {
		return nil, err
	}
	if d.names[name] != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	}
	d.names[name] = &memFile{}
	return &memHandle{d, d.names[name]}, nil
}

func (d *memDisk) Append(name string) (durable.File, error) {
	if err := d.op("append"); err != nil {
		return nil, err
	}
	if d.names[name] == nil {
		d.names[name] = &memFile{}
	}
	return &memHandle{d, d.names[name]}, nil
}

func (d *memDisk) Open(name string) (durable.File, error) {
	if err := d.op("open"); err != nil {
		return nil, err
	}
	if d.names[name] == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memHandle{d, d.names[name]}, nil
}

func (d *memDisk) Replace(from, to string) error {
	if err := d.op("replace"); err != nil {
		return err
	}
	d.names[to] = d.names[from]
	delete(d.names, from)
	return nil
}

func (d *memDisk) Remove(name string) error {
	if err := d.op("remove"); err != nil {
		return err
	}
	if d.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(d.names, name)
	return nil
}

func (d *memDisk) Sync() error {
	if err := d.op("sync dir"); err != nil {
		return err
	}
	d.durable = maps.Clone(d.names)
	return nil
}

func (d *memDisk) Path() string { return "/state/work" }

// The rest of durable.Dir is not for a manifest.
func (d *memDisk) Rename(string, durable.Dir, string) error  { return errors.ErrUnsupported }
func (d *memDisk) SetTime(string, time.Time) error           { return errors.ErrUnsupported }
func (d *memDisk) Names(func(string, bool) error) error      { return errors.ErrUnsupported }
func (d *memDisk) Mkdir(string) error                        { return errors.ErrUnsupported }
func (d *memDisk) Sub(string) (durable.Dir, error)           { return nil, errors.ErrUnsupported }
func (d *memDisk) SyncFS() error                             { return errors.ErrUnsupported }
func (d *memDisk) Close() error                              { return nil }
func (h *memHandle) Read([]byte) (int, error)                { return 0, errors.ErrUnsupported }
func (h *memHandle) Close() error                            { return nil }
func (h *memHandle) Size() (int64, error)                    { return int64(len(h.f.data)), nil }
func (h *memHandle) ReadAt(p []byte, off int64) (int, error) { return readAt(h.f.data, p, off) }

type memHandle struct {
	d *memDisk
	f *memFile
}

func readAt(data, p []byte, off int64) (int, error) {
	if off >= int64(len(data)) {
		return 0, io.EOF
	}
	n := copy(p, data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Write leaves half of its bytes behind when it fails.
func (h *memHandle) Write(p []byte) (int, error) {
	if err := h.d.op("write"); err != nil {
		half := len(p) / 2
		h.f.data = append(h.f.data, p[:half]...)
		return half, err
	}
	h.f.data = append(h.f.data, p...)
	return len(p), nil
}

func (h *memHandle) Truncate(size int64) error {
	if err := h.d.op("truncate"); err != nil {
		return err
	}
	h.f.data = slices.Clone(h.f.data[:size])
	return nil
}

func (h *memHandle) Sync() error {
	if err := h.d.op("sync"); err != nil {
		return err
	}
	h.f.synced = slices.Clone(h.f.data)
	return nil
}
