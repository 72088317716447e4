package bench

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// memoryLimit is what mailpull may have, whatever it does.
const memoryLimit = 33.6 // MB, 32 MiB

// far is a server on another continent's edge: 50 ms there and back.
func far() Link { return Link{Delay: 25 * time.Millisecond} }

// BenchmarkPeers measures mailpull beside the other fetchers that are
// installed, each with the same task, and prints a table, the lines that
// benchstat reads, and what was missed. make bench-peers runs it.
func BenchmarkPeers(b *testing.B) {
	r := newRig(b)
	report := Report{Machine: r.machine()}
	for _, s := range []struct {
		id  string
		run func() Scenario
	}{
		{"a", r.firstIMAP}, {"b", r.manyMailboxes}, {"c", r.noNews}, {"d", r.farPOP3}, {"e", r.nearPOP3}, {"f", r.million}, {"h", r.manyAccounts},
	} {
		if len(r.only) > 0 && !slices.Contains(r.only, s.id) {
			continue
		}
		scenario := s.run()
		scenario.ID = s.id
		report.Scenarios = append(report.Scenarios, scenario)
	}
	fmt.Printf("\n%s\n%s\n", report.Markdown(), report.Benchstat())
	r.publish(report)
	b.ReportMetric(0, "ns/op") // the time of this benchmark itself says nothing
}

// target adds a ratio to what a scenario asks for, where the peer was there,
// and the memory.
func (s *Scenario) target(who, other string, limit float64) {
	ours, ok := s.Row(who)
	theirs, there := s.Row(other)
	if ok && there {
		s.Targets = append(s.Targets, Target{What: who + " ÷ " + other, Value: ours.Median() / theirs.Median(), Limit: limit})
	}
}

func (s *Scenario) targetMemory() {
	for _, row := range s.Rows {
		if strings.HasPrefix(row.Who, Ours) {
			s.Targets = append(s.Targets, Target{What: row.Who + ", peak memory", Value: float64(row.Peak()) / 1e6, Limit: memoryLimit, Unit: " MB"})
		}
	}
}

// spreadOut deals messages to mailboxes, most of them to INBOX.
func spreadOut(messages []demo.Message) map[string][]demo.Message {
	names := []string{"INBOX", "INBOX", "INBOX", "Archive", "Archive/2019", "Sent", "Work", "Work/Projects"}
	out := make(map[string][]demo.Message)
	for i, m := range messages {
		name := names[i%len(names)]
		out[name] = append(out[name], m)
	}
	return out
}

