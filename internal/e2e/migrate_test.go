package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// migrationRound is pipelines on keys of one slot, which are the session's own, and of others. Each reply is determined, so
// that a reply lost, doubled, or out of its order, a write executed twice or before an earlier one, all show. What has several
// keys in the slot stands last of its slot: see TestOrderBehindKeysThatAreApart.
func migrationRound(c *proxytest.Client, session, round int) error {
	own := fmt.Sprintf("{mig}:%d:", session)
	id := fmt.Sprintf("%d-%d", session, round)
	var s [5]script
	for i := range 10 {
		s[0].add(integer(10*round+i+1), "INCR %sn", own)
	}
	s[0].add("+OK\r\n", "MSET %sa %s %sb %s", own, id, own, id)
	s[0].add(bulk(id), "ECHO %s", id)
	s[0].add("+OK\r\n", "SET elsewhere:%d %s", session, id)
	s[1].add(bulk(id), "GET %sb", own)
	s[1].add("*3\r\n"+bulk(id)+bulk(id)+bulk(fmt.Sprint(10*round+10)), "MGET %sa %sb %sn", own, own, own)
	s[1].add("+PONG\r\n", "PING")
	s[1].add(bulk(id), "GET elsewhere:%d", session)
	s[2].add("+OK\r\n", "SET %sc %s", own, id)
	s[2].add("*2\r\n"+bulk(id)+bulk(id), "MGET %sa elsewhere:%d", own, session)
	s[2].add(integer(1), "DEL %sc %snone", own, own)
	s[3].add("$-1\r\n", "GET %sc", own)
	s[3].add(integer(1), "RPUSH %sl %s", own, id)
	s[3].add(integer(2), "RPUSH %sl %s", own, id)
	s[3].add("*2\r\n$-1\r\n"+bulk(id), "MGET %sc %sa", own, own)
	for range 2 {
		s[4].add(bulk(id), "LPOP %sl", own)
	}
	s[4].add(integer(10*round+10), "INCRBY %sn 0", own)
	s[4].add(integer(2), "EXISTS %sl %sa %sa", own, own, own)
	s[4].add("+PONG\r\n", "PING")
	for i := range s {
		if err := s[i].play(c); err != nil {
			return fmt.Errorf("pipeline %d: %w", i, err)
		}
	}
	return nil
}

// canaryRound is one of single keys only, which no migration holds up for long.
func canaryRound(c *proxytest.Client, _, round int) error {
	var s script
	s.add(integer(round+1), "INCR {mig}:canary")
	s.add(bulk(fmt.Sprint(round+1)), "GET {mig}:canary")
	s.add("$-1\r\n", "GET {mig}:none")
	return s.play(c)
}

// TestSlotMigratesUnderLoad moves a slot with its keys, one key at a time, once around all primaries.
func TestSlotMigratesUnderLoad(t *testing.T) {
	const sessions, fill = 6, 100
	c, ctx := cluster.Get(t), testContext(t)
	slot := redistest.Slot("{mig}")
	home := c.OwnerOf(slot)
	cfg := proxytest.Config{}
	cfg.Backend.Lanes = 2
	p := start(t, c, cfg)
	d := proxytest.Connect(t, p.Addr)
	for i := range fill {
		d.Do("SET", fmt.Sprintf("{mig}:fill:%d", i), fmt.Sprint(i))
	}
	l, canary := startLoad(t, p.Addr, sessions, migrationRound), startLoad(t, p.Addr, 1, canaryRound)
	l.pass(5)
	from, moved := home, 0
	for _, to := range append(c.Primaries(), home) {
		if to == from {
			continue
		}
		err := c.MoveSlot(ctx, slot, from, to, func() {
			moved++
			canary.pass(1)
		})
		if err != nil {
			t.Fatal(err)
		}
		from = to
		l.pass(5)
	}
	l.end()
	canary.end()
	if from != home || moved < 3*fill {
		t.Errorf("%d keys moved, the slot ends at %s, began at %s", moved, from.Addr, home.Addr)
	}
	for i := range fill {
		if v := d.Do("GET", fmt.Sprintf("{mig}:fill:%d", i)); v.Str != fmt.Sprint(i) {
			t.Errorf("a key that moved along: %+v", v)
		}
	}
	for i := range sessions {
		n, err := home.Client().Get(ctx, fmt.Sprintf("{mig}:%d:n", i)).Int()
		if want := 10 * int(l.rounds[i].Load()); err != nil || n != want {
			t.Errorf("session %d has counted to %d, %v, want %d", i, n, err, want)
		}
	}
	for _, kind := range []string{"moved", "ask", "tryagain"} {
		n := redirects(t, p, kind)
		t.Logf("%d requests came back with %s", n, kind)
		if n == 0 {
			t.Errorf("no request came back with %s: the test did not test it", kind)
		}
	}
}

