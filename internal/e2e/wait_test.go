package e2e

import (
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// TestWaitTellsTheTruth though the writes went by connections that all clients share, and WAIT by another.
func TestWaitTellsTheTruth(t *testing.T) {
	c, ctx := breakable.Get(t), testContext(t)
	for _, version := range []string{"7.0.15", "7.2.0"} {
		p := start(t, c, proxytest.Config{})
		p.Server.SetServerVersion(version)
		d := proxytest.Connect(t, p.Addr)
		key := t.Name()
		replica := c.ReplicasOf(c.OwnerOf(redistest.Slot(key)))[0]
		d.Do("SET", key, "v")
		if v := d.Do("WAIT", "1", "25000"); v.Int != 1 {
			t.Errorf("%s: a replica that works: %+v", version, v)
		}
		if err := replica.Stop(); err != nil {
			t.Fatal(err)
		}
		d.Do("SET", key, "v")
		for range 3 { // by new connections and used ones
			begin := time.Now()
			if v := d.Do("WAIT", "1", "60"); v.Kind != ':' || v.Int != 0 {
				t.Errorf("%s: a replica that is stopped: %+v", version, v)
			}
			if took := time.Since(begin); took < 60*time.Millisecond {
				t.Errorf("%s: it was waited for %v", version, took)
			}
		}
		other := "{other}" // of another shard, where all is well
		if c.OwnerOf(redistest.Slot(other)) == c.OwnerOf(redistest.Slot(key)) {
			t.Fatal("one shard")
		}
		e := proxytest.Connect(t, p.Addr)
		e.Do("SET", other, "v")
		if v := e.Do("WAIT", "1", "25000"); v.Int != 1 {
			t.Errorf("%s: another shard: %+v", version, v)
		}
		if err := replica.Cont(); err != nil {
			t.Fatal(err)
		}
		if v := d.Do("WAIT", "1", "25000"); v.Int != 1 {
			t.Errorf("%s: a replica that works again: %+v", version, v)
		}
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}
