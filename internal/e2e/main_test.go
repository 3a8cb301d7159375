// Package e2e has no code but tests: the wired proxy in front of real clusters, with the loads, the clients and the faults
// that it is made for.
package e2e

import (
	"flag"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

var (
	// cluster is for tests that leave it as they found it, keys apart.
	cluster = proxytest.SharedCluster(redistest.Config{})
	// breakable is for tests that break it. Each leaves it whole: all nodes run and three of them are primaries.
	breakable = proxytest.SharedCluster(redistest.Config{})
)

func TestMain(m *testing.M) {
	flag.Set("logtostderr", "true") // not into files that stay behind
	goleak.VerifyTestMain(proxytest.Main{M: m, Shared: []interface{ Close() }{cluster, breakable}}, proxytest.Lasting...)
}

// start runs a proxy in front of the cluster. It sends again for as long as a slow machine's migration or failover takes, unless
// cfg says for how long.
func start(t *testing.T, c *redistest.Cluster, cfg proxytest.Config) *proxytest.Proxy {
	t.Helper()
	cfg.Seeds = c.Addrs()
	if cfg.Dispatcher.RedirectTimeout == 0 {
		cfg.Dispatcher.RedirectTimeout = proxytest.Patience
	}
	return proxytest.Start(t, cfg)
}

// What tests wait with.
var (
	testContext = proxytest.Context
	eventually  = proxytest.Eventually
	within      = proxytest.Within
)

// takeOver waits until a replica serves the slot in the place of a node that was killed or stopped.
func takeOver(t *testing.T, c *redistest.Cluster, slot uint16, old *redistest.Node) {
	t.Helper()
	if _, err := c.TakeOver(testContext(t), slot, old); err != nil {
		t.Fatal(err)
	}
}

// redirects returns how often requests came back to the dispatcher for this reason, by its metrics.
func redirects(t *testing.T, p *proxytest.Proxy, kind string) int {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := registry.Register(p.Dispatcher); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "redis_cluster_proxy_redirects_total" && m.Label[0].GetValue() == kind {
				return int(m.Counter.GetValue())
			}
		}
	}
	t.Fatalf("no metric counts redirects of kind %s", kind)
	return 0
}
