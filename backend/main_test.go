package backend

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Set("logtostderr", "true") // not into files that stay behind
	goleak.VerifyTestMain(m,
		// These two never end: netio's watcher, and glog's daemon once it is used.
		goleak.IgnoreAnyFunction("redis-cluster-proxy/internal/netio.(*watcher).watchLoop"),
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}
