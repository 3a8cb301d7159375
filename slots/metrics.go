package slots

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	refreshesDesc = prometheus.NewDesc("redis_cluster_proxy_topology_refreshes_total",
		"Loads of the topology, by result.", []string{"result"}, nil)
	changesDesc = prometheus.NewDesc("redis_cluster_proxy_topology_changes_total",
		"Loads that found another layout, the first one among them.", nil, nil)
	movedDesc = prometheus.NewDesc("redis_cluster_proxy_topology_moved_slots_total",
		"Slots that were given to another node because of a MOVED, before a load confirmed it.", nil, nil)
	ageDesc = prometheus.NewDesc("redis_cluster_proxy_topology_age_seconds",
		"Time since the last load that succeeded; +Inf before the first.", nil, nil)
	coveredDesc = prometheus.NewDesc("redis_cluster_proxy_topology_slots_covered",
		"Slots, of 16384, that have a shard.", nil, nil)
	failedDesc = prometheus.NewDesc("redis_cluster_proxy_topology_slots_failed",
		"Slots, of those, whose primary has failed and is not replaced yet.", nil, nil)
	nodesDesc = prometheus.NewDesc("redis_cluster_proxy_topology_nodes",
		"Nodes of the topology, by the health that the cluster reports.", []string{"health"}, nil)
)

// Describe implements prometheus.Collector.
func (w *Watcher) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{refreshesDesc, changesDesc, movedDesc, ageDesc, coveredDesc, failedDesc, nodesDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (w *Watcher) Collect(ch chan<- prometheus.Metric) {
	stats, table := w.Stats(), w.Table()
	age := math.Inf(1)
	if !stats.LastSuccess.IsZero() {
		age = time.Since(stats.LastSuccess).Seconds()
	}
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter(refreshesDesc, stats.Loads, "ok")
	counter(refreshesDesc, stats.Failures, "failed")
	counter(changesDesc, stats.Changes)
	counter(movedDesc, stats.Moved)
	gauge(ageDesc, age)
	gauge(coveredDesc, float64(table.Covered()))
	gauge(failedDesc, float64(table.Failed()))
	healthy, unhealthy := 0, 0
	for _, n := range table.Nodes() {
		if n.Healthy {
			healthy++
		} else {
			unhealthy++
		}
	}
	gauge(nodesDesc, float64(healthy), "healthy")
	gauge(nodesDesc, float64(unhealthy), "unhealthy")
}
