package backend

import (
	"fmt"
	"io"
	"maps"
	"math/bits"
	"slices"
	"time"

	"redis-cluster-proxy/resp"
)

// NumBuckets is the number of a Histogram's buckets.
const NumBuckets = 20

// firstBucketBits makes the first bucket end at 2^14 ns, about 16 µs.
const firstBucketBits = 14

// Histogram counts durations in buckets whose bounds double.
type Histogram struct {
	Counts [NumBuckets]uint64 // the last one has no upper bound
	Sum    uint64             // nanoseconds
}

// BucketBound returns the upper bound of bucket i in nanoseconds.
func BucketBound(i int) int64 { return 1 << (firstBucketBits + i) }

// Observe counts one duration of ns nanoseconds.
func (h *Histogram) Observe(ns int64) {
	ns = max(ns, 0)
	i := max(bits.Len64(uint64(ns))-firstBucketBits, 0)
	h.Counts[min(i, NumBuckets-1)]++
	h.Sum += uint64(ns)
}

// Add adds o to h.
func (h *Histogram) Add(o *Histogram) {
	for i, n := range o.Counts {
		h.Counts[i] += n
	}
	h.Sum += o.Sum
}

// Count returns the number of durations.
func (h *Histogram) Count() uint64 {
	var sum uint64
	for _, n := range h.Counts {
		sum += n
	}
	return sum
}

// LaneStats are the figures of a lane, or a sum of several lanes'.
type LaneStats struct {
	// Node is the time from the write to a node to its reply, Total from the
	// arrival of the client's bytes.
	Node, Total Histogram
	// Errors counts replies that are errors, redirections among them.
	Errors uint64
	// Connects, ConnectFailures and Losses count connections made, attempts
	// that failed, and connections that broke.
	Connects, ConnectFailures, Losses uint64
	// Timeouts counts tasks that got no reply in time.
	Timeouts uint64
	// Connected and InFlight are gauges: connections and tasks of now.
	Connected, InFlight int
	// Held is a gauge: leases by Node.Hold.
	Held int
	// Silent is a gauge: 1 if the node is.
	Silent int
	// HeldRefused counts those that would have been too many.
	HeldRefused uint64
}

func (s *LaneStats) note(node, total int64, failed bool) {
	s.Node.Observe(node)
	s.Total.Observe(total)
	if failed {
		s.Errors++
	}
}

// Add adds o to s.
func (s *LaneStats) Add(o *LaneStats) {
	s.Node.Add(&o.Node)
	s.Total.Add(&o.Total)
	s.Errors += o.Errors
	s.Connects += o.Connects
	s.ConnectFailures += o.ConnectFailures
	s.Losses += o.Losses
	s.Timeouts += o.Timeouts
	s.Connected += o.Connected
	s.InFlight += o.InFlight
	s.Held += o.Held
	s.Silent = max(s.Silent, o.Silent)
	s.HeldRefused += o.HeldRefused
}

// Stats returns the sum over the node's lanes and leases.
func (n *Node) Stats() LaneStats {
	runners, sum := n.leases.figures()
	_, gone := n.privates.figures()
	sum.Add(&gone)
	n.eachLane(func(r *TaskRunner) { runners = append(runners, r) })
	for _, r := range runners {
		s := r.figures()
		sum.Add(&s)
	}
	if n.Silent() {
		sum.Silent = 1
	}
	return sum
}

// figures returns the runners of now and the figures of those that ended.
func (s *leaseSet) figures() (runners []*TaskRunner, gone LaneStats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.all {
		runners = append(runners, r)
	}
	gone = s.gone
	gone.Held, gone.HeldRefused = int(s.held.Load()), s.refused.Load()
	return runners, gone
}

func (r *TaskRunner) figures() LaneStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.InFlight = int(r.queue.size)
	if r.state == stateUp {
		s.Connected = 1
	}
	return s
}

// closed reports whether the figures of the node are final: it was dropped and
// its last lane has ended.
func (n *Node) closed() bool {
	closed := n.dropped.Load()
	n.eachRunner(func(r *TaskRunner) {
		r.mu.Lock()
		defer r.mu.Unlock()
		closed = closed && r.state == stateClosed
	})
	return closed
}

// settleLocked adds the figures of the nodes that have left for good to gone.
func (p *Pool) settleLocked() {
	p.leaving = slices.DeleteFunc(p.leaving, func(n *Node) bool {
		if !n.closed() {
			return false
		}
		s := n.Stats()
		p.gone.Add(&s)
		return true
	})
}

// figures returns the sum over all nodes since the start, and the figures by
// address of those that are in the pool or leave it.
func (p *Pool) figures() (total LaneStats, byAddr map[string]*LaneStats) {
	p.mu.Lock()
	p.settleLocked()
	total = p.gone
	nodes := slices.AppendSeq(slices.Clone(p.leaving), maps.Values(p.nodes))
	p.mu.Unlock()

	byAddr = make(map[string]*LaneStats, len(nodes))
	for _, n := range nodes {
		s := n.Stats()
		total.Add(&s)
		if same := byAddr[n.Addr]; same != nil { // it left and has come back
			same.Add(&s)
		} else {
			byAddr[n.Addr] = &s
		}
	}
	return total, byAddr
}

// Describe writes the state of the node's connections for a person, one line each.
func (n *Node) Describe(w io.Writer) {
	n.eachRunner(func(r *TaskRunner) {
		kind := "lane"
		switch {
		case r.tenant != nil:
			kind = "lease"
		case r.private != nil:
			kind = "private"
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		fmt.Fprintf(w, "%s %s proto=%d readonly=%t state=%s in-flight=%d unflushed=%d rtt=%s connects=%d losses=%d\n",
			kind, n.Addr, max(r.profile.Proto, resp.RESP2), r.profile.ReadOnly, r.state, r.queue.size, r.pending,
			time.Duration(r.rtt).Round(time.Microsecond), r.stats.Connects, r.stats.Losses)
	})
}
