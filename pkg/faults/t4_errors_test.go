package faults

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// t4Errors are what each disk call fails with. A write takes a part first when
// the disk is full, and when the error is that it took a part only.
func t4Errors() []error {
	return []error{
		syscall.EIO, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EMFILE, syscall.EACCES,
		io.ErrShortWrite,
	}
}

// t4Site is one disk call of a pass: the n-th of its kind on a file, whose name
// is given without what differs from run to run.
type t4Site struct {
	kind, path string
	n          int
}

// String names the site.
func (s t4Site) String() string { return fmt.Sprintf("%s %s, time %d", s.kind, s.path, s.n) }

// t4Clock is the part of a file's name in tmp/ that is made of the time.
var t4Clock = regexp.MustCompile(`/tmp/\d+\.`)

// t4Sites counts disk calls by their sites.
type t4Sites struct {
	mu    sync.Mutex
	times map[t4Site]int
}

func newT4Sites() *t4Sites { return &t4Sites{times: make(map[t4Site]int)} }

// see returns the site of a call; ok is false for those of the rig itself,
// which opens the two folders as the program's daemon does.
func (s *t4Sites) see(op mailtest.Op) (site t4Site, ok bool) {
	if op.Path == "/disk" || path.Dir(op.Path) == "/disk" && (op.Kind == "mkdir" || op.Kind == "sub") {
		return t4Site{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	site = t4Site{kind: op.Kind, path: t4Clock.ReplaceAllString(op.Path, "/tmp/*.")}
	s.times[site]++
	site.n = s.times[site]
	return site, true
}

// role says what a call does to what, without which message it is.
func (s t4Site) role() string {
	dir, file := path.Split(s.path)
	switch in := path.Base(dir); {
	case in == "tmp" || in == "new" || in == "cur":
		return s.kind + " in " + in
	case in == "mail" && file != "tmp" && file != "new" && file != "cur":
		return s.kind + " folder"
	default:
		return s.kind + " " + file
	}
}

// t4 fails every disk call of a pass in turn.
type t4 struct {
	*diskAccount
	rnd   *rand.Rand
	runs  int
	roles map[string]bool // what was failed
}

// sites makes a pass on a disk and returns its disk calls, in order.
func (s *t4) sites(t testing.TB, disk *mailtest.MemDisk) []t4Site {
	t.Helper()
	seen := newT4Sites()
	var mu sync.Mutex
	var all []t4Site
	disk.Before(func(op mailtest.Op) error {
		if site, ok := seen.see(op); ok {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, site)
		}
		return nil
	})
	s.passOnce(t, disk)
	return all
}

// fail makes a pass on a copy of the disk in which one call fails, and judges
// what it said and what it left.
func (s *t4) fail(t testing.TB, start *mailtest.MemDisk, site t4Site, fault error) []mailtest.Breach {
	t.Helper()
	disk, notes, failed := start.Clone(), &acknowledged{}, false
	seen := newT4Sites()
	disk.Before(func(op mailtest.Op) error {
		if now, ok := seen.see(op); !ok || now != site {
			return nil
		}
		failed = true
		part := fault == io.ErrShortWrite || fault == syscall.ENOSPC || fault == syscall.EDQUOT
		if op.Kind == "write" && part {
			return &mailtest.Partial{N: len(op.Data) / 2, Err: fault}
		}
		return fault
	})
	_, err := s.on(disk, notes).pass(t.Context())
	disk.Before(nil)
	if !failed {
		return nil // two writers share the work in another way each time
	}
	s.runs++
	s.roles[site.role()] = true
	return slices.Concat(t4Told(site, fault, err), s.lost(t, disk, notes.upTo()))
}

// lost judges the disk at once, after a power cut, and after a power cut that
// follows the next pass: it must not believe a flush that says yes after it
// failed.
func (s *t4) lost(t testing.TB, disk *mailtest.MemDisk, acked []mail.Ref) []mailtest.Breach {
	t.Helper()
	if breaches := s.remembered(disk.PowerCut(s.rnd), acked); len(breaches) > 0 {
		return breaches
	}
	if breaches := s.remembered(disk.Clone(), acked); len(breaches) > 0 {
		return breaches
	}
	if breaches := s.recovers(t, disk, s.runs%8 == 0); len(breaches) > 0 {
		return breaches
	}
	return s.recovers(t, disk.PowerCut(s.rnd), s.runs%8 == 1)
}

// t4Harmless are calls whose failure a pass may keep to itself.
//
// What cannot be removed from tmp/ is not a message, and the next sweep tries
// again. What was only read loses nothing when it is closed. When the
// checkpoint cannot be folded, the old one is good for another pass, and it is
// said in the log. A manifest that cannot be searched costs bandwidth: what the
// archive holds is compared with the server.
var t4Harmless = []string{
	"remove in tmp", "close in cur", "close in new", "close checkpoint", "close manifest",
	"create checkpoint.tmp", "write checkpoint.tmp", "fsync checkpoint.tmp", "close checkpoint.tmp", "remove checkpoint.tmp",
	"open manifest", "read manifest",
}

// t4Told judges what a pass said of a call that failed: the path, the cause and
// what to do, in one line, and that it is the disk's fault.
func t4Told(site t4Site, fault, err error) []mailtest.Breach {
	if err == nil || !errors.Is(err, fault) {
		if slices.Contains(t4Harmless, site.role()) {
			return nil
		}
		return []mailtest.Breach{{Promise: "P9", Text: fmt.Sprintf("the failure was not told: %v", err)}}
	}
	text, hint := err.Error(), mail.ErrorHint(err)
	switch {
	case mail.ErrorClass(err) != mail.ClassDisk:
		return []mailtest.Breach{{Promise: "P9", Text: fmt.Sprintf("class %s: %s", mail.ErrorClass(err), text)}}
	case !strings.Contains(text, "/disk/") || !strings.Contains(text, fault.Error()) || strings.Contains(text, "\n"):
		return []mailtest.Breach{{Promise: "P9", Text: fmt.Sprintf("not path and cause in one line: %q", text)}}
	case hint == "" && fault != io.ErrShortWrite:
		return []mailtest.Breach{{Promise: "P9", Text: "no hint: " + text}}
	}
	return nil
}

// t4Starts are the disks that the passes begin with.
func t4Starts() map[string]func(t testing.TB, a *diskAccount, disk *mailtest.MemDisk) *mailtest.MemDisk {
	prepared := func(t testing.TB, disk *mailtest.MemDisk) *mailtest.MemDisk {
		for _, name := range []string{"state", "mail"} {
			if _, err := folder(disk, name); err != nil {
				t.Fatal(err)
			}
		}
		return disk
	}
	return map[string]func(t testing.TB, a *diskAccount, disk *mailtest.MemDisk) *mailtest.MemDisk{
		"an empty archive": func(t testing.TB, _ *diskAccount, d *mailtest.MemDisk) *mailtest.MemDisk { return prepared(t, d) },
		"flushed file by file": func(t testing.TB, _ *diskAccount, d *mailtest.MemDisk) *mailtest.MemDisk {
			return prepared(t, d.WithoutSyncFS())
		},
		"new mail": func(t testing.TB, a *diskAccount, d *mailtest.MemDisk) *mailtest.MemDisk { return a.halfPulled(t, d) },
		"records deleted": func(t testing.TB, a *diskAccount, d *mailtest.MemDisk) *mailtest.MemDisk {
			return a.without(t, d, "checkpoint", "manifest")
		},
		"checkpoint deleted": func(t testing.TB, a *diskAccount, d *mailtest.MemDisk) *mailtest.MemDisk {
			return a.without(t, d, "checkpoint")
		},
		"uids made anew": func(t testing.TB, a *diskAccount, d *mailtest.MemDisk) *mailtest.MemDisk { return a.renumbered(t, d) },
		"a checkpoint to fold": func(t testing.TB, a *diskAccount, d *mailtest.MemDisk) *mailtest.MemDisk {
			a.passOnce(t, d)
			growCheckpoint(t, d)
			return d
		},
	}
}

func newT4() *t4 {
	s := &t4{diskAccount: newDiskAccount(), rnd: rand.New(rand.NewPCG(4, 4)), roles: make(map[string]bool)}
	s.oracle.MayLitter = true
	return s
}

func TestT4EveryCallFails(t *testing.T) {
	t.Parallel()
	total, roles := 0, make(map[string]bool)
	for name, prepare := range t4Starts() {
		s := newT4()
		s.roles = roles
		start := prepare(t, s.diskAccount, mailtest.NewMemDisk("/disk"))
		for i, site := range s.sites(t, start.Clone()) {
			if i%mailtest.Every(8) != 0 {
				continue
			}
			for _, fault := range t4Errors() {
				if fault == io.ErrShortWrite && site.kind != "write" {
					continue
				}
				for _, b := range s.fail(t, start, site, fault) {
					t.Errorf("%s, %v fails with %q: %v", name, site, fault, b)
				}
			}
		}
		t.Logf("%s: %d calls", name, s.runs)
		total += s.runs
	}
	t4Covered(t, roles)
	mailtest.Figure(t, "T4", "failing calls", total, 1000)
}

// t4Covered demands that every kind of call on the way to a commit was failed.
func t4Covered(t testing.TB, roles map[string]bool) {
	t.Helper()
	if mailtest.Every(2) > 1 {
		return
	}
	for _, role := range []string{
		"create in tmp", "write in tmp", "settime in tmp", "close in tmp", "fsync in tmp", // rungs 1 to 3
		"syncfs mail",                    // rungs 3 and 5
		"rename in tmp",                  // rung 4
		"rename in new", "rename in cur", // rung 4, another key
		"sync new", "sync cur", "sync folder", // rung 5
		"write manifest", "fsync manifest", // rung 6
		"write checkpoint", "fsync checkpoint",
		"replace checkpoint.tmp", "sync state", // what is written anew
	} {
		if !roles[role] {
			t.Errorf("%s was never failed", role)
		}
	}
	if t.Failed() {
		t.Log(roles)
	}
}

// A product that asks again after a failed flush, and one that keeps an error
// to itself, are noticed.
func TestT4Notices(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wrap func(durable.Dir) durable.Dir
		want string
	}{
		"a flush that failed is asked again": {newSecondFlush, "P3"},
		"errors of writing are kept":         {newDeafWriter, "P3"},
	} {
		s := newT4()
		s.wrap = overDisk(c.wrap)
		start := t4Starts()["an empty archive"](t, s.diskAccount, mailtest.NewMemDisk("/disk"))
		var breaches []mailtest.Breach
		for _, site := range s.sites(t, start.Clone()) {
			if site.kind == "syncfs" || site.kind == "write" {
				breaches = append(breaches, s.fail(t, start, site, syscall.EIO)...)
			}
		}
		if !promised(breaches, c.want) {
			t.Errorf("%s: got %v, want a breach of %s", name, breaches, c.want)
		}
	}
}
