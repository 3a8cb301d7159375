package dispatcher

import (
	"github.com/prometheus/client_golang/prometheus"

	"redis-cluster-proxy/command"
)

var (
	requestsDesc = prometheus.NewDesc("redis_cluster_proxy_requests_total",
		"Requests of clients, by command family.", []string{"family"}, nil)
	errorsDesc = prometheus.NewDesc("redis_cluster_proxy_error_replies_total",
		"Replies to clients that are errors, by command family.", []string{"family"}, nil)
	redirectsDesc = prometheus.NewDesc("redis_cluster_proxy_redirects_total",
		"Requests, or parts of split ones, that came back from a node without a reply for the client, by kind.", []string{"kind"}, nil)
	retriesDesc = prometheus.NewDesc("redis_cluster_proxy_retries_total",
		"Requests, or parts of split ones, that were put in line to be sent again.", nil, nil)
	unknownDesc = prometheus.NewDesc("redis_cluster_proxy_unknown_results_total",
		"Writes that were answered with UNKNOWNRESULT: whether they were executed is not known.", nil, nil)
	splitsDesc = prometheus.NewDesc("redis_cluster_proxy_split_requests_total",
		"Requests that were split over several slots.", nil, nil)
	transactionsDesc = prometheus.NewDesc("redis_cluster_proxy_transactions_total",
		"Transactions that came to EXEC with no command refused.", nil, nil)
	abortedDesc = prometheus.NewDesc("redis_cluster_proxy_transactions_aborted_total",
		"Transactions of those that were answered with nil: a watched key had changed, or it was not certain that none had.", nil, nil)
)

// Describe implements prometheus.Collector.
func (d *Dispatcher) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{requestsDesc, errorsDesc, redirectsDesc, retriesDesc, unknownDesc, splitsDesc, transactionsDesc, abortedDesc} {
		ch <- desc
	}
}

// Collect implements prometheus.Collector.
func (d *Dispatcher) Collect(ch chan<- prometheus.Metric) {
	counter := func(desc *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), labels...)
	}
	counts := d.Counts()
	for i := range counts.Requests {
		family := command.Family(i).String()
		counter(requestsDesc, counts.Requests[i], family)
		counter(errorsDesc, counts.Errors[i], family)
	}
	for b := bounceNone + 1; b < numBounces; b++ {
		counter(redirectsDesc, d.stats.Bounces[b].Load(), bounceNames[b])
	}
	counter(retriesDesc, d.stats.Retries.Load())
	counter(unknownDesc, d.stats.Unknown.Load())
	counter(splitsDesc, d.stats.Splits.Load())
	counter(transactionsDesc, d.stats.Transactions.Load())
	counter(abortedDesc, d.stats.Aborted.Load())
}
