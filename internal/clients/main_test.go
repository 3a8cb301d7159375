// Package clients has no code but tests: client libraries of several languages, job queues that are made of them, and the
// programs that come with Redis use the wired proxy, in front of a real cluster, as they come and as their users call them.
// What is asserted in a library's own language stands in testdata; "make clients" installs what that needs, and without it
// the tests fail.
package clients

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

var (
	// cluster is what all tests' proxies stand in front of. No two tests use the same keys.
	cluster = proxytest.SharedCluster(redistest.Config{})
	// plain is the server for which the proxy is to be taken, with as many databases as a cluster has.
	plain = proxytest.SharedServer(redistest.Config{Conf: []string{"databases 1"}})
)

func TestMain(m *testing.M) {
	flag.Set("logtostderr", "true") // not into files that stay behind
	goleak.VerifyTestMain(proxytest.Main{M: m, Shared: []interface{ Close() }{cluster, plain}}, proxytest.Lasting...)
}

var testContext = proxytest.Context

// patience is the library's for the connections of its client and for replies: what it gives up it sends again, and that is done
// twice.
const patience = 2 * proxytest.Patience

// start runs a proxy in front of the cluster.
func start(t *testing.T) *proxytest.Proxy {
	t.Helper()
	return proxytest.Start(t, proxytest.Config{Seeds: cluster.Get(t).Addrs()})
}

// prefix begins the keys of one test, and of no other run of it.
func prefix(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("%s:%d:", t.Name(), time.Now().UnixNano())
}
