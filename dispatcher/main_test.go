package dispatcher

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txt with what happens now")

func TestMain(m *testing.M) {
	flag.Set("logtostderr", "true") // not into files that stay behind
	goleak.VerifyTestMain(m,
		// Both are started when they are first used and live as long as the process.
		goleak.IgnoreAnyFunction("redis-cluster-proxy/internal/netio.(*watcher).watchLoop"),
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}
