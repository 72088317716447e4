// Package deploy_test holds the files of this folder against the program.
package deploy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"mailpull/pkg/metrics"
)

// rule is an alert of alerts.yaml.
type rule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

// Each alert says what to do first, and has a section of docs/runbooks.md; no
// section is left over.
func TestAlertsHaveRunbooks(t *testing.T) {
	t.Parallel()
	var sections []string
	for _, m := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(read(t, "../docs/runbooks.md"), -1) {
		sections = append(sections, m[1])
	}
	var alerts []string
	for _, r := range rules(t) {
		alerts = append(alerts, r.Alert)
		if want := "docs/runbooks.md#" + strings.ToLower(r.Alert); r.Annotations["runbook"] != want {
			t.Errorf("%s: got runbook %q, want %q", r.Alert, r.Annotations["runbook"], want)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s has no summary or no description", r.Alert)
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s: there is no severity %q", r.Alert, r.Labels["severity"])
		}
	}
	alerts = slices.Compact(alerts)
	if !slices.Equal(sections, alerts) {
		t.Errorf("got sections %q, want those of the alerts %q", sections, alerts)
	}
}

// Each alert has a unit test in which it fires, and then is quiet again.
// TestRealRules runs them.
func TestAlertsAreTested(t *testing.T) {
	t.Parallel()
	var file struct {
		Tests []struct {
			Name  string
			Exprs []struct {
				Samples []struct{ Labels string } `yaml:"exp_samples"`
			} `yaml:"promql_expr_test"`
		}
	}
	parseYAML(t, "prometheus/alerts_test.yaml", &file)
	told := make(map[string]string) // what each alert does, in order
	for _, test := range file.Tests {
		for _, e := range test.Exprs {
			mark := "-"
			for _, s := range e.Samples {
				if strings.Contains(s.Labels, `alertname="`+test.Name+`"`) {
					mark = "!"
				}
			}
			told[test.Name] += mark
		}
	}
	for _, r := range rules(t) {
		if !strings.Contains(told[r.Alert], "!-") {
			t.Errorf("%s: no test sees it fire and clear, only %q", r.Alert, told[r.Alert])
		}
	}
}

// Alerts, their tests and the dashboard name metrics, labels and words that
// the program has.
func TestQueriesNameWhatThereIs(t *testing.T) {
	t.Parallel()
	known := newRegistry(t)
	looked := 0
	for place, query := range queries(t) {
		for _, problem := range known.check(query) {
			t.Errorf("%s: %s", place, problem)
		}
		looked += len(metricName.FindAllString(query, -1))
	}
	if looked < 100 {
		t.Errorf("looked at %d names of metrics; more are there", looked)
	}
	for _, doc := range documents(t) {
		for _, name := range metricName.FindAllString(read(t, doc), -1) {
			_, ok := known[name]
			_, histogram := known[name+"_count"] // a document names it as a whole
			if !ok && !histogram {
				t.Errorf("%s: there is no metric %s", doc, name)
			}
		}
	}
}

// What the checks are for is noticed, and what is right is let pass.
func TestCheckNotices(t *testing.T) {
	t.Parallel()
	known := newRegistry(t)
	for _, wrong := range []string{
		`mailpull_pending`, `mailpull_pending_messages_total`, `mailpull_pending_messages_bucket`,
		`mailpull_pending_messages{mailbox="a"}`, `mailpull_account_state{state="authpaused"}`,
		`mailpull_account_state{state=~"paused|idle"}`, `sum by (class) (mailpull_runs_total)`,
		`mailpull_disk_free_bytes{account="a"}`, `mailpull_errors_total{{ $labels.volume }}`,
	} {
		if got := known.check(wrong); len(got) != 1 {
			t.Errorf("got %q of %s, want one problem", got, wrong)
		}
	}
	for _, right := range []string{
		`mailpull_account_state{instance=~"$instance",state=~"paused|backoff"}`, `sum by (le) (mailpull_run_duration_seconds_bucket)`,
		`max by (job, account, class) (mailpull_errors_total{class!="dns"}) unless on (instance) mailpull_build_info`,
	} {
		if got := known.check(right); len(got) != 0 {
			t.Errorf("got %q of %s, want none", got, right)
		}
	}
}

