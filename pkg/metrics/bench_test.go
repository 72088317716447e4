package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mailpull/pkg/metrics"
)

// thousand returns a daemon's metrics of 1,000 accounts that have run.
func thousand() *metrics.Metrics {
	m := metrics.NewDaemon(build)
	for i := range 1000 {
		a := work
		a.Name = fmt.Sprintf("account-%04d", i)
		m.Add(a)
		m.SetState(a.Name, metrics.StateOK)
		m.Restore(a.Name, records())
		for n := range 100 {
			r := run()
			r.End = r.Start.Add(time.Duration(i+n*n) * 10 * time.Millisecond)
			m.Count(a.Name, r)
		}
	}
	return m
}

// BenchmarkScrape reads the metrics of 1,000 accounts through the handler that
// Prometheus asks. The promise is 50 ms.
func BenchmarkScrape(b *testing.B) {
	m := thousand()
	handler := promhttp.HandlerFor(m, promhttp.HandlerOpts{})
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
				request.Header.Set("Accept-Encoding", encoding)
				answer := httptest.NewRecorder()
				handler.ServeHTTP(answer, request)
				if answer.Code != http.StatusOK {
					b.Fatal(answer.Body)
				}
				size = answer.Body.Len()
			}
			b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/scrape")
			b.ReportMetric(float64(size), "B/scrape")
		})
	}
}

// BenchmarkMemory says how much 1,000 accounts keep that have run 100 times and
// were scraped.
func BenchmarkMemory(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := thousand()
	if _, err := m.Gather(); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		m.Received("account-0000", 1)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB")
	runtime.KeepAlive(m)
}
