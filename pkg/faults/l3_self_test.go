package faults

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// l3Calm is a soak of one account on each server, without faults.
func l3Calm(t *testing.T) *l3Group {
	t.Helper()
	ca := mailtest.NewCA(t)
	s := &l3Soak{seed: 1, dir: t.TempDir()}
	s.calm.Store(true)
	s.caFile = filepath.Join(s.dir, "ca.pem")
	if err := os.WriteFile(s.caFile, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	s.hosts = l3Hosts(t, ca, &s.calm, &s.tally)
	g := &l3Group{
		soak: s, name: "calm", rng: s.random(1), settling: make(map[*l3Account]bool),
		archive: filepath.Join(s.dir, "mail"), state: filepath.Join(s.dir, "state"),
	}
	t.Cleanup(g.close)
	for i, host := range s.hosts {
		g.accounts = append(g.accounts, nil)
		if err := g.add(i, host); err != nil {
			t.Fatal(err)
		}
		s.arrive(g.accounts[i], 9)
	}
	return g
}

// l3File returns one file of an account's archive.
func l3File(t *testing.T, g *l3Group, a *l3Account) string {
	t.Helper()
	for _, pattern := range []string{"new/*", ".*/new/*"} {
		if files, _ := filepath.Glob(filepath.Join(g.archive, a.name, pattern)); len(files) > 0 {
			return files[0]
		}
	}
	t.Fatalf("%s has no file", a.name)
	return ""
}

// The soak's parts work together without faults, in a worker of its own, and
// it notices what is lost and what is doubled.
func TestLevel3NoticesDamage(t *testing.T) {
	t.Parallel()
	g := l3Calm(t)
	if err := g.end(); err != nil {
		t.Fatal(err)
	}
	for _, a := range g.accounts {
		a.renumber()
		a.remove(1)
	}
	if err := g.end(); err != nil {
		t.Fatalf("renumbered: %v", err)
	}
	if r := &g.soak.result; r.offered != 45 || r.archived != 90 {
		t.Errorf("%d messages were offered and %d counted in two looks, want 45 and 90", r.offered, r.archived)
	}

	lost, doubled := g.accounts[0], g.accounts[3]
	if err := os.Remove(l3File(t, g, lost)); err != nil {
		t.Fatal(err)
	}
	file := l3File(t, g, doubled)
	if err := os.Link(file, strings.Replace(file, "/new/", "/cur/", 1)+":2,S"); err != nil {
		t.Fatal(err)
	}
	for a, want := range map[*l3Account]string{lost: "P1: ", doubled: "P2: "} {
		if err := g.mustJudge(a, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a breach of %s", a.name, err, want)
		}
	}
	if r := &g.soak.result; r.lost != 1 || r.doubled != 1 || r.other != 0 {
		t.Errorf("%d lost, %d doubled, %d others", r.lost, r.doubled, r.other)
	}
}

// A worker that dies by itself, and one that says what no fault accounts for,
// end the soak.
func TestLevel3NoticesAWorker(t *testing.T) {
	t.Parallel()
	g := l3Calm(t)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	g.child.kill()
	if err := g.round(); err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Errorf("got %v", err)
	}
	for _, c := range []struct {
		outcome  l3Outcome
		full, ok bool
	}{
		{l3Outcome{}, false, true},
		{l3Outcome{Class: mail.ClassConnect, Err: "cut"}, false, true},
		{l3Outcome{Class: mail.ClassDisk, Err: "no space"}, true, true},
		{l3Outcome{Class: mail.ClassDisk, Err: "no space"}, false, false},
		{l3Outcome{Class: mail.ClassLocal, Err: "panic"}, true, false},
		{l3Outcome{Locked: true}, false, false},
	} {
		if err := l3Expected(c.outcome, c.full); (err == nil) != c.ok {
			t.Errorf("%+v, full %v: got %v", c.outcome, c.full, err)
		}
	}
}

// The verdict knows each criterion.
func TestLevel3Verdict(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rss, fds, goroutines float64 // what comes to it in an hour
		endless              int64
		want                 string
	}{
		"steady":      {rss: 1 << 19},
		"memory":      {rss: 2 << 20, want: "memory grows by 2.00 MiB in an hour"},
		"descriptors": {fds: 1, want: "descriptors changes by 1.00"},
		"goroutines":  {goroutines: -1, want: "goroutines changes by -1.00"},
		"endless":     {endless: 1, want: "P7: "},
	} {
		t.Run(name, func(t *testing.T) {
			r := &l3Result{}
			for minute := range 61 {
				hours := float64(minute) / 60
				r.samples = append(r.samples, l3Sample{
					time.Duration(minute) * time.Minute, 1e7 + hours*c.rss, 9 + hours*c.fds, 1 + hours*c.goroutines,
				})
			}
			failures := strings.Join(r.verdict(c.endless), "\n")
			if (failures == "") != (c.want == "") || !strings.Contains(failures, c.want) {
				t.Errorf("got %q, want %q", failures, c.want)
			}
			if slope, _, _, _ := r.slopes(); math.Abs(slope-c.rss) > 1 {
				t.Errorf("slope %f, want %f", slope, c.rss)
			}
		})
	}
	if failures := (&l3Result{}).verdict(0); len(failures) == 0 {
		t.Error("a worker that was never measured is no failure")
	}
}