// opened is a slot that has begun to migrate, with a proxy in front.
type opened struct {
	cluster  *redistest.Cluster
	slot     uint16
	from, to *redistest.Node
	proxy    *proxytest.Proxy
}

// openSlot begins to migrate the slot of a hash tag, in which there are just the keys, with the value "old".
func openSlot(t *testing.T, tag string, keys ...string) *opened {
	t.Helper()
	c := cluster.Get(t)
	for _, n := range c.Primaries() {
		if err := n.Client().FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	o := &opened{cluster: c, slot: redistest.Slot(tag), to: c.Primaries()[0]}
	if o.from = c.OwnerOf(o.slot); o.from == o.to {
		o.to = c.Primaries()[1]
	}
	cfg := proxytest.Config{}
	cfg.Dispatcher.RedirectTimeout = proxytest.Patience
	o.proxy = start(t, c, cfg)
	for _, key := range keys {
		proxytest.Connect(t, o.proxy.Addr).Do("SET", key, "old")
	}
	t.Cleanup(func() { o.restore(t) })
	if err := c.BeginMigrate(testContext(t), o.slot, o.from, o.to); err != nil {
		t.Fatal(err)
	}
	return o
}

// restore gives the slot, without its keys, back to its owner, whatever became of the migration.
func (o *opened) restore(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	for _, n := range []*redistest.Node{o.from, o.to} {
		if err := n.Client().FlushAll(ctx).Err(); err != nil {
			t.Error(err)
		}
	}
	if err := o.cluster.AbortMigrate(ctx, o.slot, o.from, o.to); err != nil {
		t.Error(err)
	}
	if err := o.cluster.MoveSlot(ctx, o.slot, nil, o.from, nil); err != nil {
		t.Error(err)
	}
	if err := o.cluster.WaitReady(ctx); err != nil {
		t.Error(err)
	}
}

// move moves n keys.
func (o *opened) move(t *testing.T, n int) {
	t.Helper()
	if moved, err := o.cluster.MigrateKeys(testContext(t), o.slot, o.from, o.to, n); err != nil || moved != n {
		t.Fatalf("%d of %d keys moved: %v", moved, n, err)
	}
}

// finish gives the slot to its new owner.
func (o *opened) finish(t *testing.T) {
	t.Helper()
	if err := o.cluster.EndMigrate(testContext(t), o.slot, o.from, o.to); err != nil {
		t.Fatal(err)
	}
}

// TestNewKeysTogetherInAMigratingSlot: what no node takes as long as the slot migrates (the old one says ASK, the new one
// TRYAGAIN) is not given up before its time.
func TestNewKeysTogetherInAMigratingSlot(t *testing.T) {
	o := openSlot(t, "{new}")
	d := proxytest.Connect(t, o.proxy.Addr)
	d.Say("MSET {new}a 1 {new}b 2\r\nMGET {new}a {new}b\r\nPING\r\n")
	eventually(t, "it has been sent to and fro", func() bool { return redirects(t, o.proxy, "tryagain") > 8 })
	o.finish(t)
	for i, want := range []string{"+OK\r\n", "*2\r\n" + bulk("1") + bulk("2"), "+PONG\r\n"} {
		if got := d.Hear(); got != want {
			t.Errorf("reply %d is %q, want %q", i, got, want)
		}
	}
}

// TestOrderBehindKeysThatAreApart: while a command waits for its keys to come together, those behind it in the pipeline, on
// one of the keys, are not executed before it, once the proxy has learned that the slot is moving.
func TestOrderBehindKeysThatAreApart(t *testing.T) {
	o := openSlot(t, "{apart}", "{apart}a", "{apart}b")
	d := proxytest.Connect(t, o.proxy.Addr)
	o.move(t, 1)
	d.Say("MGET {apart}a {apart}b\r\n")
	if got, want := d.Hear(), "*2\r\n"+bulk("old")+bulk("old"); got != want {
		t.Fatalf("MGET of keys that are apart answers %q, want %q", got, want)
	}
	d.Say("MSET {apart}a new {apart}b new\r\nGET {apart}a\r\nGET {apart}b\r\nAPPEND {apart}a er\r\nAPPEND {apart}b er\r\nPING\r\n")
	eventually(t, "it has been tried again", func() bool { return redirects(t, o.proxy, "tryagain") > 2 })
	o.move(t, 1)
	o.finish(t)
	for i, want := range []string{"+OK\r\n", bulk("new"), bulk("new"), integer(5), integer(5), "+PONG\r\n"} {
		if got := d.Hear(); got != want {
			t.Errorf("reply %d is %q, want %q", i, got, want)
		}
	}
}
