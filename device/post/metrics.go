package post

import (
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/watchpost/watchpost/device/encounter"
)

// metrics are what the post measures of itself. Names follow Prometheus; no
// label holds anything about a person.
type metrics struct {
	registry   *prometheus.Registry
	inspection prometheus.Histogram
	answer     prometheus.Histogram
	ready      prometheus.Gauge
	encounters *prometheus.CounterVec
}

// buckets are seconds around the budgets of design section 10 (answer at most
// 1 s) and the slow-chip profile.
var buckets = []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20}

// liveHeap is what the last garbage collection left: the figure that growth is
// seen by.
var liveHeap = regexp.MustCompile(`^/gc/heap/live:bytes$`)

func newMetrics() *metrics {
	m := &metrics{
		registry:   prometheus.NewRegistry(),
		inspection: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "watchpost_inspection_seconds", Help: "Chip opened to inspection.", Buckets: buckets}),
		answer:     prometheus.NewHistogram(prometheus.HistogramOpts{Name: "watchpost_answer_seconds", Help: "Last capture to answer.", Buckets: buckets}),
		ready:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "watchpost_ready_seconds", Help: "Start of the daemon to ready."}),
		encounters: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "watchpost_encounters_total", Help: "Encounters by outcome."}, []string{"outcome"}),
	}
	m.registry.MustRegister(m.inspection, m.answer, m.ready, m.encounters,
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: liveHeap})))
	return m
}

func (m *metrics) inspected(d time.Duration) { m.inspection.Observe(d.Seconds()) }

func (m *metrics) answered(d time.Duration) { m.answer.Observe(d.Seconds()) }

func (m *metrics) ended(o encounter.Outcome) { m.encounters.WithLabelValues(o.String()).Inc() }
