package maildir

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// Options say where an account's archive is.
type Options struct {
	// Dir is the account's directory, ARCHIVE/ACCOUNT. The caller closes it,
	// after the last batch has ended.
	Dir durable.Dir

	// Layout is Maildirpp when it is empty.
	Layout Layout

	// Waiting is how many bytes may wait in memory to be written, at least 1 MiB;
	// 0 means 4 MiB.
	Waiting int

	// Log has the account attached; nil means that nothing is logged.
	Log *slog.Logger
}

// Store is an account's archive. It implements pull.Store. The caller holds the
// account's lock: no other process delivers here meanwhile.
type Store struct {
	opts    Options
	buffers buffers
	queue   *budget
	small   int // smallBody; tests use less

	flushing    sync.Mutex // held during a flush of the file system
	flushFailed error      // the first one's that failed; guarded by flushing

	// number makes the names in tmp/ differ.
	number atomic.Int64

	mu       sync.Mutex
	folders  map[string]*folder   // by path components, joined with "/"
	siblings map[string]*siblings // by the parent's components
	begun    bool
	perFile  bool // flush file by file: SyncFS is of no use here
}

// Open returns the store of an account's archive. It needs no closing, and
// touches the disk only to see that it can be read.
func Open(opts Options) (*Store, error) {
	if opts.Dir == nil {
		return nil, errors.New("maildir open: no directory")
	}
	switch opts.Layout {
	case "":
		opts.Layout = Maildirpp
	case Maildirpp, FS:
	default:
		return nil, fmt.Errorf("maildir open: unknown layout %q", string(opts.Layout))
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		opts:     opts,
		queue:    newBudget(max(minWaiting, cmp.Or(opts.Waiting, defaultWaiting))),
		small:    smallBody,
		folders:  make(map[string]*folder),
		siblings: make(map[string]*siblings),
	}
	s.number.Store(time.Now().UnixNano())

	root, err := readSiblings(opts.Dir)
	if err != nil {
		return nil, s.diskError("open", "", err)
	}
	s.siblings[""] = root
	if other, ok := opts.Layout.contradicted(root); ok {
		return nil, &mail.Error{
			Op: "maildir open", Scope: mail.ScopeAccount, Retry: mail.RetryNever, Class: mail.ClassDisk,
			Err:  fmt.Errorf("%s holds an archive in layout %s, not %s", opts.Dir.Path(), other, opts.Layout),
			Hint: fmt.Sprintf("write layout: %s for this account; another layout needs another account or another archive", other),
		}
	}
	return s, nil
}

// contradicted reports whether the account's folder was filled in the other
// layout: in Maildirpp INBOX's cur/ stands at the root, in FS below INBOX/.
// Mail would come into new folders, and what is in the old ones be forgotten.
func (l Layout) contradicted(root *siblings) (other Layout, ok bool) {
	if l == FS {
		return Maildirpp, root.names["cur"]
	}
	return FS, root.names["INBOX"] && !root.names["cur"]
}

// Box implements pull.Store.
func (s *Store) Box(m mail.Mailbox) (mail.Box, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.folder(folderName(s.opts.Layout, m.Path()))
	if err != nil {
		return nil, s.boxError("open", m.Name, err)
	}
	return &Box{name: m.Name, folder: f}, nil
}

// folder returns the folder with the given plain name and makes it usable the
// first time. The caller holds s.mu.
func (s *Store) folder(plain []string) (*folder, error) {
	parts, err := s.resolve(plain)
	if err != nil {
		return nil, err
	}
	path := strings.Join(parts, "/")
	if f, ok := s.folders[path]; ok {
		return f, nil
	}
	f := &folder{store: s, parts: parts, unsynced: true}
	if err := f.prepare(); err != nil {
		return nil, err
	}
	s.folders[path] = f
	return f, nil
}

// resolve turns a folder's plain name into the one that it has on this disk.
// The caller holds s.mu.
func (s *Store) resolve(plain []string) ([]string, error) {
	parts := make([]string, 0, len(plain))
	for _, name := range plain {
		sib, err := s.siblingsBelow(parts)
		if err != nil {
			return nil, err
		}
		chosen := sib.choose(name)
		sib.add(chosen)
		parts = append(parts, chosen)
	}
	return parts, nil
}

// siblingsBelow returns the names in a directory of the archive, which may not
// exist yet.
func (s *Store) siblingsBelow(parts []string) (*siblings, error) {
	path := strings.Join(parts, "/")
	if sib, ok := s.siblings[path]; ok {
		return sib, nil
	}
	sib, err := s.readBelow(parts)
	if err != nil {
		return nil, err
	}
	s.siblings[path] = sib
	return sib, nil
}

// begin makes sure, before the first write of this store, that a later flush
// tells of our own writes only: an error that another program's writes left
// behind is reported once, here. It also learns whether the kernel can flush
// everything in one call.
func (s *Store) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun {
		return nil
	}
	err := s.syncFS()
	if errors.Is(err, errors.ErrUnsupported) {
		s.perFile = true
		s.opts.Log.Debug("flushing file by file", "path", s.opts.Dir.Path())
		err = nil
	}
	if err != nil {
		return s.diskError("deliver", "", err)
	}
	s.begun = true
	return nil
}

// flushesFiles reports whether each file needs a flush of its own. It is known
// once begin returned nil.
func (s *Store) flushesFiles() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.perFile
}
