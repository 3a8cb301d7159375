package e2e

import (
	"slices"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
)

// TestPubSubCountsAreOfAllNodes has clients subscribe at different nodes: the proxy
// counts them as one server would.
func TestPubSubCountsAreOfAllNodes(t *testing.T) {
	c := cluster.Get(t)
	p := proxytest.Start(t, proxytest.Config{Seeds: c.Addrs()})
	d := proxytest.Connect(t, p.Addr)
	addrs := c.Addrs()
	for i, addr := range addrs {
		sub := proxytest.Connect(t, addr)
		sub.Do("SUBSCRIBE", "counted:all")
		if i%2 == 0 {
			sub.Do("SUBSCRIBE", "counted:some")
		}
		sub.Do("PSUBSCRIBE", "counted:*")
	}
	var names []string
	for _, v := range d.Do("PUBSUB", "CHANNELS", "counted:*").Elems {
		names = append(names, v.Str)
	}
	slices.Sort(names)
	if want := []string{"counted:all", "counted:some"}; !slices.Equal(names, want) {
		t.Errorf("channels %q, want %q", names, want)
	}
	got := d.Do("PUBSUB", "NUMSUB", "counted:all", "counted:none", "counted:some").Elems
	want := []int64{int64(len(addrs)), 0, int64(len(addrs)+1) / 2}
	for i, n := range want {
		if got[2*i+1].Int != n {
			t.Errorf("%s has %d subscribers, want %d", got[2*i].Str, got[2*i+1].Int, n)
		}
	}
	// Redis counts patterns, not clients: one at each node.
	if v := d.Do("PUBSUB", "NUMPAT"); v.Int != int64(len(addrs)) {
		t.Errorf("%d patterns, want %d", v.Int, len(addrs))
	}
	if raw := d.Ask("*2\r\n$6\r\nPUBSUB\r\n$6\r\nNUMSUB\r\n"); raw != "*0\r\n" {
		t.Errorf("NUMSUB of nothing: %q", raw)
	}
	if raw := d.Ask("*2\r\n$6\r\nPUBSUB\r\n$13\r\nSHARDCHANNELS\r\n"); raw != "*0\r\n" {
		t.Errorf("SHARDCHANNELS: %q", raw)
	}
}
