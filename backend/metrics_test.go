package backend_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// outcome is a backend.Handler that tells a test what became of its task.
type outcome chan error

func (o outcome) Replied(run []backend.Reply, _ *backend.Chunk) backend.Flusher {
	for range run {
		o <- nil
	}
	return nil
}

func (o outcome) Failed(_ *backend.Task, err *backend.LostError) backend.Flusher {
	o <- err
	return nil
}

// scrapeTimeout is how long a test waits for what has to happen.
const scrapeTimeout = time.Minute

func (o outcome) await(t *testing.T) {
	t.Helper()
	select {
	case err := <-o:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(scrapeTimeout):
		t.Fatal("no outcome")
	}
}

// ask gives the node a task and returns where its outcome will be told.
func ask(t *testing.T, n *backend.Node, args ...string) outcome {
	t.Helper()
	o := make(outcome, 1)
	lane := n.Lane(backend.MakeProfile(backend.Profile{}), 0)
	if !lane.Enqueue(&backend.Task{Wire: resp.AppendCommand(nil, args...), Handler: o, Start: backend.Now()}) {
		t.Fatalf("%s refused a task", n.Addr)
	}
	lane.Flush()
	return o
}

// scraped are figures of a pool: replies are those that the histograms hold.
type scraped struct {
	replies, nodeReplies uint64
	series               map[string]float64 // name and node
}

// scrape collects from p under the eyes of a registry that finds series collected twice.
func scrape(t *testing.T, p *backend.Pool) scraped {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(p)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	s := scraped{series: map[string]float64{}}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "redis_cluster_proxy_request_duration_seconds":
				s.replies = m.GetHistogram().GetSampleCount()
			case "redis_cluster_proxy_node_duration_seconds":
				s.nodeReplies = m.GetHistogram().GetSampleCount()
			default:
				s.series[f.GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return s
}

// TestNodesThatLeaveKeepTheirCounts drops a node while it owes a reply, and meets the same address again.
func TestNodesThatLeaveKeepTheirCounts(t *testing.T) {
	c := redistest.StartFakeCluster(t, redistest.Primaries(2), redistest.Replicas(0))
	pool := backend.NewPool(backend.Config{Lanes: 2, ConnectTimeout: scrapeTimeout})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go runPool(ctx, pool, ended)
	defer func() {
		cancel()
		<-ended
	}()

	stays, leaves := pool.Node(c.Addrs()[0]), pool.Node(c.Addrs()[1])
	ask(t, stays, "PING").await(t)
	for range 3 {
		ask(t, leaves, "PING").await(t)
	}
	c.Node(1).HoldReplies()
	last := ask(t, leaves, "PING")
	inFlight := "redis_cluster_proxy_node_in_flight_requests " + leaves.Addr
	for round := range 2 { // dropping it again changes nothing
		pool.Drop(leaves)
		if s := scrape(t, pool); s.replies != 4 || s.nodeReplies != 4 || s.series[inFlight] != 1 {
			t.Errorf("drop %d, while it drains: %+v, want 4 replies and one request in flight", round, s)
		}
	}
	c.Node(1).ReleaseReplies()
	last.await(t)
	eventually(t, func() error {
		s := scrape(t, pool)
		if s.replies != 5 || s.nodeReplies != 5 {
			t.Fatalf("it has left: %+v, want 5 replies", s)
		}
		if _, found := s.series[inFlight]; found {
			return fmt.Errorf("the series of %s stay: %v", leaves.Addr, s.series)
		}
		return nil
	})
	pool.Drop(leaves)

	back := pool.Node(leaves.Addr)
	ask(t, back, "PING").await(t)
	if s := scrape(t, pool); s.replies != 6 || s.series["redis_cluster_proxy_node_replies_total "+back.Addr] != 1 {
		t.Errorf("it is back: %+v, want 6 replies, one of them its own", s)
	}
	pool.Drop(back)
	again := pool.Node(leaves.Addr) // at once, perhaps while the former drains
	ask(t, again, "PING").await(t)
	if s := scrape(t, pool); s.replies != 7 || s.nodeReplies != 7 {
		t.Errorf("two of one address: %+v, want 7 replies", s)
	}
}

func runPool(ctx context.Context, p *backend.Pool, ended chan<- struct{}) {
	p.Run(ctx)
	close(ended)
}

// eventually calls check until it returns nil, and fails the test with its last error when that takes too long.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(scrapeTimeout); ; <-tick.C {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestDurationsInSeconds checks the buckets of the scraped histogram against those that count.
func TestDurationsInSeconds(t *testing.T) {
	c := redistest.StartFakeCluster(t, redistest.Primaries(1), redistest.Replicas(0))
	pool := backend.NewPool(backend.Config{ConnectTimeout: scrapeTimeout})
	defer pool.Close()
	n := pool.Node(c.Addrs()[0])
	ask(t, n, "PING").await(t)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(pool)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	own := n.Stats().Total
	for _, f := range families {
		if f.GetName() != "redis_cluster_proxy_request_duration_seconds" {
			continue
		}
		h := f.GetMetric()[0].GetHistogram()
		if got, want := h.GetSampleSum(), float64(own.Sum)/1e9; got != want || got <= 0 {
			t.Errorf("sum %v s, want %v s", got, want)
		}
		if len(h.GetBucket()) != backend.NumBuckets-1 {
			t.Fatalf("%d buckets besides +Inf, want %d", len(h.GetBucket()), backend.NumBuckets-1)
		}
		var below uint64
		for i, b := range h.GetBucket() {
			below += own.Counts[i]
			if bound := float64(backend.BucketBound(i)) / 1e9; b.GetUpperBound() != bound || b.GetCumulativeCount() != below {
				t.Errorf("bucket %d: %d up to %v s, want %d up to %v s", i, b.GetCumulativeCount(), b.GetUpperBound(), below, bound)
			}
		}
		return
	}
	t.Error("no histogram was collected")
}
