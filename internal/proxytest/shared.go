package proxytest

import (
	"context"
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
)

// launchTimeout bounds the launch of what is shared.
const launchTimeout = 3 * time.Minute

// Shared is something, a cluster for instance, that is launched when the first test of a package needs it and closed after
// the last. Tests leave it as they found it, keys apart. It is safe for concurrent use.
type Shared[T interface{ Close() }] struct {
	// Set at construction.
	Launch func(context.Context) (T, error)

	once sync.Once
	// Set once.
	value    T
	launched bool
	err      error
}

// SharedCluster shares a cluster.
func SharedCluster(cfg redistest.Config) *Shared[*redistest.Cluster] {
	return &Shared[*redistest.Cluster]{Launch: func(ctx context.Context) (*redistest.Cluster, error) {
		return redistest.LaunchCluster(ctx, cfg)
	}}
}

// SharedServer shares one plain server.
func SharedServer(cfg redistest.Config) *Shared[*redistest.Server] {
	return &Shared[*redistest.Server]{Launch: func(ctx context.Context) (*redistest.Server, error) {
		return redistest.LaunchServer(ctx, cfg)
	}}
}

// Get returns what is shared. It ends the test if it could not be launched, also if there is no redis-server: never a skip.
func (s *Shared[T]) Get(tb testing.TB) T {
	tb.Helper()
	s.once.Do(s.launch)
	if s.err != nil {
		tb.Fatalf("proxytest: %v", s.err)
	}
	return s.value
}

func (s *Shared[T]) launch() {
	ctx, cancel := context.WithTimeout(context.Background(), launchTimeout)
	defer cancel()
	s.value, s.err = s.Launch(ctx)
	s.launched = s.err == nil
}

// Close closes it if it was launched.
func (s *Shared[T]) Close() {
	if s.launched {
		s.value.Close()
	}
}

// Main runs a package's tests and then closes what they shared, so that goleak.VerifyTestMain, which takes it in the place
// of *testing.M, finds nothing of it.
type Main struct {
	*testing.M
	Shared []interface{ Close() }
}

// Run implements goleak.TestingM.
func (m Main) Run() int {
	code := m.M.Run()
	for _, s := range m.Shared {
		s.Close()
	}
	return code
}
