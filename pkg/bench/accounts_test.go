package bench

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// manyAccounts pulls 20 accounts at once, with all processors and with one.
func (r *rig) manyAccounts() Scenario {
	const accounts = 20
	corpus := mailtest.Corpus(3, 500)
	want := make(contents)
	for i := range accounts {
		for sum, times := range r.fill(fmt.Sprintf("account%02d", i), map[string][]demo.Message{"INBOX": corpus}) {
			want[sum] += times
		}
	}
	all := contender{name: Ours, configure: func(dir string, t task) command { return r.allAccounts(dir, t, accounts) }}
	one := all
	one.name, one.env = Ours+", GOMAXPROCS=1", []string{"GOMAXPROCS=1"}
	s := Scenario{
		Name: "ManyAccounts", Title: "Accounts at once",
		Task: fmt.Sprintf("%d accounts of 500 messages, %s each, over loopback. The server computes on the same processors.", accounts, sizeOf(corpus)),
		Rows: r.run(race{task: taskOn(r.server, "imap", ""), want: want, contenders: []contender{all, one}}),
	}
	// The server computes on the same processors, so the time says little of how
	// many of them mailpull could use: all have to be at work.
	if ours, ok := s.Row(Ours); ok {
		_, all := processors(ours)
		s.Targets = append(s.Targets, Target{
			What: Ours + ", busy processors, with the server", Value: all, Limit: 0.85 * float64(runtime.NumCPU()), Least: true,
		})
	}
	s.noteProcessors()
	s.targetMemory()
	return s
}

// noteProcessors notes beside each program how many processors its runs kept busy,
// and how many all of the machine did meanwhile.
func (s *Scenario) noteProcessors() {
	for i, row := range s.Rows {
		own, all := processors(row)
		if own == 0 { // not a process
			continue
		}
		note := fmt.Sprintf("%.2f processors, with the server %.2f of %d", own, all, runtime.NumCPU())
		if row.Note != "" {
			note = row.Note + "; " + note
		}
		s.Rows[i].Note = note
	}
}

// processors is how many processors the runs of a row kept busy, and how many all
// of the machine did meanwhile.
func processors(row Row) (own, all float64) {
	var took float64
	for _, run := range row.Runs {
		took += run.Took.Seconds()
		own += run.CPU.Seconds()
		all += run.Everybody.Seconds()
	}
	return own / took, all / took
}

// allAccounts is mailpull with many accounts, each with its defaults.
func (r *rig) allAccounts(dir string, t task, accounts int) command {
	var text strings.Builder
	text.WriteString("archive: mail\nstate: state\naccounts:\n")
	for i := range accounts {
		fmt.Fprintf(&text, "  - { name: account%02d, imap: { host: localhost, port: %s, tls: { ca_file: %q }, username: account%02[1]d, password: %[4]s } }\n", i, t.port, t.ca, mailtest.DovecotPassword)
	}
	config := write(r.b, filepath.Join(dir, "config.yaml"), "%s", text.String())
	return command{args: []string{r.binary, "run", "--config", config}, mail: filepath.Join(dir, "mail"), home: dir}
}
