package e2e

import (
	"fmt"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// slotWaiters are clients that wait for keys in several slots: each for one of its own and one of the slot at stake.
type slotWaiters struct {
	t       *testing.T
	cluster *redistest.Cluster
	d       *proxytest.Dialog
	n       int
}

func (w *slotWaiters) own(i int) string   { return fmt.Sprintf("%s:%d", w.t.Name(), i) }
func (w *slotWaiters) stake(i int) string { return fmt.Sprintf("{%s}%d", w.t.Name(), i) }
func (w *slotWaiters) slot() uint16       { return redistest.Slot(w.stake(0)) }

// begin blocks n clients of the proxy, pops and reads in turn.
func (w *slotWaiters) begin(addr string) []*proxytest.Dialog {
	w.t.Helper()
	w.d = proxytest.Connect(w.t, addr)
	for i := range w.n {
		w.d.Do("DEL", w.own(i), w.stake(i))
	}
	clients := blockMany(w.t, addr, w.n, func(i int) []string {
		if i%2 == 0 {
			return []string{"BLPOP", w.own(i), w.stake(i), "0"}
		}
		return []string{"XREAD", "BLOCK", "0", "STREAMS", w.own(i), w.stake(i), "$", "$"}
	})
	awaitBlocked(w.t, w.d, w.n)
	return clients
}

// serve pushes for each client into the slot at stake, by push, and hears what it got.
func (w *slotWaiters) serve(clients []*proxytest.Dialog, push func(args ...string)) {
	w.t.Helper()
	for i, c := range clients {
		if i%2 == 0 {
			push("RPUSH", w.stake(i), "v")
		} else {
			push("XADD", w.stake(i), "9-9", "f", "v")
		}
		v, err := c.Read()
		for len(v.Elems) > 0 && v.Elems[0].Kind == '*' { // of XREAD: the stream, within what there is
			v = v.Elems[0]
		}
		if err != nil || len(v.Elems) != 2 || v.Elems[0].Str != w.stake(i) {
			w.t.Errorf("client %d: %+v, %v", i, v, err)
		}
	}
}

func (w *slotWaiters) throughProxy(args ...string) {
	if v := w.d.Do(args...); v.Kind == '-' {
		w.t.Errorf("%q: %s", args, v.Str)
	}
}

// atOwner pushes at the node itself, so that the proxy meets no redirect.
func (w *slotWaiters) atOwner(args ...string) {
	all := make([]any, len(args))
	for i := range args {
		all[i] = args[i]
	}
	if err := w.cluster.OwnerOf(w.slot()).Client().Do(w.t.Context(), all...).Err(); err != nil {
		w.t.Errorf("%q: %v", args, err)
	}
}

// TestClaimsOutliveTheirConnections: the nodes cut all of the proxy's connections.
func TestClaimsOutliveTheirConnections(t *testing.T) {
	c := cluster.Get(t)
	w := &slotWaiters{t: t, cluster: c, n: 10}
	clients := w.begin(start(t, c, proxytest.Config{}).Addr)
	for _, n := range c.Primaries() {
		if err := n.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
			t.Fatal(err)
		}
	}
	w.serve(clients, w.atOwner)
}

// TestClaimsFollowTheirSlot that moves without the proxy's knowing, and back.
func TestClaimsFollowTheirSlot(t *testing.T) {
	c, ctx := cluster.Get(t), testContext(t)
	cfg := proxytest.Config{ReloadInterval: time.Hour}
	w := &slotWaiters{t: t, cluster: c, n: 10}
	p := start(t, c, cfg)
	home := c.OwnerOf(w.slot())
	from := home
	for _, to := range append(c.Primaries(), home) {
		if to == from {
			continue
		}
		clients := w.begin(p.Addr)
		if err := c.MoveSlot(ctx, w.slot(), from, to, nil); err != nil {
			t.Fatal(err)
		}
		w.serve(clients, w.atOwner)
		from = to
	}
}

// TestClaimsOfASlotThatMoves are served from the node to which it moves: there new keys come into being.
func TestClaimsOfASlotThatMoves(t *testing.T) {
	c, ctx := cluster.Get(t), testContext(t)
	w := &slotWaiters{t: t, cluster: c, n: 10}
	p := start(t, c, proxytest.Config{})
	from := c.OwnerOf(w.slot())
	to := c.Primaries()[0]
	if to == from {
		to = c.Primaries()[1]
	}
	clients := w.begin(p.Addr)
	if err := c.BeginMigrate(ctx, w.slot(), from, to); err != nil {
		t.Fatal(err)
	}
	w.serve(clients, w.throughProxy)
	w.serve(w.begin(p.Addr), w.throughProxy) // who comes now
	clients = w.begin(p.Addr)
	if err := c.AbortMigrate(ctx, w.slot(), from, to); err != nil {
		t.Fatal(err)
	}
	w.serve(clients, w.atOwner)
}

// TestClaimsThroughFailover: the primary becomes a replica.
func TestClaimsThroughFailover(t *testing.T) {
	c, ctx := breakable.Get(t), testContext(t)
	w := &slotWaiters{t: t, cluster: c, n: 10}
	clients := w.begin(start(t, c, proxytest.Config{}).Addr)
	if _, err := c.Failover(ctx, c.OwnerOf(w.slot())); err != nil {
		t.Fatal(err)
	}
	w.serve(clients, w.throughProxy)
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestClaimsThroughDeath: what comes to the other keys is served meanwhile, and the rest when a replica has taken over.
func TestClaimsThroughDeath(t *testing.T) {
	c, ctx := breakable.Get(t), testContext(t)
	w := &slotWaiters{t: t, cluster: c, n: 10}
	cfg := proxytest.Config{}
	cfg.Dispatcher.RedirectTimeout = proxytest.Patience
	clients := w.begin(start(t, c, cfg).Addr)
	victim := c.OwnerOf(w.slot())
	var alive string
	for i := 0; alive == ""; i += 2 {
		if i == w.n {
			t.Fatal("all keys are at one node")
		}
		if c.OwnerOf(redistest.Slot(w.own(i))) != victim {
			alive = w.own(i)
			clients[0], clients[i] = clients[i], clients[0]
		}
	}
	victim.Kill()
	w.throughProxy("RPUSH", alive, "v")
	if v, err := clients[0].Read(); err != nil || len(v.Elems) != 2 || v.Elems[0].Str != alive {
		t.Errorf("%+v, %v", v, err)
	}
	takeOver(t, c, w.slot(), victim)
	for i := 1; i < w.n; i += 2 { // streams; one of the lists is served already
		w.throughProxy("XADD", w.stake(i), "9-9", "f", "v")
		if v, err := clients[i].Read(); err != nil || len(v.Elems) != 1 {
			t.Errorf("client %d: %+v, %v", i, v, err)
		}
	}
	if err := victim.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestManyClaims: many clients wait for many keys, and cost the nodes a connection each.
func TestManyClaims(t *testing.T) {
	const n = 1000
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	key := func(i int) string { return fmt.Sprintf("%s:%d", t.Name(), i) }
	for i := range n {
		d.Do("DEL", key(i))
	}
	clients := blockMany(t, p.Addr, n, func(i int) []string { return []string{"BRPOP", key(i), t.Name() + ":none", "0"} })
	awaitBlocked(t, d, n)
	for _, node := range c.Primaries() {
		if s := p.Pool.Node(node.Addr).Stats(); s.Connected > 30 {
			t.Errorf("%d connections to %s", s.Connected, node.Addr)
		}
	}
	pushForEach(t, d, clients, key)
}
