package redistest

import (
	"context"
	"testing"
	"time"
)

// startTimeout bounds how long a test waits for its servers. It is generous: machines that run many tests are slow.
const startTimeout = 2 * time.Minute

// logTail is how many lines of each server's log a failed test shows.
const logTail = 15

// StartCluster launches a cluster of real servers, three primaries with a replica each unless opts say otherwise, and
// takes it down at the end of the test. It ends the test if it cannot, also if there is no redis-server: never a skip.
func StartCluster(tb testing.TB, opts ...Option) *Cluster {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c, err := LaunchCluster(ctx, configOf(opts))
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			for _, n := range c.Nodes() {
				tb.Logf("log of %s ends:\n%s", n.Addr, n.Log(logTail))
			}
		}
		c.Close()
	})
	return c
}

// StartServer launches one plain redis-server with further redis.conf lines, each "name value", and takes it down at the
// end of the test. It ends the test if it cannot.
func StartServer(tb testing.TB, conf ...string) *Server {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	s, err := LaunchServer(ctx, Config{Conf: conf})
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of %s ends:\n%s", s.Addr, s.Log(logTail))
		}
		s.Close()
	})
	return s
}

// StartFakeCluster launches a fake cluster, three primaries with a replica each unless opts say otherwise, and closes it
// at the end of the test. It ends the test if it cannot.
func StartFakeCluster(tb testing.TB, opts ...Option) *FakeCluster {
	tb.Helper()
	c, err := LaunchFakeCluster(configOf(opts))
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	tb.Cleanup(c.Close)
	return c
}

// StartScript launches a scripted node. At the end of the test it is closed, and what Close returns fails the test.
func StartScript(tb testing.TB, s Script) *ScriptNode {
	tb.Helper()
	n, err := LaunchScript(s)
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	tb.Cleanup(func() {
		if err := n.Close(); err != nil {
			tb.Errorf("redistest: scripted node: %v", err)
		}
	})
	return n
}
