package main

import (
	"os"
	"path/filepath"
	"testing"
)

// What is said of an archive that is not there.
const (
	missing = "archive: DIR/mail/work is missing or empty, and it held 30 messages"
	mountIt = "mount or move the archive back to this place; if it was removed on purpose, " +
		"remove the account's folder in the state directory too, and everything is fetched anew"

	unmarked = "archive: DIR/mail is not the archive of before: its file .mailpull-archive is missing or another one"
	markIt   = "mount or move the archive back to this place; if this folder is to be used from now on, " +
		"remove DIR/state/.archive and run again"
)

// archiveCases are archives that are not what they should be.
func archiveCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"archive is missing": func(t *testing.T) {
			tr := newTrial(t)
			mustRun(t, tr.config)
			away := tr.archive + ".away"
			mustRename(t, tr.archive, away)
			tr.mustFail(t, exitIO, unmarked, markIt)
			mustBeMissing(t, tr.archive)
			mustRename(t, away, tr.archive)
			tr.mustRecover(t)
		},
		"account's folder is missing": func(t *testing.T) {
			tr := newTrial(t)
			mustRun(t, tr.config)
			folder := filepath.Join(tr.archive, "work")
			mustRename(t, folder, folder+".away")
			tr.mustFail(t, exitIO, missing, mountIt)
			mustBeMissing(t, folder)
			mustRename(t, folder+".away", folder)
			tr.mustRecover(t)
		},
		"account's folder is an empty mount point": func(t *testing.T) {
			tr := newTrial(t)
			mustRun(t, tr.config)
			folder := filepath.Join(tr.archive, "work")
			mustRename(t, folder, folder+".away")
			mustMkdir(t, folder)
			tr.mustFail(t, exitIO, missing, mountIt)
			mustRemove(t, folder)
			mustRename(t, folder+".away", folder)
			tr.mustRecover(t)
		},
		"archive is an empty mount point": func(t *testing.T) {
			tr := newTrial(t)
			mustRun(t, tr.config)
			mustRename(t, tr.archive, tr.archive+".away")
			mustMkdir(t, tr.archive)
			mustRemove(t, filepath.Join(tr.state, "work")) // also for an account that is pulled for the first time
			tr.mustFail(t, exitIO, unmarked, markIt)
			mustBeEmpty(t, tr.archive)
			mustRemove(t, tr.archive)
			mustRename(t, tr.archive+".away", tr.archive)
			tr.mustRecover(t)
		},
		"archive was removed on purpose": func(t *testing.T) {
			tr := newTrial(t)
			mustRun(t, tr.config)
			mustRemove(t, tr.archive)
			tr.mustFail(t, exitIO, unmarked, markIt)
			mustRemove(t, filepath.Join(tr.state, ".archive"))
			tr.mustFail(t, exitIO, missing, mountIt)
			mustRemove(t, filepath.Join(tr.state, "work"))
			tr.mustRecover(t)
		},
		"archive is a file": func(t *testing.T) {
			tr := newTrial(t)
			tr.write(t, "mail", "text")
			tr.mustFail(t, exitIO,
				"archive: mkdir DIR/mail: file exists",
				"something else stands where a folder should be; move it away and run again, nothing is lost by that")
			mustRemove(t, tr.archive)
			tr.mustRecover(t)
		},
		"mailbox's folder is a file": func(t *testing.T) {
			tr := newTrial(t)
			mustMkdir(t, filepath.Join(tr.archive, "work"))
			tr.write(t, "mail/work/.Work", "text")
			tr.mustFail(t, exitIO,
				`maildir open "Work": open DIR/mail/work/.Work: not a directory; 10 messages are missing in all`,
				"something else stands where a folder should be; move it away and run again, nothing is lost by that")
			mustRemove(t, filepath.Join(tr.archive, "work", ".Work"))
			tr.mustRecover(t)
		},
		"mailbox's folder is a symbolic link": func(t *testing.T) {
			tr := newTrial(t)
			mustMkdir(t, filepath.Join(tr.archive, "work"))
			elsewhere := t.TempDir()
			link := filepath.Join(tr.archive, "work", ".Work")
			if err := os.Symlink(elsewhere, link); err != nil {
				t.Fatal(err)
			}
			tr.mustFail(t, exitIO,
				`maildir open "Work": open DIR/mail/work/.Work: too many levels of symbolic links; 10 messages are missing in all`,
				"DIR/mail/work/.Work is a symbolic link; put a real file, folder or mount there")
			if files := snapshot(t, elsewhere); len(files) > 0 {
				t.Errorf("wrote through a link: %q", files)
			}
			mustRemove(t, link)
			tr.mustRecover(t)
		},
		"archive may not be written": func(t *testing.T) {
			if os.Geteuid() == 0 {
				t.Skip("SKIPPED: root may write everywhere; the case of a read-only archive covers this one")
			}
			tr := newTrial(t)
			mustMkdir(t, filepath.Join(tr.archive, "work"))
			mustChmod(t, filepath.Join(tr.archive, "work"), 0o500)
			tr.mustFail(t, exitIO,
				`maildir open "INBOX": mkdir DIR/mail/work/tmp: permission denied; 30 messages are missing in all`,
				"DIR/mail/work belongs to uid ID with mode dr-x------, and mailpull runs as uid ID; change owner or mode, or run mailpull as the owner")
			mustChmod(t, filepath.Join(tr.archive, "work"), 0o700)
			tr.mustRecover(t)
		},
	}
}

func mustRename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func mustRemove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func mustMkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func mustChmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func mustBeMissing(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("%s was made: %v", path, err)
	}
}

func mustBeEmpty(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) > 0 {
		t.Errorf("%s holds %v, %v; want nothing", path, entries, err)
	}
}
