package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mailpull/pkg/demo"
	"mailpull/pkg/display"
	"mailpull/pkg/mailtest"
)

const (
	rounds    = 3                // that count, behind one that fills caches
	fastLimit = 10 * time.Minute // a program that takes longer hangs
)

// rig is where the programs run: one server, one folder, one network at a
// time.
type rig struct {
	b         *testing.B
	binary    string // mailpull
	server    *mailtest.Dovecot
	dir       string
	only      []string        // the scenarios that are wanted; none means all
	wanted    []string        // the peers that are wanted; none means all
	slowLimit time.Duration   // what slow programs get
	filled    map[string]bool // the users whose mailboxes are there
	folders   int             // made so far
}

func newRig(b *testing.B) *rig {
	b.Helper()
	binary := os.Getenv("MAILPULL_BINARY")
	if binary == "" {
		b.Skip("SKIPPED: MAILPULL_BINARY is not set: run make bench-peers")
	}
	dir, err := os.MkdirTemp("", "mailpull-bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) }) // what is left lies in the folder for temporary files
	if err := os.Chmod(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	limit := 40 * time.Second // or the whole would take too long
	if text := os.Getenv("MAILPULL_BENCH_LIMIT"); text != "" {
		if limit, err = time.ParseDuration(text); err != nil {
			b.Fatal(err)
		}
	}
	return &rig{
		b: b, binary: binary, server: mailtest.StartDovecot(b, mailtest.DovecotOptions{}), dir: dir,
		only: strings.Fields(os.Getenv("MAILPULL_BENCH_ONLY")), wanted: strings.Fields(os.Getenv("MAILPULL_BENCH_PEERS")),
		slowLimit: limit, filled: make(map[string]bool),
	}
}

// whole reports whether everything was asked for.
func (r *rig) whole() bool { return len(r.only) == 0 && len(r.wanted) == 0 }

// fill puts messages into the mailboxes of a user, once, and returns what a
// program must have afterwards.
func (r *rig) fill(user string, mailboxes map[string][]demo.Message) contents {
	want := make(contents)
	for mailbox, messages := range mailboxes {
		if !r.filled[user] {
			r.server.Deliver(user, mailbox, messages)
		}
		want.add(messages)
	}
	r.filled[user] = true
	return want
}

// contender is a program in a scenario.
type contender struct {
	name      string
	slow      bool
	note      string
	env       []string
	configure func(dir string, t task) command
}

// ours is mailpull with further keys of its account, and their words behind
// its name.
func (r *rig) ours(name string, keys ...string) contender {
	return contender{name: name, configure: func(dir string, t task) command {
		return mailpull(r.b, r.binary, dir, t, keys...)
	}}
}

// against returns the peers of these names that are installed and wanted.
func (r *rig) against(names ...string) []contender {
	var out []contender
	for _, p := range peers() {
		switch {
		case !slices.Contains(names, p.name) || len(r.wanted) > 0 && !slices.Contains(r.wanted, p.name):
		case !p.installed():
			r.b.Logf("SKIPPED: %s is not installed: scripts/install-peers.sh installs it", p.name)
		default:
			out = append(out, contender{name: p.name, slow: p.slow, note: p.note, configure: func(dir string, t task) command {
				return p.configure(r.b, dir, t)
			}})
		}
	}
	return out
}

// race is a task with what does it.
type race struct {
	task       task
	link       Link // the network between; the zero Link is none
	want       contents
	contenders []contender

	// again measures a pass behind the first one, which has no news.
	again bool

	// beside, if not nil, is called in each round for what the machine allows,
	// and returns rows of one run each.
	beside func(addr string) []Row
}

// run lets the contenders take turns, so that each has the same minutes of the
// machine, and returns a row for each.
func (r *rig) run(x race) []Row {
	rows := make([]Row, len(x.contenders))
	var limits []Row
	for round := range rounds + 1 {
		for i, c := range x.contenders {
			last := round == rounds
			if c.slow && !last {
				continue
			}
			run := r.once(x, c)
			if round > 0 {
				rows[i].Who, rows[i].Note = c.name, c.note
				rows[i].Runs = append(rows[i].Runs, run)
			}
		}
		if x.beside == nil {
			continue
		}
		for i, limit := range r.limits(x) {
			if round == 0 {
				limits = append(limits, Row{Who: limit.Who, Note: limit.Note})
				continue
			}
			limits[i].Runs = append(limits[i].Runs, limit.Runs...)
		}
	}
	return append(rows, limits...)
}

// once lets one contender do the task, and sees that it did.
func (r *rig) once(x race, c contender) Run {
	r.b.Helper()
	home := filepath.Join(r.dir, "again", c.name)
	if !x.again {
		home = r.fresh(c.name)
	}
	if _, err := os.Stat(home); err != nil {
		if err := os.MkdirAll(home, 0o755); err != nil {
			r.b.Fatal(err)
		}
		if x.again {
			r.process(c, c.configure(home, x.task)).run(r.b)
		}
	}
	addr := address(r.server, x.task.protocol)
	var proxy *Proxy
	if x.link != (Link{}) {
		proxy = r.proxy(addr, x.link)
		defer proxy.Close() // it was only looked at
		addr = proxy.Addr
	}
	cmd := c.configure(home, x.task.at(addr))
	unix.Sync() // what the last one left to write is not this one's
	run := r.process(c, cmd).run(r.b)
	if proxy != nil {
		run.Trips = proxy.Trips()
	}
	if run.Over {
		run.Got = countMessages(r.b, cmd.mail)
	} else if err := x.want.held(cmd.mail); err != nil {
		r.b.Fatalf("%s did not do the task: %v", c.name, err)
	}
	progress(c.name, run)
	return run
}

// progress says on standard error how a run went, at once: the table comes
// when all is done.
func progress(who string, run Run) {
	fmt.Fprintf(os.Stderr, "%s: %s, %s\n", who, short(run.Took), display.Size(run.Peak))
}

func (r *rig) process(c contender, cmd command) process {
	limit := fastLimit
	if c.slow {
		limit = r.slowLimit
	}
	return process{args: cmd.args, env: append([]string{"HOME=" + cmd.home}, c.env...), limit: limit}
}

// limits measures what the machine allows, over the same network.
func (r *rig) limits(x race) []Row {
	r.b.Helper()
	addr := address(r.server, x.task.protocol)
	if x.link != (Link{}) {
		proxy := r.proxy(addr, x.link)
		defer proxy.Close() // it was only looked at
		addr = proxy.Addr
	}
	return x.beside(addr)
}

func (r *rig) proxy(target string, link Link) *Proxy {
	r.b.Helper()
	proxy, err := NewProxy(target, link)
	if err != nil {
		r.b.Fatal(err)
	}
	return proxy
}

// fresh names a folder that is not there yet. None is removed before the end: for
// up to five minutes ext4 passes over the inodes of removed files one by one each
// time that it makes a new one, and who comes next would pay for that.
func (r *rig) fresh(name string) string {
	r.folders++
	return filepath.Join(r.dir, "runs", fmt.Sprintf("%03d-%s", r.folders, name))
}

// versions asks Debian which versions of the programs are there.
func versions() []string {
	var out []string
	ask := func(name, pack string) {
		if version, err := exec.Command("dpkg-query", "-Wf", "${Version}", pack).Output(); err == nil {
			out = append(out, name+" "+string(version))
		}
	}
	for _, p := range peers() {
		ask(p.name, p.pack)
	}
	ask("dovecot", "dovecot-core")
	return out
}
