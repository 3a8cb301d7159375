package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// awaitBlocked waits until n clients of the proxy are blocked, or one of the numbers in or.
func awaitBlocked(t *testing.T, d *proxytest.Dialog, n int, or ...int) {
	t.Helper()
	eventually(t, fmt.Sprint(append(or, n), " blocked clients"), func() bool { return blocked(d, append(or, n)...) })
}

// blocked reports whether so many clients of the proxy are blocked, one of the numbers.
func blocked(d *proxytest.Dialog, numbers ...int) bool {
	info := d.Do("INFO", "clients").Str
	return slices.ContainsFunc(numbers, func(n int) bool {
		return strings.Contains(info, fmt.Sprintf("\nblocked_clients:%d\r\n", n))
	})
}

// awaitBlockedAt waits until n clients are blocked at a node, where '$' has got its meaning. The proxy calls them blocked as soon as it
// sends what they say.
func awaitBlockedAt(t *testing.T, node *redistest.Node, n int) {
	t.Helper()
	eventually(t, fmt.Sprint(n, " clients are blocked at ", node.Addr), func() bool {
		info, err := node.Client().Info(t.Context(), "clients").Result()
		return err == nil && strings.Contains(info, fmt.Sprintf("\nblocked_clients:%d\r\n", n))
	})
}

// blockMany connects so many clients and has each say what say returns.
func blockMany(t *testing.T, addr string, n int, say func(i int) []string) []*proxytest.Dialog {
	t.Helper()
	clients := make([]*proxytest.Dialog, n)
	for i := range clients {
		clients[i] = proxytest.Connect(t, addr)
		if err := clients[i].SendCommand(say(i)...); err != nil {
			t.Fatal(err)
		}
	}
	return clients
}

// wantPopped reads from each client the element that was pushed for it.
func wantPopped(t *testing.T, clients []*proxytest.Dialog, want func(i int) string) {
	t.Helper()
	for i, c := range clients {
		if v, err := c.Read(); err != nil || len(v.Elems) != 2 || v.Elems[1].Str != want(i) {
			t.Errorf("client %d: %+v, %v; want %s", i, v, err, want(i))
		}
	}
}

// pushForEach pushes one element for each client, all at once, which is the client's key, and has them read.
func pushForEach(t *testing.T, d *proxytest.Dialog, clients []*proxytest.Dialog, key func(i int) string) {
	t.Helper()
	for i := range clients {
		if err := d.SendCommand("RPUSH", key(i), key(i)); err != nil {
			t.Fatal(err)
		}
	}
	for range clients {
		if v, err := d.Read(); err != nil || v.Int > 1 {
			t.Fatalf("RPUSH: %+v, %v", v, err)
		}
	}
	wantPopped(t, clients, key)
}

