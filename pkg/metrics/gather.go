package metrics

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Gather returns every number, sorted as a registry sorts them. It waits for
// nobody who counts. Nobody may change what it returns.
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) {
	families, err := m.process.registry.Gather()
	if err != nil {
		return nil, err
	}
	if all := m.sorted(); len(all) > 0 {
		took, err := durations(all)
		if err != nil {
			return nil, err
		}
		families = append(families, took, infos(all))
		for i := range m.table {
			if r := &m.table[i]; m.daemon || !r.daemon {
				families = append(families, r.family(all))
			}
		}
	}
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return families, nil
}

var _ prometheus.Gatherer = (*Metrics)(nil)

// sorted returns the accounts in the order of their names.
func (m *Metrics) sorted() []*series {
	m.mu.RLock()
	all := make([]*series, 0, len(m.accounts))
	for _, s := range m.accounts {
		all = append(all, s)
	}
	m.mu.RUnlock()
	slices.SortFunc(all, func(a, b *series) int { return strings.Compare(a.account.GetValue(), b.account.GetValue()) })
	return all
}

// family reads the cells of a metric.
func (r *row) family(all []*series) *dto.MetricFamily {
	words := []*dto.LabelPair{nil}
	if r.label != "" {
		words = words[:0]
		for _, word := range r.words {
			words = append(words, pair(r.label, word))
		}
	}
	b := newBlock(len(all) * len(words))
	for _, s := range all {
		for i, word := range words {
			b.add(*r.kind, s.cells[r.at+i].get(), s.account, word)
		}
	}
	return &dto.MetricFamily{Name: name(r.name), Help: &r.help, Type: r.kind, Metric: b.list}
}

// block makes the metrics of a family in a few allocations.
type block struct {
	metrics  []dto.Metric
	gauges   []dto.Gauge
	counters []dto.Counter
	values   []float64
	labels   []*dto.LabelPair
	list     []*dto.Metric
}

func newBlock(n int) *block {
	return &block{
		metrics: make([]dto.Metric, n), values: make([]float64, n),
		labels: make([]*dto.LabelPair, 0, 2*n), list: make([]*dto.Metric, 0, n),
	}
}

// add adds a metric with one label or, when word is not nil, with two.
func (b *block) add(kind dto.MetricType, value float64, account, word *dto.LabelPair) {
	i := len(b.list)
	out := &b.metrics[i]
	b.values[i] = value
	switch kind {
	case dto.MetricType_COUNTER:
		if b.counters == nil {
			b.counters = make([]dto.Counter, len(b.metrics))
		}
		b.counters[i].Value = &b.values[i]
		out.Counter = &b.counters[i]
	default:
		if b.gauges == nil {
			b.gauges = make([]dto.Gauge, len(b.metrics))
		}
		b.gauges[i].Value = &b.values[i]
		out.Gauge = &b.gauges[i]
	}
	from := len(b.labels)
	b.labels = append(b.labels, account)
	if word != nil {
		b.labels = append(b.labels, word)
	}
	out.Label = b.labels[from:len(b.labels):len(b.labels)]
	b.list = append(b.list, out)
}

// infos names the accounts.
func infos(all []*series) *dto.MetricFamily {
	help, one := "The accounts of the configuration.", 1.0
	f := &dto.MetricFamily{Name: name("account_info"), Help: &help, Type: dto.MetricType_GAUGE.Enum()}
	for _, s := range all {
		f.Metric = append(f.Metric, &dto.Metric{Label: s.info, Gauge: &dto.Gauge{Value: &one}})
	}
	return f
}

// durations reads the histograms.
func durations(all []*series) (*dto.MetricFamily, error) {
	help := "How long a run over an account took."
	f := &dto.MetricFamily{Name: name("run_duration_seconds"), Help: &help, Type: dto.MetricType_HISTOGRAM.Enum()}
	for _, s := range all {
		read, err := s.duration.read()
		if err != nil {
			return nil, err
		}
		f.Metric = append(f.Metric, read)
	}
	return f, nil
}

func name(of string) *string {
	of = namespace + of
	return &of
}
