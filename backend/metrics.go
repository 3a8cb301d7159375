package backend

import (
	"github.com/prometheus/client_golang/prometheus"
)

var (
	requestDurationDesc = prometheus.NewDesc("redis_cluster_proxy_request_duration_seconds",
		"Time from the arrival of a request's bytes to a node's reply; one observation for each reply.", nil, nil)
	nodeDurationDesc = prometheus.NewDesc("redis_cluster_proxy_node_duration_seconds",
		"Time from the write to a node to its reply: the part of the request's duration that is the network's and the node's.", nil, nil)
)

// nodeMetric is a figure of each node.
type nodeMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*LaneStats) float64
}

func newNodeMetric(name, help string, kind prometheus.ValueType, value func(*LaneStats) float64) nodeMetric {
	return nodeMetric{prometheus.NewDesc("redis_cluster_proxy_node_"+name, help, []string{"node"}, nil), kind, value}
}

var nodeMetrics = []nodeMetric{
	newNodeMetric("connections", "Connections to the node that carry requests.",
		prometheus.GaugeValue, func(s *LaneStats) float64 { return float64(s.Connected) }),
	newNodeMetric("in_flight_requests", "Requests, or parts of split ones, that wait for the node or for a connection to it.",
		prometheus.GaugeValue, func(s *LaneStats) float64 { return float64(s.InFlight) }),
	newNodeMetric("silent", "1 while the node owes replies and has said nothing for half a second.",
		prometheus.GaugeValue, func(s *LaneStats) float64 { return float64(s.Silent) }),
	newNodeMetric("held_connections", "Connections to the node that one client each has of its own, to wait, to watch or to listen.",
		prometheus.GaugeValue, func(s *LaneStats) float64 { return float64(s.Held) }),
	newNodeMetric("held_connections_refused_total", "Connections of their own that clients did not get, for there were -backend-max-leases.",
		prometheus.CounterValue, func(s *LaneStats) float64 { return float64(s.HeldRefused) }),
	newNodeMetric("connects_total", "Connections to the node that were made.",
		prometheus.CounterValue, func(s *LaneStats) float64 { return float64(s.Connects) }),
	newNodeMetric("connect_failures_total", "Attempts to connect that failed, refused handshakes among them.",
		prometheus.CounterValue, func(s *LaneStats) float64 { return float64(s.ConnectFailures) }),
	newNodeMetric("connection_losses_total", "Connections that the node or the network ended.",
		prometheus.CounterValue, func(s *LaneStats) float64 { return float64(s.Losses) }),
	newNodeMetric("timeouts_total", "Requests that the node did not answer in time.",
		prometheus.CounterValue, func(s *LaneStats) float64 { return float64(s.Timeouts) }),
	newNodeMetric("replies_total", "Replies of the node.",
		prometheus.CounterValue, func(s *LaneStats) float64 { return float64(s.Node.Count()) }),
	newNodeMetric("error_replies_total", "Replies of the node that are errors, redirects among them.",
		prometheus.CounterValue, func(s *LaneStats) float64 { return float64(s.Errors) }),
}

// Describe implements prometheus.Collector.
func (p *Pool) Describe(ch chan<- *prometheus.Desc) {
	ch <- requestDurationDesc
	ch <- nodeDurationDesc
	for _, m := range nodeMetrics {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector. The durations are those of all
// nodes that ever were; a node's own figures end when it has left.
func (p *Pool) Collect(ch chan<- prometheus.Metric) {
	total, byAddr := p.figures()
	ch <- durations(requestDurationDesc, &total.Total)
	ch <- durations(nodeDurationDesc, &total.Node)
	for addr, s := range byAddr {
		for _, m := range nodeMetrics {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s), addr)
		}
	}
}

const nanosecondsPerSecond = 1e9

// durations returns h with its bounds and sum in seconds.
func durations(desc *prometheus.Desc, h *Histogram) prometheus.Metric {
	buckets := make(map[float64]uint64, NumBuckets-1)
	var cumulative uint64
	for i, n := range h.Counts[:NumBuckets-1] {
		cumulative += n
		buckets[float64(BucketBound(i))/nanosecondsPerSecond] = cumulative
	}
	return prometheus.MustNewConstHistogram(desc, h.Count(), float64(h.Sum)/nanosecondsPerSecond, buckets)
}