// blockThroughFailover has clients block at all primaries while one of them is replaced, one of them for a limited time.
func blockThroughFailover(t *testing.T, limit time.Duration, replace func(victim *redistest.Node)) {
	const n = 100
	c := breakable.Get(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	key := func(i int) string { return fmt.Sprintf("%s:%d", t.Name(), i) }
	clients := blockMany(t, p.Addr, n, func(i int) []string { return []string{"BLPOP", key(i), "0"} })
	victim := c.OwnerOf(redistest.Slot(key(0)))
	awaitBlocked(t, d, n)
	begin := time.Now()
	limited := blockMany(t, p.Addr, 1, func(int) []string { return []string{"BLPOP", "{" + key(0) + "}none", fmt.Sprint(limit.Seconds())} })[0]
	for !blocked(d, n+1) && time.Since(begin) < limit { // on a slow machine it may be over so soon
		time.Sleep(time.Millisecond)
	}
	replace(victim)
	takeOver(t, c, redistest.Slot(key(0)), victim)
	awaitBlocked(t, d, n+1, n) // the limited one has its answer if this took long
	for i := range n {
		if v := d.Do("RPUSH", key(i), key(i)); v.Kind != ':' || v.Int > 1 {
			t.Errorf("RPUSH: %+v", v)
		}
	}
	wantPopped(t, clients, key)
	if v, err := limited.Read(); err != nil || !v.Null {
		t.Errorf("the limited one: %+v, %v", v, err)
	}
	if took := time.Since(begin); took < limit {
		t.Errorf("the limited one was answered after %v", took)
	} else {
		t.Logf("a wait of %v took %v", limit, took)
	}
}

// TestBlockedThroughDeath: the primary dies, and its clients wait on at the new one.
func TestBlockedThroughDeath(t *testing.T) {
	var victim *redistest.Node
	blockThroughFailover(t, 4*time.Second, func(n *redistest.Node) { victim = n; n.Kill() })
	if err := victim.Restart(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := breakable.Get(t).WaitReady(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

// TestBlockedThroughFailover: the primary becomes a replica, and sends its blocked clients away.
func TestBlockedThroughFailover(t *testing.T) {
	ctx := testContext(t)
	blockThroughFailover(t, 2*time.Second, func(n *redistest.Node) {
		if _, err := breakable.Get(t).Failover(ctx, n); err != nil {
			t.Fatal(err)
		}
	})
	if err := breakable.Get(t).WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestBlockedWhileTheSlotMigrates: clients of a list and of a stream wait on at the new node, and '$' means what it meant.
func TestBlockedWhileTheSlotMigrates(t *testing.T) {
	const n = 20
	c, ctx := cluster.Get(t), testContext(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	list, stream := "{blocked}list", "{blocked}stream"
	slot := redistest.Slot(list)
	home := c.OwnerOf(slot)
	d.Do("DEL", list, stream)
	d.Do("XADD", stream, "5-0", "f", "before")
	lists := blockMany(t, p.Addr, n, func(int) []string { return []string{"BLPOP", list, "0"} })
	streams := blockMany(t, p.Addr, n, func(int) []string { return []string{"XREAD", "BLOCK", "0", "STREAMS", stream, "$"} })
	awaitBlocked(t, d, 2*n)
	awaitBlockedAt(t, home, 2*n)
	for _, to := range c.Primaries() {
		if to == home {
			continue
		}
		from := c.OwnerOf(slot)
		if err := c.BeginMigrate(ctx, slot, from, to); err != nil {
			t.Fatal(err)
		}
		if _, err := c.MigrateKeys(ctx, slot, from, to, 10); err != nil {
			t.Fatal(err)
		}
		if streams != nil {
			if v := d.Do("XADD", stream, "*", "f", "after"); v.Kind != '$' {
				t.Fatalf("XADD: %+v", v)
			}
		}
		if err := c.EndMigrate(ctx, slot, from, to); err != nil {
			t.Fatal(err)
		}
		for i, s := range streams {
			if v, err := s.Read(); err != nil || len(v.Elems) != 1 || !strings.Contains(fmt.Sprint(v.Elems), "after") {
				t.Errorf("stream client %d: %+v, %v", i, v, err)
			}
		}
		streams = nil
	}
	awaitBlocked(t, d, n)
	for i := range n {
		d.Do("RPUSH", list, strconv.Itoa(i))
	}
	seen := make(map[string]bool)
	for i, l := range lists {
		v, err := l.Read()
		if err != nil || len(v.Elems) != 2 || seen[v.Elems[1].Str] {
			t.Fatalf("list client %d: %+v, %v", i, v, err)
		}
		seen[v.Elems[1].Str] = true
	}
	if err := c.MoveSlot(ctx, slot, nil, home, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestManyBlocked: more clients than connections that are kept, all at once.
func TestManyBlocked(t *testing.T) {
	const n = 1500
	p := start(t, cluster.Get(t), proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	key := func(i int) string { return fmt.Sprintf("%s:%d", t.Name(), i) }
	clients := blockMany(t, p.Addr, n, func(i int) []string { return []string{"BRPOP", key(i), "0"} })
	awaitBlocked(t, d, n)
	if v := d.Do("PING"); v.Str != "PONG" {
		t.Errorf("%+v", v)
	}
	pushForEach(t, d, clients, key)
}
