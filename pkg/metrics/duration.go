package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// duration is the histogram of an account's runs. To read one is dear, and
// most accounts have had no run since the last scrape: what was read is kept.
type duration struct {
	histogram prometheus.Histogram
	observed  atomic.Uint64 // how often something was observed
	kept      atomic.Pointer[reading]
}

// reading is what the histogram had when observed was that.
type reading struct {
	observed uint64
	metric   *dto.Metric
}

// newDuration has buckets for whoever reads text, from a run without news to a
// first run, and native ones for whoever scrapes those.
func newDuration(account string) *duration {
	return &duration{histogram: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: namespace + "run_duration_seconds", Help: "How long a run over an account took.",
		ConstLabels:                     prometheus.Labels{"account": account},
		Buckets:                         []float64{1, 5, 15, 60, 300, 900, 3600, 14400},
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	})}
}

// observe counts a run. The number goes up last: a reading that began before
// is then an old one, whether it has the run or not.
func (d *duration) observe(took time.Duration) {
	d.histogram.Observe(took.Seconds())
	d.observed.Add(1)
}

// read returns what the histogram has. Nobody may change it.
func (d *duration) read() (*dto.Metric, error) {
	now := d.observed.Load()
	if kept := d.kept.Load(); kept != nil && kept.observed == now {
		return kept.metric, nil
	}
	metric := new(dto.Metric)
	if err := d.histogram.Write(metric); err != nil {
		return nil, err
	}
	d.kept.Store(&reading{now, metric})
	return metric, nil
}
