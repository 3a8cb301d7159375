package e2e

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// deadAddr returns an address of loopback where nobody listens.
func deadAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// silentAddr returns an address where connections are taken and nothing is ever said.
func silentAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// TestOneLivingSeedIsEnough, be it a replica, among dead and silent ones.
func TestOneLivingSeedIsEnough(t *testing.T) {
	c := cluster.Get(t)
	replica := c.ReplicasOf(c.Primaries()[1])[0]
	p := proxytest.Start(t, proxytest.Config{
		Seeds:          []string{deadAddr(t), silentAddr(t), "no-such-host.invalid:7000", replica.Addr, deadAddr(t)},
		ConnectTimeout: time.Second,
	})
	d := proxytest.Connect(t, p.Addr)
	for i := range 20 {
		key := fmt.Sprintf("seeds:%d", i)
		if v := d.Do("SET", key, "x"); v.Str != "OK" {
			t.Errorf("SET %s: %+v", key, v)
		}
	}
	for _, n := range c.Nodes() {
		if p.Watcher.Table().NodeAt(n.Addr) == nil {
			t.Errorf("node %s is not known", n.Addr)
		}
	}
}

// TestProxyIsThereBeforeTheCluster: it starts, says that it cannot serve, and serves as soon as there is a cluster. That the
// whole cluster goes and comes back is the same to it.
func TestProxyIsThereBeforeTheCluster(t *testing.T) {
	c, ctx := breakable.Get(t), testContext(t)
	for _, n := range c.Nodes() {
		n.Kill()
	}
	cfg := proxytest.Config{Unready: true}
	cfg.Dispatcher.RedirectTimeout = 50 * time.Millisecond
	p := start(t, c, cfg)
	d := proxytest.Connect(t, p.Addr)
	for _, line := range []string{"GET a", "SET a 1", "MGET a b c", "MSET a 1 b 2", "EVAL x 0", "AUTH x", "DEL a"} {
		if v := d.Do(strings.Fields(line)...); v.Kind != '-' || !strings.HasPrefix(v.Str, "CLUSTERDOWN ") {
			t.Errorf("%s without a cluster: %+v", line, v)
		}
	}
	if v := d.Do("PING"); v.Str != "PONG" {
		t.Errorf("PING without a cluster: %+v", v)
	}
	if n := p.Dispatcher.Covered(); n != 0 {
		t.Errorf("%d slots are covered without a cluster", n)
	}
	for _, n := range c.Nodes() {
		if err := n.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	// The same client, and at once.
	for _, tt := range []struct{ line, want string }{{"SET a 1", "+OK\r\n"}, {"MSET b 2 c 3", "+OK\r\n"}, {"MGET a b c", "*3\r\n" + bulk("1") + bulk("2") + bulk("3")}} {
		if got := d.Ask(tt.line + "\r\n"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.line, got, tt.want)
		}
	}
}

// plainRound sets and gets keys over all slots, alone and together.
func plainRound(c *proxytest.Client, session, round int) error {
	var s script
	value := fmt.Sprintf("%d-%d", session, round)
	var many, values string
	for i := range 8 {
		key := fmt.Sprintf("plain:%d:%d", session, i)
		s.add("+OK\r\n", "SET %s %s", key, value)
		s.add(bulk(value), "GET %s", key)
		many += " " + key
		values += bulk(value)
	}
	s.add("*8\r\n"+values, "MGET%s", many)
	s.add(integer(round+1), "INCR plain:%d:n", session)
	return s.play(c)
}

// TestNodeIsAddedAndRemovedUnderLoad: slots go to the new node and back, the node goes, and no client notices.
func TestNodeIsAddedAndRemovedUnderLoad(t *testing.T) {
	c, ctx := cluster.Get(t), testContext(t)
	p := start(t, c, proxytest.Config{ReloadInterval: 500 * time.Millisecond})
	l := startLoad(t, p.Addr, 4, plainRound)
	l.pass(10)

	added, err := c.AddNode(ctx)
	if err != nil {
		t.Fatal(err)
	}
	homes := map[uint16]*redistest.Node{}
	for session := range 4 {
		for i := range 4 {
			slot := redistest.Slot(fmt.Sprintf("plain:%d:%d", session, i))
			homes[slot] = c.OwnerOf(slot)
		}
	}
	move := func(to func(slot uint16) *redistest.Node) {
		t.Helper()
		for slot := range homes {
			if err := c.MoveSlot(ctx, slot, nil, to(slot), nil); err != nil {
				t.Fatal(err)
			}
			l.pass(1)
		}
		l.pass(5)
	}
	move(func(uint16) *redistest.Node { return added })
	if n, err := added.Client().DBSize(ctx).Result(); err != nil || n < int64(len(homes)) {
		t.Errorf("the new node has %d keys, %v", n, err)
	}
	if !inPool(p, added.Addr) {
		t.Error("the new node has served nothing")
	}
	move(func(slot uint16) *redistest.Node { return homes[slot] })
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveNode(ctx, added); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the proxy has forgotten the node", func() bool { return !inPool(p, added.Addr) })
	l.pass(20)
	l.end()
	waitForgotten(t, c, added)
}

func inPool(p *proxytest.Proxy, addr string) bool {
	for _, n := range p.Pool.Nodes() {
		if n.Addr == addr {
			return true
		}
	}
	return false
}

// waitForgotten waits until no node names the removed one.
func waitForgotten(t *testing.T, c *redistest.Cluster, gone *redistest.Node) {
	t.Helper()
	ctx := testContext(t)
	for _, n := range c.Nodes() {
		eventually(t, n.Addr+" has forgotten the node", func() bool {
			text, err := n.Client().ClusterNodes(ctx).Result()
			return err == nil && !slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool { return strings.HasPrefix(line, gone.ID) })
		})
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}
