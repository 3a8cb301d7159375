package clients

import (
	"testing"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/proxytest"
)

// target is what a program is run against.
type target struct {
	addr  string
	proxy *proxytest.Proxy // nil: a plain server
}

// name is plain or proxy; programs are told.
func (at target) name() string {
	if at.proxy == nil {
		return "plain"
	}
	return "proxy"
}

// both runs f against one plain redis-server, which says what is right, and against a proxy in front of the cluster, side by
// side. So no mistake of a program can be taken for one of the proxy's, nor the other way round. allSlots is -cross-slot=all.
func both(t *testing.T, allSlots bool, f func(t *testing.T, at target)) {
	t.Parallel()
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		f(t, target{addr: plain.Get(t).Addr})
	})
	t.Run("proxy", func(t *testing.T) {
		t.Parallel()
		f(t, viaProxy(t, allSlots))
	})
}

// viaProxy starts a proxy in front of the cluster.
func viaProxy(t *testing.T, allSlots bool) target {
	t.Helper()
	p := proxytest.Start(t, proxytest.Config{
		Seeds:      cluster.Get(t).Addrs(),
		Dispatcher: dispatcher.Config{SplitTransactions: allSlots},
	})
	return target{addr: p.Addr, proxy: p}
}
