package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// process has the numbers that belong to no account. They are few, and so a
// registry has them. But for the registry it is empty outside a daemon.
type process struct {
	registry *prometheus.Registry

	freeBytes, freeInodes, hash *prometheus.GaugeVec
	reloaded, reloadedAt        prometheus.Gauge
}

func newProcess(build Build, daemon bool) process {
	p := process{registry: prometheus.NewRegistry()}
	p.vector("build_info", "The program that these numbers come from.", "version", "revision", "goversion").
		WithLabelValues(build.Version, build.Revision, build.GoVersion).Set(1)
	if !daemon {
		return p
	}
	p.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p.freeBytes = p.vector("disk_free_bytes", "Bytes that are free for mailpull where the volume lies.", "volume")
	p.freeInodes = p.vector("disk_free_inodes", "Files that can still be made where the volume lies.", "volume")
	p.hash = p.vector("config_hash_info", "The hash of the configuration that is in use.", "hash")
	p.reloaded = p.vector("config_last_reload_successful", "1 when the configuration was read well last, 0 when it was refused.").WithLabelValues()
	p.reloadedAt = p.vector("config_last_reload_success_timestamp_seconds", "When the configuration was last read well.").WithLabelValues()
	return p
}

// vector registers gauges.
func (p process) vector(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: namespace + name, Help: help}, labels)
	p.registry.MustRegister(g)
	return g
}

// Disk says how much is free where a volume lies; its name is a word of ours,
// such as archive. A file system that counts no inodes is told with inodes
// below zero, and then has no such series: 0 would look like a full one. Only
// for NewDaemon.
func (m *Metrics) Disk(volume string, bytes uint64, inodes int64) {
	m.process.freeBytes.WithLabelValues(volume).Set(float64(bytes))
	if inodes < 0 {
		m.process.freeInodes.DeleteLabelValues(volume)
		return
	}
	m.process.freeInodes.WithLabelValues(volume).Set(float64(inodes))
}

// Reloaded says that the configuration was read at a time, the first time
// too, and whether it was taken. hash names the one that is in use, and is not
// looked at when it was not. Only for NewDaemon.
func (m *Metrics) Reloaded(ok bool, at time.Time, hash string) {
	if !ok {
		m.process.reloaded.Set(0)
		return
	}
	m.process.reloaded.Set(1)
	m.process.reloadedAt.Set(seconds(at))
	m.process.hash.Reset()
	m.process.hash.WithLabelValues(hash).Set(1)
}
