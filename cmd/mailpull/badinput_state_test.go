package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"mailpull/pkg/durable"
)

// stateCases are records that are not to be had.
func stateCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"state is a file": func(t *testing.T) {
			tr := newTrial(t)
			tr.write(t, "state", "text")
			tr.mustFail(t, exitIO,
				"state: mkdir DIR/state: file exists",
				"something else stands where a folder should be; move it away and run again, nothing is lost by that")
			mustRemove(t, tr.state)
			tr.mustRecover(t)
		},
		"checkpoint is a folder": func(t *testing.T) {
			tr := newTrial(t)
			mustMkdir(t, tr.record("checkpoint"))
			tr.mustFail(t, exitIO,
				`checkpoint "work": open DIR/state/work/checkpoint: not a regular file`,
				"nothing that was archived is touched; look at the disk and at the path, and run again")
			mustRemove(t, tr.record("checkpoint"))
			tr.mustRecover(t)
		},
		"checkpoint of another protocol": func(t *testing.T) {
			tr := newTrial(t)
			mustRun(t, tr.config)
			tr.pointAt(t, tr.sourceOverPOP3())
			tr.mustFail(t, exitIO,
				`checkpoint "work": the file is of source "imap", not "pop3"`,
				"give the account a new name with its new protocol; or move DIR/state/work/checkpoint away and run again: the archive knows what it holds, so nothing is stored twice")
			mustRename(t, tr.record("checkpoint"), tr.record("checkpoint.away"))
			mustRun(t, tr.config)
			tr.mustContain(t, tr.all())
		},
		"state may not be written": func(t *testing.T) {
			if os.Geteuid() == 0 {
				t.Skip("SKIPPED: root may write everywhere; the case of a read-only state covers this one")
			}
			tr := newTrial(t)
			mustMkdir(t, tr.state)
			mustChmod(t, tr.state, 0o500)
			tr.mustFail(t, exitIO,
				"state: mkdir DIR/state/work: permission denied",
				"DIR/state belongs to uid ID with mode dr-x------, and mailpull runs as uid ID; change owner or mode, or run mailpull as the owner")
			mustChmod(t, tr.state, 0o700)
			tr.mustRecover(t)
		},
		"lock held": func(t *testing.T) {
			tr := newTrial(t)
			mustMkdir(t, filepath.Dir(tr.record("lock")))
			lock, err := durable.TakeLock(tr.record("lock"))
			if err != nil {
				t.Fatal(err)
			}
			tr.mustSay(t, exitOK, "")
			mustBeMissing(t, tr.archive)
			tr.mustFail(t, exitTemporary,
				`lock "DIR/state/work/lock": locked by another process, pid ID`,
				"another run has the account in hand; run again when it is done, or leave out --if-locked=fail",
				"--if-locked=fail")
			if err := lock.Release(); err != nil {
				t.Fatal(err)
			}
			tr.mustRecover(t)
		},
	}
}

// remake is the hint for a manifest that cannot be used.
const remake = "put back a good copy of DIR/state/work/manifest; if there is none, move it and the checkpoint beside it away, " +
	"keep both, and run again: what the archive holds is compared with the server and listed anew, nothing is stored twice"

