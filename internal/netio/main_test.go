package netio

import (
	"testing"

	"go.uber.org/goleak"
)

// suite is the package's tests with what they share.
type suite struct{ *testing.M }

// Run implements goleak.TestingM.
func (s suite) Run() int {
	code := s.M.Run()
	if p, err := testPoller(); err == nil {
		p.Close()
	}
	return code
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(suite{m},
		// The one watcher of the process never ends.
		goleak.IgnoreAnyFunction("redis-cluster-proxy/internal/netio.(*watcher).watchLoop"))
}
