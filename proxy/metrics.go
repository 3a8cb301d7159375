package proxy

import "github.com/prometheus/client_golang/prometheus"

var (
	clientsDesc = prometheus.NewDesc("redis_cluster_proxy_clients",
		"Clients that are connected.", nil, nil)
	acceptedDesc = prometheus.NewDesc("redis_cluster_proxy_clients_accepted_total",
		"Connections of clients that were accepted, those refused afterwards among them.", nil, nil)
	refusedDesc = prometheus.NewDesc("redis_cluster_proxy_clients_refused_total",
		"Connections that were closed at once because there were too many clients or the proxy was ending.", nil, nil)
	unreadDesc = prometheus.NewDesc("redis_cluster_proxy_clients_closed_unread_total",
		"Clients that were closed because they left too many bytes of replies unread.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *Server) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{clientsDesc, acceptedDesc, refusedDesc, unreadDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *Server) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	ch <- prometheus.MustNewConstMetric(clientsDesc, prometheus.GaugeValue, float64(s.Clients()))
	counter(acceptedDesc, s.accepted.Load())
	counter(refusedDesc, s.refused.Load())
	counter(unreadDesc, s.aborted.Load())
}
