package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// ack is a write that was acknowledged.
type ack struct {
	n        int // it set key n of its session
	sent, at time.Time
}

// ledger is what the sessions of a load were told about their writes. Each key is written once, so that what became of
// each write can be seen afterwards.
type ledger struct {
	// Set at construction.
	name string

	mu sync.Mutex
	// Guarded by mu.
	acks    [][]ack // by session
	unknown int     // answers UNKNOWNRESULT
	gap     time.Duration
}

func newLedger(name string, sessions int) *ledger {
	return &ledger{name: name, acks: make([][]ack, sessions)}
}

func (lg *ledger) key(session, n int) string { return fmt.Sprintf("%s:%d:%d", lg.name, session, n) }

// write is a round of a load. UNKNOWNRESULT is the one error that a client has to expect.
func (lg *ledger) write(c *proxytest.Client, session, round int) error {
	sent := time.Now()
	v, err := c.Do("SET", lg.key(session, round), fmt.Sprint(round))
	now := time.Now()
	lg.mu.Lock()
	defer lg.mu.Unlock()
	lg.gap = max(lg.gap, now.Sub(sent))
	switch {
	case err != nil:
		return err
	case v.Kind == '+' && v.Str == "OK":
		lg.acks[session] = append(lg.acks[session], ack{round, sent, now})
	case v.Kind == '-' && strings.HasPrefix(v.Str, "UNKNOWNRESULT "):
		lg.unknown++
	default:
		return fmt.Errorf("SET: %+v", v)
	}
	return nil
}

// read is a round of a load of reads, none of which may fail or be wrong.
func readRound(c *proxytest.Client, session, round int) error {
	key := fmt.Sprintf("fixed:%d", (session*7+round)%60)
	v, err := c.Do("GET", key)
	if err == nil && v.Str != key {
		err = fmt.Errorf("GET %s: %+v", key, v)
	}
	return err
}

// sizeRound is a round of a load that asks all primaries. A primary that is lost makes it wait, and is never left out
// of the sum: there are 60 keys at least.
func sizeRound(c *proxytest.Client, _, _ int) error {
	v, err := c.Do("DBSIZE")
	if err == nil && (v.Kind != ':' || v.Int < 60) {
		err = fmt.Errorf("DBSIZE: %+v", v)
	}
	return err
}

// lost returns, by session, which acknowledged writes cannot be read any more.
func (lg *ledger) lost(t *testing.T, d *proxytest.Dialog) (lost [][]ack) {
	t.Helper()
	lost = make([][]ack, len(lg.acks))
	for session, acks := range lg.acks {
		for len(acks) > 0 {
			some := acks[:min(len(acks), 500)]
			acks = acks[len(some):]
			args := []string{"MGET"}
			for _, a := range some {
				args = append(args, lg.key(session, a.n))
			}
			v := d.Do(args...)
			if len(v.Elems) != len(some) {
				t.Fatalf("MGET: %.200v", v)
			}
			for i, e := range v.Elems {
				switch {
				case e.Null:
					lost[session] = append(lost[session], some[i])
				case e.Str != fmt.Sprint(some[i].n):
					t.Errorf("%s is %q", lg.key(session, some[i].n), e.Str)
				}
			}
		}
	}
	return lost
}

// replicationLag is for how long before its primary's end an acknowledged write may not have reached the replica.
// Replication takes less than a millisecond here; the bound is for a machine that stands still now and then.
const replicationLag = 5 * time.Second

