package proxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"redis-cluster-proxy/pubsub"
)

var (
	clientsDesc = prometheus.NewDesc("redis_cluster_proxy_clients",
		"Clients that are connected.", nil, nil)
	acceptedDesc = prometheus.NewDesc("redis_cluster_proxy_clients_accepted_total",
		"Connections of clients that were accepted, those refused afterwards among them.", nil, nil)
	refusedDesc = prometheus.NewDesc("redis_cluster_proxy_clients_refused_total",
		"Connections that were closed at once because there were too many clients or the proxy was ending.", nil, nil)
	unreadDesc = prometheus.NewDesc("redis_cluster_proxy_clients_closed_unread_total",
		"Clients that were closed because they left too many bytes of replies unread.", nil, nil)
	unreadSubscribersDesc = prometheus.NewDesc("redis_cluster_proxy_subscribers_closed_unread_total",
		"Those of them that had subscriptions.", nil, nil)
	subscriptionsDesc = prometheus.NewDesc("redis_cluster_proxy_subscriptions",
		"Subscriptions of clients, by kind.", []string{"kind"}, nil)
	topicsDesc = prometheus.NewDesc("redis_cluster_proxy_topics",
		"Channels and patterns that clients subscribe to, by kind.", []string{"kind"}, nil)
	trunksDesc = prometheus.NewDesc("redis_cluster_proxy_pubsub_connections",
		"Connections to nodes for subscriptions.", nil, nil)
	messagesDesc = prometheus.NewDesc("redis_cluster_proxy_messages_total",
		"Messages that were handed to subscribers, each as often as it was.", nil, nil)
)

// kindNames are the labels of pubsub.Kind.
var kindNames = [pubsub.NumKinds]string{pubsub.Channel: "channel", pubsub.Pattern: "pattern", pubsub.Shard: "shard"}

// Describe implements prometheus.Collector.
func (s *Server) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{clientsDesc, acceptedDesc, refusedDesc, unreadDesc, unreadSubscribersDesc,
		subscriptionsDesc, topicsDesc, trunksDesc, messagesDesc} {
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
	counter(unreadSubscribersDesc, s.abortedSubscribers.Load())
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	hub := s.hub.Stats()
	for kind, name := range kindNames {
		gauge(subscriptionsDesc, hub.Subscriptions[kind], name)
		gauge(topicsDesc, hub.Topics[kind], name)
	}
	gauge(trunksDesc, hub.Trunks)
	counter(messagesDesc, hub.Delivered)
}