func names(mailboxes map[string][]demo.Message) []string {
	var out []string
	for name := range mailboxes {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (r *rig) firstIMAP() Scenario {
	corpus := mailtest.Corpus(1, 10_000)
	mailboxes := spreadOut(corpus)
	want := r.fill("first", mailboxes)
	t := taskOn(r.server, "imap", "first", names(mailboxes)...)
	s := Scenario{
		Name: "FirstIMAP", Title: "First IMAP pass, the server near",
		Task: "10,000 messages, " + sizeOf(corpus) + ", in 6 mailboxes, over loopback.",
		Rows: r.run(race{
			task: t, want: want, contenders: append([]contender{r.ours(Ours)}, r.against("mbsync", "offlineimap")...),
			beside: func(addr string) []Row {
				return []Row{r.drain(addr, t, 0), r.batched(corpus, 1), r.batched(corpus, 2), r.atOnce(addr, t, corpus)}
			},
		}),
	}
	s.target(Ours, "mbsync", 0.5)
	s.target(Ours, s.fastest("batched files, one writer", "batched files, 2 writers"), 1.2)
	s.target(Ours, "drained and batched files at once", 1.2)
	s.noteProcessors()
	s.targetMemory()
	return s
}

// fastest returns which of the rows took the least.
func (s *Scenario) fastest(names ...string) string {
	return slices.MinFunc(names, func(a, b string) int {
		rowA, _ := s.Row(a)
		rowB, _ := s.Row(b)
		return int(1e9 * (rowA.Median() - rowB.Median()))
	})
}

// boxes are 100 mailboxes of 100 small messages.
func boxes() map[string][]demo.Message {
	out := make(map[string][]demo.Message)
	for i := range 10_000 {
		name := fmt.Sprintf("box%02d", i%100)
		if i%100 == 0 {
			name = "INBOX"
		}
		text := strings.Repeat("A line of a short message.\r\n", 1+i%70)
		out[name] = append(out[name], demo.Message{
			Body: fmt.Appendf(nil, "From: a@example.com\r\nSubject: %d\r\nMessage-ID: <%[1]d@boxes.example.com>\r\n\r\n%[1]d\r\n%s", i, text),
			Date: time.Unix(1_600_000_000+int64(i)*3600, 0),
		})
	}
	return out
}

const boxesTask = "100 mailboxes of 100 messages of about 1 kB, 50 ms there and back."

func (r *rig) manyMailboxes() Scenario {
	mailboxes := boxes()
	t := taskOn(r.server, "imap", "boxes", names(mailboxes)...)
	s := Scenario{
		Name: "ManyMailboxes", Title: "First IMAP pass over many mailboxes, the server far", Task: boxesTask,
		Rows: r.run(race{
			task: t, link: far(), want: r.fill("boxes", mailboxes),
			contenders: append([]contender{r.ours(Ours), r.ours(Ours+", 4 connections", "connections: 4")}, r.against("mbsync")...),
			beside:     func(addr string) []Row { return []Row{r.drain(addr, t, 0)} },
		}),
	}
	s.target(Ours+", 4 connections", "mbsync", 0.2)
	s.targetMemory()
	return s
}

func (r *rig) noNews() Scenario {
	mailboxes := boxes()
	s := Scenario{
		Name: "NoNews", Title: "A pass without news, the server far", Task: boxesTask + " All of them were pulled before.",
		Rows: r.run(race{
			task: taskOn(r.server, "imap", "boxes", names(mailboxes)...), link: far(), want: r.fill("boxes", mailboxes), again: true,
			contenders: append([]contender{r.ours(Ours)}, r.against("mbsync")...),
		}),
	}
	s.target(Ours, "mbsync", 0.05)
	if ours, ok := s.Row(Ours); ok {
		s.Targets = append(s.Targets, Target{What: Ours + ", round trips", Value: float64(ours.Longest()), Limit: 8})
	}
	s.targetMemory()
	return s
}

func (r *rig) farPOP3() Scenario {
	corpus := mailtest.Corpus(1, 2000)
	s := r.pop3("FarPOP3", "pop2000", corpus, far())
	s.Title = "First POP3 pass, the server far"
	s.Task = "2,000 messages, " + sizeOf(corpus) + ", 50 ms there and back."
	s.target(Ours, "mpop", 0.7)
	s.targetMemory()
	return s
}

func (r *rig) nearPOP3() Scenario {
	corpus := mailtest.Corpus(1, 10_000)
	s := r.pop3("NearPOP3", "pop10000", corpus, Link{})
	s.Title = "First POP3 pass, the server near"
	s.Task = "10,000 messages, " + sizeOf(corpus) + ", over loopback."
	s.target(Ours, "mpop", 0.6)
	s.targetMemory()
	return s
}

func (r *rig) pop3(name, user string, corpus []demo.Message, link Link) Scenario {
	t := taskOn(r.server, "pop3", user)
	return Scenario{Name: name, Rows: r.run(race{
		task: t, link: link, want: r.fill(user, map[string][]demo.Message{"INBOX": corpus}),
		contenders: append([]contender{r.ours(Ours)}, r.against("mpop", "fdm", "getmail", "fetchmail")...),
		beside:     func(addr string) []Row { return []Row{r.drain(addr, t, len(corpus))} },
	})}
}