// The dashboard is what Grafana imports: each panel is asked of the chosen
// source, and none lies over another.
func TestDashboard(t *testing.T) {
	t.Parallel()
	d := dashboard(t)
	if d.SchemaVersion < 38 || d.UID == "" || len(d.Panels) < 15 {
		t.Errorf("got schema %d, uid %q, %d panels", d.SchemaVersion, d.UID, len(d.Panels))
	}
	ids, taken := make(map[int]bool), make(map[[2]int]string)
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
			t.Errorf("panel %d %q: its number is taken, or its title, query or source is missing", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" && other != p.Title || x >= 24 {
					t.Fatalf("%q lies over %q or outside", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	for _, name := range []string{"datasource", "instance", "account"} {
		if !slices.ContainsFunc(d.Templating.List, func(v variable) bool { return v.Name == name }) {
			t.Errorf("there is no variable %s", name)
		}
	}
}

var (
	metricName = regexp.MustCompile(`\bmailpull_\w+`)
	selector   = regexp.MustCompile(`\b(mailpull_\w+)(?:\{([^{}]*)\})?`)
	matcher    = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
	grouping   = regexp.MustCompile(`\b(?:by|on) \(([^)]*)\)`)
	template   = regexp.MustCompile(`\$labels\.(\w+)|\{\{(\w+)\}\}`)
)

// registry has the labels of each metric with their values.
type registry map[string]map[string][]string

func newRegistry(t *testing.T) registry {
	t.Helper()
	m := metrics.NewDaemon(metrics.Build{})
	m.Add(metrics.Account{Name: "work"})
	m.Reloaded(true, time.Time{}, "")
	m.Disk("archive", 0, 0)
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	known := make(registry)
	for _, f := range families {
		labels := map[string][]string{"job": nil, "instance": nil}
		for _, series := range f.Metric {
			for _, l := range series.Label {
				labels[l.GetName()] = append(labels[l.GetName()], l.GetValue())
			}
		}
		known[f.GetName()] = labels
		if f.Metric[0].Histogram != nil {
			delete(known, f.GetName())
			known[f.GetName()+"_sum"], known[f.GetName()+"_count"] = labels, labels
			known[f.GetName()+"_bucket"] = map[string][]string{"job": nil, "instance": nil, "account": nil, "le": nil}
		}
	}
	return known
}

// closed are the labels whose values are words of ours.
var closed = []string{"state", "class", "result", "reason"}

// check says what a query names and is not there.
func (known registry) check(query string) (wrong []string) {
	has := make(map[string]bool) // the labels of any metric of the query
	for _, s := range selector.FindAllStringSubmatch(query, -1) {
		labels, ok := known[s[1]]
		if !ok {
			wrong = append(wrong, "there is no metric "+s[1])
			continue
		}
		for label := range labels {
			has[label] = true
		}
		wrong = append(wrong, checkMatchers(s[1], labels, s[2])...)
	}
	if len(has) == 0 {
		return wrong
	}
	for _, label := range usedLabels(query) {
		if !has[label] {
			wrong = append(wrong, "no metric has a label "+label+" in "+query)
		}
	}
	return wrong
}

func checkMatchers(metric string, labels map[string][]string, text string) (wrong []string) {
	for _, m := range matcher.FindAllStringSubmatch(text, -1) {
		values, ok := labels[m[1]]
		if !ok {
			wrong = append(wrong, metric+" has no label "+m[1])
		}
		if !slices.Contains(closed, m[1]) {
			continue
		}
		for word := range strings.SplitSeq(m[2], "|") {
			if ok && !slices.Contains(values, word) {
				wrong = append(wrong, metric+" has no "+m[1]+" "+word)
			}
		}
	}
	return wrong
}

// usedLabels returns the labels by which a query groups and that texts show.
func usedLabels(query string) (labels []string) {
	for _, g := range grouping.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(g[1], ",") {
			labels = append(labels, strings.TrimSpace(label))
		}
	}
	for _, m := range template.FindAllStringSubmatch(query, -1) {
		labels = append(labels, m[1]+m[2])
	}
	return labels
}

// queries returns every query with the texts beside it, by its place.
func queries(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, r := range rules(t) {
		all["alert "+r.Alert+r.Labels["resource"]] = r.Expr + " " + r.Annotations["summary"] + r.Annotations["description"]
	}
	for line := range strings.Lines(read(t, "prometheus/alerts_test.yaml")) {
		if strings.Contains(line, "mailpull_") {
			all["alerts_test.yaml: "+line] = line
		}
	}
	d := dashboard(t)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all["panel "+p.Title+" "+target.RefID] = target.Expr + " " + target.LegendFormat
		}
	}
	for _, v := range d.Templating.List {
		all["variable "+v.Name] = v.Definition
	}
	return all
}

type board struct {
	UID           string
	SchemaVersion int
	Panels        []struct {
		ID         int
		Title      string
		Datasource struct{ UID string }
		GridPos    struct{ X, Y, W, H int }
		Targets    []struct{ RefID, Expr, LegendFormat string }
	}
	Templating struct{ List []variable }
}

type variable struct{ Name, Definition string }

func dashboard(t *testing.T) (d board) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, "grafana/dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	parseYAML(t, "prometheus/alerts.yaml", &file)
	if len(file.Groups) == 0 {
		t.Fatal("there are no alerts")
	}
	return file.Groups[0].Rules
}

func documents(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("../docs/*.md")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return append(names, "../README.md")
}

func parseYAML(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, name)), into); err != nil {
		t.Fatal(name, err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
