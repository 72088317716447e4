package main

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// mountCases are file systems of their own: full, read-only, in the wrong
// place. They need root.
func mountCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"full disk below the archive": func(t *testing.T) {
			tr := newTrial(t)
			mount(t, tr.archive, "size=256k")
			tr.mustFail(t, exitIO,
				`maildir deliver "INBOX": write DIR/mail/work/tmp/NAME: no space left on device`,
				"free some space, or inodes, on the file system of DIR/mail/work/tmp/NAME; the next run goes on where this one stopped")
			mustHoldPrefix(t, tr.setup)
			tr.mustFail(t, exitIO,
				`maildir deliver "INBOX": write DIR/mail/work/tmp/NAME: no space left on device`,
				"free some space, or inodes, on the file system of DIR/mail/work/tmp/NAME; the next run goes on where this one stopped")
			remount(t, tr.archive, 0, "size=16m")
			tr.mustRecover(t)
		},
		"full disk below the state": func(t *testing.T) {
			tr := newTrial(t)
			mount(t, tr.state, "size=16k")
			tr.mustFail(t, exitIO,
				`manifest "work": write DIR/state/work/manifest: no space left on device`,
				"free some space, or inodes, on the file system of DIR/state/work/manifest; the next run goes on where this one stopped")
			remount(t, tr.state, 0, "size=16m")
			tr.mustRecover(t)
		},
		"no room for the state at all": func(t *testing.T) {
			tr := newTrial(t)
			mount(t, tr.state, "size=4k")
			tr.mustFail(t, exitIO,
				`checkpoint "work": write DIR/state/work/checkpoint.tmp: no space left on device`,
				"free some space, or inodes, on the file system of DIR/state/work/checkpoint.tmp; the next run goes on where this one stopped")
			remount(t, tr.state, 0, "size=16m")
			tr.mustRecover(t)
		},
		"no inodes left": func(t *testing.T) {
			tr := newTrial(t)
			tr.pointAt(t, tr.sourceOverPOP3())
			mount(t, tr.archive, "nr_inodes=20")
			tr.mustFail(t, exitIO,
				`maildir deliver "INBOX": create DIR/mail/work/tmp/NAME: no space left on device`,
				"free some space, or inodes, on the file system of DIR/mail/work/tmp/NAME; the next run goes on where this one stopped")
			remount(t, tr.archive, 0, "nr_inodes=2000")
			tr.mustArrive(t, tr.inboxOverPOP3())
		},
		"read-only archive": func(t *testing.T) {
			tr := newTrial(t)
			mount(t, tr.archive, "")
			remount(t, tr.archive, unix.MS_RDONLY, "")
			tr.mustFail(t, exitIO,
				"archive: write DIR/mail/.mailpull-archive: read-only file system",
				"the file system of DIR/mail/.mailpull-archive is read-only; a failing disk often shows so, so look at the system log before remounting it")
			remount(t, tr.archive, 0, "")
			mustRun(t, tr.config)
			tr.arrive(newMessage())
			remount(t, tr.archive, unix.MS_RDONLY, "")
			tr.mustFail(t, exitIO,
				`maildir deliver "INBOX": create DIR/mail/work/tmp/NAME: read-only file system`,
				"the file system of DIR/mail/work/tmp/NAME is read-only; a failing disk often shows so, so look at the system log before remounting it")
			remount(t, tr.archive, 0, "")
			tr.mustRecover(t)
		},
		"read-only state": func(t *testing.T) {
			tr := newTrial(t)
			mount(t, tr.state, "")
			mustRun(t, tr.config)
			remount(t, tr.state, unix.MS_RDONLY, "")
			tr.mustFail(t, exitIO,
				"lock: open DIR/state/work/lock: read-only file system",
				"the file system of DIR/state/work/lock is read-only; a failing disk often shows so, so look at the system log before remounting it")
			remount(t, tr.state, 0, "")
			tr.mustRecover(t)
		},
		"daemon: read-only state": func(t *testing.T) {
			tr := newDaemonTrial(t)
			mount(t, tr.state, "")
			remount(t, tr.state, unix.MS_RDONLY, "")
			tr.mustNotStart(t, exitIO,
				"mailpull: lock: open DIR/state/.daemon.lock: read-only file system\n"+
					"mailpull: hint: the file system of DIR/state/.daemon.lock is read-only; a failing disk often shows so, so look at the system log before remounting it\n")
			remount(t, tr.state, 0, "")
			tr.mustServe(t)
		},
		"new on another file system": func(t *testing.T) {
			tr := newTrial(t)
			other := filepath.Join(tr.archive, "work", "new")
			mount(t, other, "")
			tr.mustFail(t, exitIO,
				`maildir open "INBOX": DIR/mail/work/tmp: tmp/, new/ and cur/ are not all on the file system of the account's folder; 20 messages are missing in all`,
				"a message gets its name by a rename, which stays on one file system: mount it at the account's folder or above")
			unmount(t, other)
			tr.mustRecover(t)
		},
		"tmp on another file system": func(t *testing.T) {
			tr := newTrial(t)
			mustRun(t, tr.config)
			tr.arrive(newMessage())
			other := filepath.Join(tr.archive, "work", "tmp")
			mount(t, other, "")
			tr.mustFail(t, exitIO,
				`maildir open "INBOX": DIR/mail/work/tmp: tmp/, new/ and cur/ are not all on the file system of the account's folder`,
				"a message gets its name by a rename, which stays on one file system: mount it at the account's folder or above")
			unmount(t, other)
			tr.mustRecover(t)
		},
	}
}

// mount makes a folder a file system of its own until the test ends.
func mount(t *testing.T, path, options string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: mounting needs root: what a full, a read-only and a divided disk do was not tried")
	}
	mustMkdir(t, path)
	if err := unix.Mount("tmpfs", path, "tmpfs", 0, "mode=700,"+options); err != nil {
		t.Skipf("SKIPPED: no mount in this place, so a full, a read-only and a divided disk were not tried: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(path, unix.MNT_DETACH) }) // the case may have done it
}

func remount(t *testing.T, path string, flags uintptr, options string) {
	t.Helper()
	if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_REMOUNT|flags, options); err != nil {
		t.Fatal(err)
	}
}

func unmount(t *testing.T, path string) {
	t.Helper()
	if err := unix.Unmount(path, 0); err != nil {
		t.Fatal(err)
	}
}
