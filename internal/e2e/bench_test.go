package e2e

import (
	"slices"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
)

// BenchmarkFanOut measures what the proxy adds to a command that concerns all nodes: beside it stands somebody who asks the
// primaries himself, all at once, and waits for the slowest. Both have one connection to each node.
func BenchmarkFanOut(b *testing.B) {
	c := cluster.Get(b)
	p := proxytest.Start(b, proxytest.Config{Seeds: c.Addrs()})
	var nodes []*proxytest.Client
	for _, n := range c.Primaries() {
		nodes = append(nodes, proxytest.Connect(b, n.Addr).Client)
	}
	proxy := []*proxytest.Client{proxytest.Connect(b, p.Addr).Client}
	for _, way := range []struct {
		name  string
		asked []*proxytest.Client
	}{{"slowest", nodes}, {"proxy", proxy}} {
		b.Run(way.name, func(b *testing.B) {
			took := make([]time.Duration, 0, b.N)
			for b.Loop() {
				begin := time.Now()
				for _, c := range way.asked {
					if err := c.Send([]byte("DBSIZE\r\n")); err != nil {
						b.Fatal(err)
					}
				}
				for _, c := range way.asked {
					if v, err := c.Read(); err != nil || v.Kind != ':' {
						b.Fatal(v, err)
					}
				}
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1000, "p99-us")
		})
	}
}
