package proxy_test

import (
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// TestDatabases where the servers have four: each session's commands go to its own, at their place in a pipeline.
func TestDatabases(t *testing.T) {
	c := redistest.StartFakeCluster(t, func(cfg *redistest.Config) { cfg.Databases = 4 })
	p := proxytest.Start(t, proxytest.Config{Seeds: c.Addrs()})
	p.Server.SetDatabases(4) // the fake nodes have no CONFIG to tell it by
	d, other := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	replies := talk(d, "SET k 0", "SELECT 3", "SET k 3", "GET k", "SELECT 4", "SELECT -1", "SELECT x", "SET k 3", "SELECT 1", "SET k 1", "SELECT 0", "SET k 0",
		"SELECT 2", "MULTI", "SELECT 2", "SET k 2", "EXEC", "MULTI", "SET k 2", "SELECT 1", "SET k 1", "SELECT 9", "EXEC", "SET k 1", "SELECT 2", "SWAPDB 0 1", "SWAPDB 1 1", "SWAPDB 0 4")
	for i, want := range map[int]string{
		1: "+OK\r\n", 4: "-ERR DB index is out of range\r\n", 5: "-ERR DB index is out of range\r\n", 6: "-ERR value is not an integer or out of range\r\n",
		16: "*2\r\n+OK\r\n+OK\r\n", 22: "*4\r\n+OK\r\n+OK\r\n+OK\r\n-ERR DB index is out of range\r\n",
		25: "-ERR SWAPDB is not allowed in cluster mode\r\n", 26: "+OK\r\n", 27: "-ERR DB index is out of range\r\n",
	} {
		if replies[i] != want {
			t.Errorf("reply %d is %q, want %q", i, replies[i], want)
		}
	}
	if got := clientInfo(t, d)["db"]; got != "2" {
		t.Errorf("CLIENT INFO says db=%s", got)
	}
	if v := other.Do("SET", "k", "0"); v.Str != "OK" {
		t.Errorf("SET: %+v", v)
	}
	if got := clientInfo(t, other)["db"]; got != "0" {
		t.Errorf("CLIENT INFO of another client says db=%s", got)
	}
	wantLast(t, talk(d, "RESET", "SET k 0"), "+OK\r\n")
	var dbs []string
	for _, e := range c.Writes("k") {
		if e.Args[2] != string(rune('0'+e.DB)) {
			t.Errorf("%q was executed in database %d", e.Args, e.DB)
		}
		dbs = append(dbs, e.Args[2])
	}
	if got := strings.Join(dbs, ""); got != "03310221100" {
		t.Errorf("the databases of the writes were %s", got)
	}
	if v := d.Do("MOVE", "k", "1"); !strings.Contains(v.Str, "unknown command") { // of a fake node: it was asked
		t.Errorf("MOVE: %+v", v)
	}
}
