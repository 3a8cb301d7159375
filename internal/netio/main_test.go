package netio

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The one watcher of the process never ends.
		goleak.IgnoreAnyFunction("redis-cluster-proxy/internal/netio.(*watcher).watchLoop"))
}
