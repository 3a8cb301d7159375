package proxy_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

const password = "s3cret"

// What the tests of this package share: a cluster and a plain server to compare with, and the same with a password.
var (
	cluster       = proxytest.SharedCluster(redistest.Config{})
	plain         = proxytest.SharedServer(redistest.Config{Conf: []string{"databases 1"}})
	lonely        = proxytest.SharedCluster(redistest.Config{Primaries: 1, Replicas: -1})
	lockedCluster = proxytest.SharedCluster(redistest.Config{Replicas: -1, Password: password})
	lockedPlain   = proxytest.SharedServer(redistest.Config{Password: password, Conf: []string{"databases 1"}})
)

func TestMain(m *testing.M) {
	flag.Set("logtostderr", "true") // not into files that stay behind
	shared := []interface{ Close() }{cluster, plain, lonely, lockedCluster, lockedPlain}
	goleak.VerifyTestMain(proxytest.Main{M: m, Shared: shared}, proxytest.Lasting...)
}

// start runs a proxy in front of the shared cluster.
func start(t *testing.T, cfg proxytest.Config) *proxytest.Proxy {
	t.Helper()
	cfg.Seeds = cluster.Get(t).Addrs()
	return proxytest.Start(t, cfg)
}

// connect runs a proxy of default settings in front of the shared cluster and connects to it.
func connect(t *testing.T) *proxytest.Dialog {
	t.Helper()
	return proxytest.Connect(t, start(t, proxytest.Config{}).Addr)
}
