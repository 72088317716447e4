package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The units, and whether a manager of a user runs them.
func units() map[string]bool {
	return map[string]bool{
		"mailpull.service": false, "mailpull-run.service": false, "mailpull-run.timer": false,
		"mailpull@.service": false, "user/mailpull.service": true,
	}
}

// maxExposure is what systemd-analyze security may say of a service.
const maxExposure = 1.5

// systemd takes every unit without a word, and finds little to attack.
func TestRealUnits(t *testing.T) {
	if os.Getenv("MAILPULL_REAL") != "1" {
		t.Skip("make real shows the units to systemd")
	}
	for name := range units() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := placed(t, dir, name)
			if out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("systemd-analyze verify: %v\n%s", err, out)
			}
			if strings.HasSuffix(name, ".timer") {
				return
			}
			out, err := exec.Command("systemd-analyze", "security", "--offline=true", file).CombinedOutput()
			found := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
			if found == nil {
				t.Fatalf("systemd-analyze security: %v\n%s", err, out)
			}
			exposure, err := strconv.ParseFloat(string(found[1]), 64)
			if err != nil || exposure > maxExposure {
				t.Errorf("exposure %s, want %.1f at most\n%s", found[1], maxExposure, out)
			}
			t.Logf("exposure %.1f", exposure)
		})
	}
	sysusers, err := filepath.Abs("systemd/mailpull.sysusers")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-sysusers", "--dry-run", sysusers).CombinedOutput(); err != nil {
		t.Errorf("systemd-sysusers: %v\n%s", err, out)
	}
}

// placed copies a unit into a folder, with a program that is there: systemd looks
// for it.
func placed(t *testing.T, dir, name string) string {
	t.Helper()
	program := filepath.Join(dir, "mailpull")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for other := range units() { // a timer wants its service beside it
		text, err := os.ReadFile(filepath.Join("systemd", other))
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(other) != filepath.Dir(name) {
			continue
		}
		text = []byte(strings.ReplaceAll(string(text), "/usr/bin/mailpull ", program+" "))
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(other)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, filepath.Base(name))
}

// The daemon tells systemd when it is ready, and is not started again where only
// a person can help. A run beside it passes over what the daemon has in hand; it
// must not end the daemon, and one that is stopped has not failed.
func TestUnitsFitTheProgram(t *testing.T) {
	t.Parallel()
	for name := range units() {
		text := read(t, filepath.Join("systemd", name))
		var wants []string
		switch {
		case strings.HasSuffix(name, ".timer"):
			continue
		case name == "mailpull-run.service":
			wants = []string{"Type=oneshot", "SuccessExitStatus=143"}
		default:
			wants = []string{"Type=notify", "NotifyAccess=main", "RestartPreventExitStatus=77 78"}
		}
		for _, want := range append(wants, "UMask=0077", "NoNewPrivileges=yes") {
			if !strings.Contains(text, "\n"+want+"\n") {
				t.Errorf("%s has no %s", name, want)
			}
		}
		if strings.Contains(text, "\nConflicts=") {
			t.Errorf("%s ends another unit when it starts", name)
		}
	}
}