// recordCases are records that are not as they were written.
func recordCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"checkpoint damaged in the middle": func(t *testing.T) {
			tr := newTrial(t)
			mustRun(t, tr.config)
			tr.change(t, "checkpoint", flipLine(2))
			tr.mustFail(t, exitIO,
				`checkpoint "work": line 3: checksum does not match`,
				"move DIR/state/work/checkpoint away and run again; the archive knows by key what it holds, so nothing is fetched twice that is still in the Maildir")
			mustRename(t, tr.record("checkpoint"), tr.record("checkpoint.away"))
			tr.mustRecover(t)
		},
		"checkpoint of a newer version": func(t *testing.T) {
			tr := newTrial(t)
			mustRun(t, tr.config)
			old, err := os.ReadFile(tr.record("checkpoint"))
			if err != nil {
				t.Fatal(err)
			}
			tr.change(t, "checkpoint", newerVersion)
			tr.mustFail(t, exitIO,
				`checkpoint "work": the file has format version 2, this program knows version 1`,
				"use the version of mailpull that wrote DIR/state/work/checkpoint, or a newer one")
			tr.change(t, "checkpoint", func([]byte) []byte { return old })
			tr.mustRecover(t)
		},
		"manifest damaged in its first line": func(t *testing.T) {
			tr := newTrial(t)
			mustRun(t, tr.config)
			tr.change(t, "manifest", flipLine(0))
			tr.mustFail(t, exitIO,
				`manifest "work": line 1: hash does not match`,
				remake)
			mustRename(t, tr.record("manifest"), tr.record("manifest.away"))
			mustRename(t, tr.record("checkpoint"), tr.record("checkpoint.away"))
			tr.mustRecover(t)
		},
		"manifest damaged in the middle": func(t *testing.T) {
			tr := newTrial(t)
			mustRun(t, tr.config)
			tr.arrive(newMessage())
			mustRun(t, tr.config)
			tr.change(t, "manifest", flipLine(2))
			tr.mustFail(t, exitIO,
				`manifest "work": line 4: hash of the line before does not match`,
				remake)
			mustRename(t, tr.record("manifest"), tr.record("manifest.away"))
			mustRename(t, tr.record("checkpoint"), tr.record("checkpoint.away"))
			tr.mustRecover(t)
		},
		"manifest deleted": func(t *testing.T) {
			tr := newTrial(t)
			mustRun(t, tr.config)
			mustRename(t, tr.record("manifest"), tr.record("manifest.away"))
			tr.mustFail(t, exitIO,
				"manifest: DIR/state/work/manifest lists nothing, and the checkpoint says that 30 messages were delivered",
				remake)
			tr.mustFail(t, exitIO,
				"manifest: DIR/state/work/manifest lists nothing, and the checkpoint says that 30 messages were delivered",
				remake)
			mustRename(t, tr.record("manifest.away"), tr.record("manifest"))
			tr.mustRecover(t)
		},
	}
}

// quietCases are damages that a run repairs by itself, without a word.
func quietCases() map[string]func(*testing.T) {
	cases := make(map[string]func(*testing.T))
	for name, damage := range map[string]func(*testing.T, *trial){
		"checkpoint with a torn tail":   func(t *testing.T, tr *trial) { tr.change(t, "checkpoint", tear) },
		"checkpoint deleted":            func(t *testing.T, tr *trial) { mustRemove(t, tr.record("checkpoint")) },
		"manifest with a torn tail":     func(t *testing.T, tr *trial) { tr.change(t, "manifest", tear) },
		"checkpoint, manifest deleted":  func(t *testing.T, tr *trial) { mustRemove(t, filepath.Dir(tr.record("lock"))) },
		"a half written new checkpoint": func(t *testing.T, tr *trial) { tr.write(t, "state/work/checkpoint.new", "mailp") },
	} {
		cases[name] = func(t *testing.T) {
			tr := newTrial(t)
			mustRun(t, tr.config)
			damage(t, tr)
			tr.mustRecover(t)
		}
	}
	return cases
}

// record is the path of one of the account's records.
func (s setup) record(name string) string { return filepath.Join(s.state, "work", name) }

// change changes the bytes of a record.
func (s setup) change(t *testing.T, name string, how func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(s.record(name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.record(name), how(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tear adds half of the file's last line.
func tear(data []byte) []byte {
	last := data[bytes.LastIndexByte(data[:len(data)-1], '\n')+1:]
	return append(data, last[:len(last)/2]...)
}

// flipLine changes one bit in the middle of a line.
func flipLine(i int) func([]byte) []byte {
	return func(data []byte) []byte {
		lines := bytes.SplitAfter(data, []byte("\n"))
		lines[i][len(lines[i])/2] ^= 1
		return bytes.Join(lines, nil)
	}
}

// newerVersion makes a file's first line that of a later format. A line with
// dashes for its checksum is taken as a person's.
func newerVersion(data []byte) []byte {
	_, rest, _ := bytes.Cut(data, []byte("\n"))
	return append([]byte("mailpull checkpoint 2 made by a later mailpull --------\n"), rest...)
}
