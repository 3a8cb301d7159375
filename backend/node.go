package backend

import (
	"sync"
	"sync/atomic"
	"time"
)

// Node is one server. It is safe for concurrent use.
type Node struct {
	// Addr is the server's address, "host:port".
	Addr string

	// Set at construction.
	pool *Pool

	dropped  atomic.Bool
	failing  atomic.Bool  // the last connection attempt or connection failed
	failedAt atomic.Int64 // when that was, by Now
	silent   atomic.Bool  // it owes replies and says nothing
	losses   atomic.Uint32
	lanes    atomic.Pointer[[]laneSet]
	leases   leaseSet
	streams  streamSet

	privates privateSet

	silence time.Duration // how long it has been in the log's words; owned by Pool.Run

	mu sync.Mutex // held to replace lanes
}

// laneSet is the lanes of one profile.
type laneSet struct {
	profile ProfileHandle
	lanes   []*TaskRunner
}

// Lane returns the lane of the profile for a session with this seed: always
// the same one, so that the session's commands stay in order.
func (n *Node) Lane(profile ProfileHandle, seed uint32) *TaskRunner {
	if sets := n.lanes.Load(); sets != nil {
		for i := range *sets {
			if s := &(*sets)[i]; s.profile == profile {
				return s.lanes[seed%uint32(len(s.lanes))]
			}
		}
	}
	return n.addLanes(profile, seed)
}

func (n *Node) addLanes(profile ProfileHandle, seed uint32) *TaskRunner {
	n.mu.Lock()
	var sets []laneSet
	if old := n.lanes.Load(); old != nil {
		sets = append(sets, *old...)
	}
	for _, s := range sets {
		if s.profile == profile {
			n.mu.Unlock()
			return s.lanes[seed%uint32(len(s.lanes))]
		}
	}
	s := laneSet{profile: profile, lanes: make([]*TaskRunner, n.pool.cfg.Lanes)}
	for i := range s.lanes {
		s.lanes[i] = &TaskRunner{node: n, profile: profile.Value(), index: uint32(i)}
		if n.dropped.Load() || n.pool.ctx.Err() != nil {
			s.lanes[i].state = stateClosed
		}
	}
	sets = append(sets, s)
	n.lanes.Store(&sets)
	n.mu.Unlock()
	return s.lanes[seed%uint32(len(s.lanes))]
}

// eachLane calls f with the lanes, private ones included.
func (n *Node) eachLane(f func(*TaskRunner)) {
	n.mu.Lock()
	sets := n.lanes.Load()
	n.mu.Unlock()
	if sets != nil {
		for _, s := range *sets {
			for _, r := range s.lanes {
				f(r)
			}
		}
	}
	privates, _ := n.privates.figures()
	for _, r := range privates {
		f(r)
	}
}

// eachRunner calls f with the lanes and the leased runners.
func (n *Node) eachRunner(f func(*TaskRunner)) {
	n.eachLane(f)
	runners, _ := n.leases.figures()
	for _, r := range runners {
		f(r)
	}
}

// closeNow closes all connections with all that they hold.
func (n *Node) closeNow() {
	n.eachRunner(func(r *TaskRunner) { r.Close(false) })
	n.streams.close()
}

// Reset ends the node's connections; their tasks fail and the next ones
// connect anew. It is for a node that the cluster has declared dead.
func (n *Node) Reset() {
	n.eachRunner((*TaskRunner).Reset)
	n.streams.close()
}

// InFlight returns how many tasks the node's connections hold.
func (n *Node) InFlight() int {
	sum := 0
	n.eachRunner(func(r *TaskRunner) {
		r.mu.Lock()
		sum += int(r.queue.size)
		r.mu.Unlock()
	})
	return sum
}
