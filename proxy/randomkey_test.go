package proxy_test

import (
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// TestRandomKeyIsNotNilBecauseOfARefusal: the proxy's own account asks how many keys each node has, and one that may not
// ask must not make it look as if there were none.
func TestRandomKeyIsNotNilBecauseOfARefusal(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	d := proxytest.Connect(t, proxytest.Start(t, proxytest.Config{Seeds: c.Addrs()}).Addr)
	d.Do("SET", "key", "v")
	const refusal = "NOPERM this user has no permissions to run the 'dbsize' command"
	for _, node := range c.Primaries() {
		node.Intercept(func(r redistest.Request) redistest.Verdict {
			if r.Args[0] == "DBSIZE" {
				return redistest.Verdict{Error: refusal}
			}
			return redistest.Verdict{}
		})
		if v := d.Do("RANDOMKEY"); v.Kind != '-' || v.Str != refusal {
			t.Errorf("RANDOMKEY = %+v, want %s", v, refusal)
		}
	}
}
