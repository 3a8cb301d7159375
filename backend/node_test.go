package backend

import (
	"strings"
	"sync"
	"testing"

	"redis-cluster-proxy/internal/redistest"
)

// TestLanes checks which lane a session gets: always the same, its profile's.
func TestLanes(t *testing.T) {
	p := NewPool(Config{Lanes: 3})
	defer p.Close()
	n := p.Node("127.0.0.1:1")
	if p.Node("127.0.0.1:1") != n || p.Node("127.0.0.1:2") == n {
		t.Error("a node is not its address")
	}
	if len(p.Nodes()) != 2 {
		t.Errorf("%d nodes, want 2", len(p.Nodes()))
	}
	plain, readOnly := MakeProfile(Profile{}), MakeProfile(Profile{ReadOnly: true})
	seen := make(map[*TaskRunner]bool)
	for seed := range uint32(6) {
		lane := n.Lane(plain, seed)
		if lane != n.Lane(MakeProfile(Profile{}), seed+3) || lane.Node() != n {
			t.Errorf("seed %d has no lane of its own", seed)
		}
		seen[lane] = true
		seen[n.Lane(readOnly, seed)] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d lanes for 2 profiles, want 6", len(seen))
	}
	var wg sync.WaitGroup
	lanes := make([]*TaskRunner, 8)
	for i := range lanes {
		wg.Go(func() { lanes[i] = n.Lane(MakeProfile(Profile{DB: 5}), 1) })
	}
	wg.Wait()
	for _, lane := range lanes {
		if lane != lanes[0] {
			t.Fatal("two lanes for one profile and seed")
		}
	}
}

func TestDefaults(t *testing.T) {
	p := NewPool(Config{})
	defer p.Close()
	if p.cfg.Lanes < 1 || p.cfg.ConnectTimeout <= 0 {
		t.Errorf("defaults: %+v", p.cfg)
	}
}

// TestStats counts what a lane has seen.
func TestStats(t *testing.T) {
	held := make(chan struct{})
	node := redistest.StartScript(t, redistest.Conversation(
		redistest.ExpectN(3), redistest.Reply("+OK\r\n-ERR x\r\n-MOVED 1 h:1\r\n"), redistest.ExpectN(1), redistest.Await(held), redistest.Reply("+OK\r\n")))
	p := startPool(t, Config{})
	lane := p.lane(node.Addr, Profile{Proto: 3, ReadOnly: true})
	n := lane.node
	if s := n.Stats(); s != (LaneStats{}) || n.InFlight() != 0 {
		t.Errorf("before all: %+v", s)
	}
	c := newCaller(t)
	calls := threeCalls(c)
	send(t, lane, calls...)
	for _, k := range calls {
		k.wait(t)
	}
	last := c.call("GET", "k")
	send(t, lane, last)
	s := n.Stats()
	if s.Node.Count() != 3 || s.Total.Count() != 3 || s.Errors != 2 || s.Connects != 1 || s.ConnectFailures != 0 || s.Losses != 0 {
		t.Errorf("after three replies: %+v", s)
	}
	if s.Total.Sum < s.Node.Sum || s.Node.Sum == 0 {
		t.Errorf("the node took %d ns of %d", s.Node.Sum, s.Total.Sum)
	}
	if s.Connected != 1 || s.InFlight != 1 || n.InFlight() != 1 {
		t.Errorf("gauges: %d connected, %d in flight", s.Connected, s.InFlight)
	}
	var text strings.Builder
	n.Describe(&text)
	for _, part := range []string{node.Addr, "proto=3", "readonly=true", "state=up", "in-flight=1", "connects=1"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("%q does not say %q", text.String(), part)
		}
	}
	close(held)
	last.wantReply(t, "+OK\r\n")
	sum := n.Stats()
	sum.Add(&s)
	if sum.Errors != 4 || sum.Node.Count() != 7 || sum.Node.Sum <= s.Node.Sum || sum.Connects != 2 || sum.Connected != 2 || sum.InFlight != 1 {
		t.Errorf("the sum: %+v", sum)
	}
}

func TestHistogram(t *testing.T) {
	for _, tt := range []struct {
		ns     int64
		bucket int
	}{
		{-5, 0}, {0, 0}, {1, 0}, {BucketBound(0) - 1, 0}, {BucketBound(0), 1}, {BucketBound(1) - 1, 1}, {BucketBound(1), 2},
		{BucketBound(NumBuckets-2) - 1, NumBuckets - 2}, {BucketBound(NumBuckets - 2), NumBuckets - 1}, {1 << 62, NumBuckets - 1},
	} {
		var h Histogram
		h.Observe(tt.ns)
		if h.Counts[tt.bucket] != 1 || h.Count() != 1 || h.Sum != uint64(max(tt.ns, 0)) {
			t.Errorf("%d ns: %+v, want one in bucket %d", tt.ns, h, tt.bucket)
		}
	}
}
