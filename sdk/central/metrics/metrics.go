// Package metrics is what central measures of itself, for Prometheus. No label
// holds anything about a person: a post's name stands for a box.
package metrics

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// Coverage of an answered search.
const (
	CoverageWhole   = "whole"
	CoveragePartial = "partial" // a shard or a list did not answer: never "clear" at the post
	CoverageNone    = "none"    // no answer
)

// seconds are around the budgets: a post waits 700 ms for central, and a
// transport over 64 shards may take 25 ms.
var seconds = []float64{0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1, 2, 5}

// liveHeap is what the last garbage collection left: the figure that growth is
// seen by.
var liveHeap = regexp.MustCompile(`^/gc/heap/live:bytes$`)

// Metrics counts what central does. It is safe for concurrent use; nil counts
// nothing.
type Metrics struct {
	registry *prometheus.Registry
	searches *prometheus.HistogramVec
	receipts *prometheus.CounterVec
	calls    *prometheus.CounterVec
}

// New returns counters at zero, and what posts and lists is read from at each scrape.
func New(s Store, away time.Duration, now func() time.Time) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		searches: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "watchpost_central_search_seconds", Help: "Searches of posts, from the call to the answer, by coverage.", Buckets: seconds,
		}, []string{"coverage"}),
		receipts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "watchpost_central_receipts_total", Help: "Outcomes of posts' outboxes, by code; ok has a receipt after the commit.",
		}, []string{"code"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "watchpost_central_refused_calls_total", Help: "Calls of posts that were refused, by code.",
		}, []string{"code"}),
	}
	for _, c := range []string{CoverageWhole, CoveragePartial, CoverageNone} {
		m.searches.WithLabelValues(c)
	}
	m.receipts.WithLabelValues("ok")
	m.registry.MustRegister(m.searches, m.receipts, m.calls, &standing{s, away, now},
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: liveHeap})),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Searched notes a search and the coverage of its answer.
func (m *Metrics) Searched(took time.Duration, coverage string) {
	if m != nil {
		m.searches.WithLabelValues(coverage).Observe(took.Seconds())
	}
}

// Delivered notes an outcome that came: err is nil after the commit.
func (m *Metrics) Delivered(err error) {
	if m == nil {
		return
	}
	code := "ok"
	if err != nil {
		code = string(fault.CodeOf(err))
	}
	m.receipts.WithLabelValues(code).Inc()
}

// Refused notes a call that was answered with a code.
func (m *Metrics) Refused(code fault.Code) {
	if m != nil {
		m.calls.WithLabelValues(string(code)).Inc()
	}
}

// Store is the part of the store that is read at each scrape.
type Store interface {
	Fleet(context.Context) ([]store.Standing, error)
	LastHeads(context.Context) ([]store.Witnessed, error)
	CountWaiting(context.Context) (store.Waiting, error)
	LastBackup(context.Context) (*store.Backup, error)
}

// scrapeLimit is how long a scrape waits for the database.
const scrapeLimit = 3 * time.Second

// standing reads how things stand at each scrape.
type standing struct {
	s    Store
	away time.Duration
	now  func() time.Time
}

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("watchpost_central_"+name, help, labels, nil)
}

var (
	up         = gauge("database_up", "1 while the database answers.")
	posts      = gauge("posts", "Posts in use, by how they stand.", "state")
	lastSeen   = gauge("post_last_seen_seconds", "Since a post last spoke.", "post")
	listAge    = gauge("list_age_seconds", "Age of the oldest edition of a list that a post in use holds.", "list")
	listPosts  = gauge("list_posts", "Posts that hold a list, by whether its owner still allows that edition.", "list", "stale")
	outbox     = gauge("outbox_waiting", "Outcomes that wait at posts, as they last told.")
	orders     = gauge("orders_pending", "Orders that two have signed and a post has not receipted.")
	proposals  = gauge("proposals_waiting", "Proposals without their last signature.")
	heads      = gauge("audit_heads", "Posts by whether the head of their audit log is the one shown to central.", "agreement")
	backupTime = gauge("backup_timestamp_seconds", "When the last backup was written; 0 for never.")
	backupSize = gauge("backup_bytes", "Size of the last backup.")
)

// Describe implements prometheus.Collector: what there is depends on the database.
func (c *standing) Describe(d chan<- *prometheus.Desc) { d <- up }

// Collect implements prometheus.Collector. Where the database does not answer
// only that is said: old figures would look like new ones.
func (c *standing) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	send := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	fleet, err := c.s.Fleet(ctx)
	witnessed, err2 := c.s.LastHeads(ctx)
	waiting, err3 := c.s.CountWaiting(ctx)
	backup, err4 := c.s.LastBackup(ctx)
	for _, e := range []error{err, err2, err3, err4} {
		if e != nil {
			send(up, 0)
			return
		}
	}
	send(up, 1)
	c.fleet(fleet, send)
	agreement := map[store.Agreement]int{store.HeadNone: 0, store.HeadAwaited: 0, store.HeadAgrees: 0, store.HeadDiffers: 0}
	for _, w := range witnessed {
		agreement[w.Agreement]++
	}
	for a, n := range agreement {
		send(heads, float64(n), string(a))
	}
	send(orders, float64(waiting.Orders))
	send(proposals, float64(waiting.Proposals))
	if backup == nil {
		backup = new(store.Backup)
		send(backupTime, 0)
	} else {
		send(backupTime, float64(backup.At.Unix()))
	}
	send(backupSize, float64(backup.Bytes))
}

func (c *standing) fleet(fleet []store.Standing, send func(*prometheus.Desc, float64, ...string)) {
	now := c.now()
	states := map[string]int{"connected": 0, "away": 0, "missing": 0, "cloned": 0, "never": 0}
	oldest := map[string]time.Duration{}
	held := map[string][2]int{} // current, stale
	sum := 0
	for _, p := range fleet {
		state := "connected"
		switch {
		case p.RolledBack != nil:
			state = "cloned"
		case p.Missing != nil:
			state = "missing"
		case p.Told == nil:
			state = "never"
		case now.Sub(*p.Told) >= c.away:
			state = "away"
		}
		states[state]++
		if p.Told != nil {
			send(lastSeen, now.Sub(*p.Told).Seconds(), p.ID)
		}
		sum += int(p.Waiting)
		for _, l := range p.Lists {
			oldest[l.List] = max(oldest[l.List], now.Sub(time.UnixMilli(l.IssuedMS)))
			n := held[l.List]
			if l.Stale {
				n[1]++
			} else {
				n[0]++
			}
			held[l.List] = n
		}
	}
	for state, n := range states {
		send(posts, float64(n), state)
	}
	for list, age := range oldest {
		send(listAge, age.Seconds(), list)
	}
	for list, n := range held {
		for i, count := range n {
			send(listPosts, float64(count), list, strconv.FormatBool(i == 1))
		}
	}
	send(outbox, float64(sum))
}