// failOver breaks a primary under load, waits until its replica serves in its place, and checks what the clients saw: those
// of a proxy of default settings, and those of one that sends writes again where that does no harm.
func failOver(t *testing.T, breakIt, mendIt func(*redistest.Node) error) {
	const writers, readers = 4, 3
	c, ctx := breakable.Get(t), testContext(t)
	cfg := proxytest.Config{}
	cfg.Dispatcher.RedirectTimeout = proxytest.Patience // a slow machine's failover
	p := start(t, c, cfg)
	cfg.Dispatcher.RetryIdempotent = true
	insistent := start(t, c, cfg)
	d := proxytest.Connect(t, p.Addr)
	setEverywhere(t, c, d, "fixed:", 60)

	once, again := newLedger("once", writers), newLedger("again", writers)
	loads := []*load{
		startLoad(t, p.Addr, writers, once.write),
		startLoad(t, insistent.Addr, writers, again.write),
		startLoad(t, p.Addr, readers, readRound),
		startLoad(t, p.Addr, 1, sizeRound),
	}
	passAll(loads, 50)
	victim := c.Primaries()[0]
	owned := shardOf(t, c, victim)
	const script = "return 'ran at ' .. KEYS[1]"
	d.Do("SCRIPT", "LOAD", script)
	onAllNodes(t, c, "SCRIPT", "FLUSH") // what takes over has never seen it
	end := outage{from: time.Now()}
	if err := breakIt(victim); err != nil {
		t.Fatal(err)
	}
	end.to = time.Now()
	takeOver(t, c, owned.first, victim)
	t.Logf("the cluster took %v to fail over", time.Since(end.to))
	passAll(loads, 50) // by themselves
	for i := range 60 {
		key := fmt.Sprintf("fixed:%d", i)
		if v := d.Do("EVALSHA", digest(script), "1", key); v.Str != "ran at "+key {
			t.Errorf("EVALSHA after the failover: %+v", v)
		}
	}
	for _, l := range loads {
		l.end()
	}
	for _, lg := range []*ledger{once, again} {
		lg.check(t, d, owned, end)
	}
	if again.unknown > 0 {
		t.Errorf("%d unknown results of writes that may be sent again", again.unknown)
	}
	if once.unknown > 3*writers { // one for each time that a session's request was cut off
		t.Errorf("%d unknown results of %d sessions", once.unknown, writers)
	}
	if err := mendIt(victim); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

func passAll(loads []*load, n int) {
	for _, l := range loads {
		l.pass(n)
	}
}

// outage is when a primary was broken: not before from, and not behind to.
type outage struct{ from, to time.Time }

// check looks for writes that were acknowledged and are gone.
//
// Redis replicates after it acknowledges. So a write that the primary acknowledged right before its end may be lost with it,
// and no proxy can help that. What can be told apart is where a write was lost, because replication keeps the order: what the
// replica did not get is the last of what the primary executed. A session's lost writes to that shard must therefore be
// without a surviving one among them, and acknowledged right before the end; no other may be lost, and none of another shard.
func (lg *ledger) check(t *testing.T, d *proxytest.Dialog, owned shard, end outage) {
	t.Helper()
	total, acked := 0, 0
	for session, lost := range lg.lost(t, d) {
		total += len(lost)
		acked += len(lg.acks[session])
		for i, a := range lost {
			switch key := lg.key(session, a.n); {
			case !owned.has(key):
				t.Errorf("%s, of another shard, is lost", key)
			case a.at.Before(end.from.Add(-replicationLag)), a.sent.After(end.to):
				t.Errorf("%s, sent %v and acknowledged %v after the end of its primary, is lost", key, a.sent.Sub(end.to), a.at.Sub(end.to))
			}
			if i > 0 {
				lg.survivors(t, session, lost[i-1].n, a.n, owned)
			}
		}
	}
	t.Logf("%s: longest wait for an answer %v, %d unknown results; of %d acknowledged writes %d had not reached the replica",
		lg.name, lg.gap, lg.unknown, acked, total)
}

// survivors reports writes to the lost shard that were acknowledged between two lost ones of a session, and kept.
func (lg *ledger) survivors(t *testing.T, session, from, to int, owned shard) {
	t.Helper()
	for _, a := range lg.acks[session] {
		if key := lg.key(session, a.n); a.n > from && a.n < to && owned.has(key) {
			t.Errorf("%s was kept, and writes before and after it were lost", key)
		}
	}
}

// shard is a run of slots that stay together, whoever serves them.
type shard struct{ first, last uint16 }

// shardOf returns the shard that the node serves: each has an equal share of all slots, in their order.
func shardOf(t *testing.T, c *redistest.Cluster, n *redistest.Node) shard {
	t.Helper()
	const shards = 3
	for i := range shards {
		s := shard{uint16(i * redistest.NumSlots / shards), uint16((i+1)*redistest.NumSlots/shards - 1)}
		if c.OwnerOf(s.first) == n && c.OwnerOf(s.last) == n {
			return s
		}
	}
	t.Fatalf("%s serves no shard", n.Addr)
	return shard{}
}

func (s shard) has(key string) bool {
	slot := redistest.Slot(key)
	return s.first <= slot && slot <= s.last
}

func TestPrimaryIsKilledUnderLoad(t *testing.T) {
	ctx := testContext(t)
	failOver(t,
		func(n *redistest.Node) error { n.Kill(); return nil },
		func(n *redistest.Node) error { return n.Restart(ctx) })
}

// TestPrimaryStandsStillUnderLoad: its connections stay open, and accept more.
func TestPrimaryStandsStillUnderLoad(t *testing.T) {
	failOver(t, (*redistest.Node).Stop, (*redistest.Node).Cont)
}

// TestReplicaGoesUnderReads: what it was asked is asked again elsewhere, also when it stands still with its connections open.
func TestReplicaGoesUnderReads(t *testing.T) {
	c, ctx := breakable.Get(t), testContext(t)
	cfg := proxytest.Config{ReloadInterval: 300 * time.Millisecond}
	cfg.Dispatcher.ReadPrefer = dispatcher.PreferReplica
	cfg.Dispatcher.RedirectTimeout = proxytest.Patience
	p := start(t, c, cfg)
	setEverywhere(t, c, proxytest.Connect(t, p.Addr), "fixed:", 60)
	victim := c.ReplicasOf(c.Primaries()[0])[0]
	if err := c.SetNodeTimeout(ctx, time.Second); err != nil { // who stands still is to be called dead
		t.Fatal(err)
	}
	l := startLoad(t, p.Addr, 4, readRound)
	for _, step := range []func() error{
		func() error { victim.Kill(); return nil },
		func() error { return victim.Restart(ctx) },
		victim.Stop,
		victim.Cont,
	} {
		l.pass(50)
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	l.pass(50)
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	before := calls(t, victim, "get")
	eventually(t, "the replica answers reads again", func() bool { return calls(t, victim, "get") > before })
	l.end()
}
