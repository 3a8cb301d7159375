package proxy_test

import (
	"testing"
	"time"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// Nodes that stand still keep their connections. Nothing in these tests tells of them, since the topology calls them healthy, but
// that they do not answer.

// TestReadsLeaveAReplicaThatStandsStill: those that it has as well.
func TestReadsLeaveAReplicaThatStandsStill(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	cfg := proxytest.Config{Seeds: c.Addrs()}
	cfg.Dispatcher.ReadPrefer = dispatcher.PreferReplica
	p := proxytest.Start(t, cfg)
	primary := c.OwnerOf(redistest.Slot("k"))
	replica := c.ReplicasOf(primary)[0]
	writer, reader := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	writer.Do("SET", "k", "v")
	if v := reader.Do("GET", "k"); v.Str != "v" || replica.Executed("get") != 1 {
		t.Fatalf("GET: %+v, and the replica was asked %d times", v, replica.Executed("get"))
	}
	replica.Pause()
	t.Cleanup(replica.Resume)
	readers := []*proxytest.Dialog{reader, proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)}
	for _, d := range readers {
		d.Say(commands("GET k", "GET k", "MGET k k"))
	}
	for _, d := range readers {
		for _, want := range []string{"$1\r\nv\r\n", "$1\r\nv\r\n", "*2\r\n$1\r\nv\r\n$1\r\nv\r\n"} {
			if got := d.Hear(); got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
	}
	// The replica answers late, to nobody, and then serves again.
	replica.Resume()
	eventually(t, "the replica is read from again", func() bool {
		before := replica.Executed("get")
		if v := reader.Do("GET", "k"); v.Str != "v" {
			t.Fatalf("GET: %+v", v)
		}
		return replica.Executed("get") > before
	})
}

// TestAuthGoesRoundANodeThatStandsStill.
func TestAuthGoesRoundANodeThatStandsStill(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	p := proxytest.Start(t, proxytest.Config{Seeds: c.Addrs(), ConnectTimeout: 2 * proxytest.Patience})
	still := c.Primaries()[0]
	still.Pause()
	t.Cleanup(still.Resume)
	for range 2 * len(c.Primaries()) {
		if v := proxytest.Connect(t, p.Addr).Do("HELLO", "3", "AUTH", "default", "x"); v.Kind != '%' {
			t.Errorf("HELLO with AUTH: %+v", v)
		}
	}
}

// TestASilentNodeHasTheTopologyLoaded: nobody else says that it was replaced.
func TestASilentNodeHasTheTopologyLoaded(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	p := proxytest.Start(t, proxytest.Config{Seeds: c.Addrs(), ReloadInterval: time.Hour})
	slot := redistest.Slot("k")
	old := c.OwnerOf(slot)
	replica := c.ReplicasOf(old)[0]
	proxytest.Connect(t, p.Addr).Do("SET", "k", "v")
	old.Pause()
	t.Cleanup(old.Resume)
	proxytest.Connect(t, p.Addr).Say(commands("GET k"))
	c.Failover(replica)
	eventually(t, "the failover is noticed", func() bool { return p.Dispatcher.Owners().Owner(slot) == replica.Addr })
}
