// Package differ has no code but tests. They ask the proxy in front of a real cluster and one plain server of the same
// version the same things and compare the bytes that come back: a client cannot tell the two apart, save where
// testdata/differences.txt says so, and why.
//
// The scripts are in testdata, a file per family of commands; script_test.go has their language. Each is played in RESP2
// and RESP3, step by step and as one pipeline. coverage_test.go fails for a command of the server's COMMAND that no script
// calls with success and that the list does not excuse.
package differ

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// A cluster node has one database, and so has the server it is compared with. A plain server has no replicas here, so the
// primaries have none.
var (
	cluster = proxytest.SharedCluster(redistest.Config{Replicas: -1})
	plain   = proxytest.SharedServer(redistest.Config{Conf: []string{"databases 1"}})
)

func TestMain(m *testing.M) {
	flag.Set("logtostderr", "true") // not into files that stay behind
	goleak.VerifyTestMain(proxytest.Main{M: m, Shared: []interface{ Close() }{cluster, plain}}, proxytest.Lasting...)
}
