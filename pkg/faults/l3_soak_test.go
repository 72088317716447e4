package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/mailtest"
)

// l3Accounts is how many accounts there are at any time: ten on each of the
// five servers.
const l3Accounts = 50

// l3Soak is level 3 of the programme. This process has the servers, the faulty
// network, the weather and the oracle. Four workers, real processes on a real
// disk, pull the accounts: three of them are killed again and again, one of
// those on a small disk that runs full, and the fourth lives from the begin to
// the end. Its memory, descriptors and goroutines are what the slopes are
// taken from: those of a process that lives for a minute say nothing.
//
// The seed gives the same mail and the same plans of faults. When they strike
// is up to the machine, for here the clock is a real one.
type l3Soak struct {
	seed   uint64
	dir    string
	caFile string
	hosts  []*l3Host
	groups []*l3Group
	small  *l3Group // the one on the small disk
	noDisk string   // why there is none
	calm   atomic.Bool
	tally  l3Tally
	result l3Result

	stop context.CancelCauseFunc
	mu   sync.Mutex // guards the groups' accounts and what is below
	err  error      // the first failure
}

// TestLevel3Soak is make soak.
func TestLevel3Soak(t *testing.T) {
	text := os.Getenv("MAILPULL_SOAK_HOURS")
	if text == "" {
		t.Skip("level 3 runs for hours: make soak HOURS=1")
	}
	hours, err := strconv.ParseFloat(text, 64)
	if err != nil || hours <= 0 {
		t.Fatalf("MAILPULL_SOAK_HOURS=%q is no number of hours", text)
	}
	debug.SetGCPercent(50) // all mail is in memory, as the servers' and as the oracle's
	s := l3New(t)
	fmt.Printf("soak: %.2f hours, MAILPULL_SOAK_SEED=%d, commit %s, in %s\n", hours, s.seed, l3Commit(), s.dir)
	if s.small.disk == nil {
		fmt.Printf("soak: SKIPPED: no disk runs full: %s\n", s.noDisk)
	}
	interrupted, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer release()
	timed, cancel := context.WithTimeout(interrupted, time.Duration(hours*float64(time.Hour)))
	defer cancel()
	s.run(timed)

	s.print(os.Stdout)
	failures := s.result.verdict(s.tally.endless.Load())
	if s.err != nil {
		failures = append([]string{s.err.Error()}, failures...)
	}
	if len(failures) == 0 {
		return
	}
	report := strings.Join(failures, "\n")
	if err := os.WriteFile(filepath.Join(s.dir, "failures"), []byte(report+"\n"), 0o600); err != nil {
		t.Error(err)
	}
	t.Errorf("%s\nwhat there is to see is kept in %s", report, s.dir)
}

// l3New puts the soak together. Its folder stays when the test fails.
func l3New(t *testing.T) *l3Soak {
	s := &l3Soak{seed: rand.Uint64()}
	s.result.begin = time.Now()
	if text := os.Getenv("MAILPULL_SOAK_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("MAILPULL_SOAK_SEED: %v", err)
		}
		s.seed = seed
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "mailpull-soak-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			_ = os.RemoveAll(s.dir) // it is below the folder of temporary files
		}
	})
	ca := mailtest.NewCA(t)
	s.caFile = filepath.Join(s.dir, "ca.pem")
	if err := os.WriteFile(s.caFile, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	s.hosts = l3Hosts(t, ca, &s.calm, &s.tally)
	s.addGroups(t)
	return s
}

// random returns the random numbers of one part.
func (s *l3Soak) random(part uint64) *rand.Rand { return rand.New(rand.NewPCG(s.seed, part)) }

// addGroups makes the four groups and deals the accounts out.
func (s *l3Soak) addGroups(t *testing.T) {
	disk, err := l3NewDisk(s.dir)
	if err != nil {
		s.noDisk = err.Error()
	} else {
		t.Cleanup(func() {
			if err := disk.unmount(); err != nil {
				t.Errorf("%v; unmount %s by hand", err, disk.mount)
			}
		})
	}
	names := []string{"steady", "north", "south", "small"}
	for i, name := range names {
		g := &l3Group{soak: s, name: name, rng: s.random(uint64(i)), mortal: name != "steady", settling: make(map[*l3Account]bool)}
		base := filepath.Join(s.dir, name)
		if name == "small" {
			s.small = g
			if g.disk = disk; disk != nil {
				base = filepath.Join(disk.mount, name)
			}
		}
		g.archive, g.state = filepath.Join(base, "mail"), filepath.Join(base, "state")
		s.groups = append(s.groups, g)
		t.Cleanup(g.close)
	}
	for i := range l3Accounts {
		g := s.groups[i%len(names)]
		g.accounts = append(g.accounts, nil)
		if err := g.add(len(g.accounts)-1, s.hosts[i%len(s.hosts)]); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs everything until ctx ends or something fails, and returns when all
// of it has ended.
func (s *l3Soak) run(ctx context.Context) {
	ctx, s.stop = context.WithCancelCause(ctx)
	defer s.stop(nil)
	weather := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		defer close(weather)
		s.fail(s.newWeather().run(ctx))
	})
	for _, g := range s.groups {
		all.Go(func() { s.fail(g.run(ctx, weather)) })
	}
	all.Go(func() { s.tell(ctx) })
	all.Wait()
}

// tell prints a line each minute.
func (s *l3Soak) tell(ctx context.Context) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			fmt.Println(s.progress())
		}
	}
}

// fail keeps the first failure and stops everything, so that the evidence
// stays as it is.
func (s *l3Soak) fail(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.stop(err)
}

func (s *l3Soak) failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

// current returns the accounts as they are now.
func (s *l3Soak) current() []*l3Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	var accounts []*l3Account
	for _, g := range s.groups {
		accounts = slices.Concat(accounts, g.accounts)
	}
	return accounts
}

// arrive lets n messages arrive, unless the account is about to retire.
func (s *l3Soak) arrive(a *l3Account, n int) {
	if !a.calm.Load() {
		s.result.offer(n, a.receive(n))
	}
}
