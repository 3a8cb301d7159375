package proxy_test

import (
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// TestLocalAnswersDoNotHangWithTheNodes: those who act as the proxy itself are answered at once, and others soon, whether a node
// was asked before or not.
func TestLocalAnswersDoNotHangWithTheNodes(t *testing.T) {
	c := redistest.StartCluster(t, redistest.Primaries(1), redistest.Replicas(0))
	p := proxytest.Start(t, proxytest.Config{Seeds: c.Addrs()})
	own, other := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	if v := own.Do("ACL", "SETUSER", "small", "on", ">pw", "-@all", "+ping"); v.Str != "OK" {
		t.Fatalf("ACL SETUSER: %+v", v)
	}
	if v := other.Do("AUTH", "small", "pw"); v.Str != "OK" {
		t.Fatalf("AUTH: %+v", v)
	}
	if v := other.Do("ECHO", "x"); !strings.HasPrefix(v.Str, "NOPERM ") {
		t.Errorf("ECHO: %+v", v)
	}
	if err := c.Node(0).Stop(); err != nil {
		t.Fatal(err)
	}
	defer c.Node(0).Cont()
	best := time.Hour
	for range 5 { // one of them finds the machine awake
		begun := time.Now()
		if v := own.Do("PING"); v.Str != "PONG" {
			t.Errorf("PING: %+v", v)
		}
		best = min(best, time.Since(begun))
	}
	if best > time.Second/2 {
		t.Errorf("PING took %v", best)
	}
	for range 2 {
		if v := other.Do("PING"); v.Str != "PONG" {
			t.Errorf("PING of another user: %+v", v)
		}
	}
}

// TestPermissionsOfTheVirtualNode: what is answered on behalf of a cluster that clients take the proxy for is asked about as well.
func TestPermissionsOfTheVirtualNode(t *testing.T) {
	p := start(t, proxytest.Config{})
	admin, d := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	if v := admin.Do("ACL", "SETUSER", "clustered", "on", ">pw", "-@all", "+cluster|slots", "+readonly", "+ping"); v.Str != "OK" {
		t.Fatalf("ACL SETUSER: %+v", v)
	}
	defer admin.Do("ACL", "DELUSER", "clustered")
	d.Do("AUTH", "clustered", "pw")
	for line, allowed := range map[string]bool{
		"CLUSTER SLOTS": true, "READONLY": true, "PING": true, "CLUSTER NODES": false, "CLUSTER SHARDS": false, "CLUSTER INFO": false,
		"CLUSTER KEYSLOT x": false, "CLUSTER MYID": false, "READWRITE": false, "ASKING": false, "CLIENT UNPAUSE": false, "SLOWLOG LEN": false,
	} {
		v := d.Do(strings.Fields(line)...)
		words := strings.Fields(strings.ToLower(line))
		name := words[0]
		if len(words) > 1 {
			name += "|" + words[1]
		}
		refused := v.Kind == '-' && v.Str == "NOPERM this user has no permissions to run the '"+name+"' command"
		if allowed == refused || allowed && v.Kind == '-' {
			t.Errorf("%s: %.200v", line, v)
		}
	}
}
