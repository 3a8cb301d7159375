package dispatcher

import (
	"sync"
	"sync/atomic"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/slots"
)

// routes is a topology with the nodes to send to. Immutable.
type routes struct {
	table  *slots.Table
	shards []shardRoute // one for each of table.Shards
	list   func() []Shard
}

// shardRoute is where the commands of one shard go.
type shardRoute struct {
	primary  *member // nil: none
	replicas []*member
}

func newRoutes(t *slots.Table) *routes {
	return &routes{
		table: t, shards: make([]shardRoute, len(t.Shards)),
		list: sync.OnceValue(func() []Shard { return listShards(t) }),
	}
}

// shard returns the route of a slot, nil if no shard serves it.
func (rt *routes) shard(slot uint16) *shardRoute {
	i := rt.table.Slot[slot]
	if int(i) >= len(rt.shards) {
		return nil
	}
	return &rt.shards[i]
}

// member is a node as the Dispatcher sees it. It outlives the topologies that
// name its address.
type member struct {
	// Set at construction.
	node *backend.Node
	near bool

	reads     atomic.Int32 // reads in flight at a replica
	unhealthy atomic.Bool  // so says the topology
	unfit     atomic.Int64 // until when, by backend.Now, it is left out of reads
}

// unfitFor is how long a replica that answered LOADING or MASTERDOWN, or whose
// connection was lost, is left out of reads.
const unfitFor = time.Second

func (m *member) markUnfit() { m.unfit.Store(backend.Now() + int64(unfitFor)) }

// fit reports whether reads may go to the member.
func (m *member) fit() bool {
	if m.unhealthy.Load() || m.node.Failing() || m.node.Silent() {
		return false
	}
	until := m.unfit.Load()
	return until == 0 || until < backend.Now()
}

// probe reports whether the caller's read is to find out whether the member,
// whose connection was lost, can be reached again. Only reads connect to a
// replica, so without it one that was lost would be left out for good. It is true
// for one read in a while.
func (m *member) probe() bool {
	if !m.node.Failing() || m.unhealthy.Load() {
		return false
	}
	now, until := backend.Now(), m.unfit.Load()
	return until < now && m.unfit.CompareAndSwap(until, now+int64(unfitFor))
}

// memberSet holds the members by address.
type memberSet struct {
	mu sync.Mutex
	// Guarded by mu.
	byAddr map[string]*member
}

// reroute makes routes of a topology. It is called for one topology at a time.
func (d *Dispatcher) reroute(t *slots.Table) {
	rt := newRoutes(t)
	healthy := make(map[*member]bool) // of all that are named
	use := func(n *slots.Node) *member {
		m := d.member(n.Addr)
		// A redirect may have named a node the primary that was a replica, and is one in the table as well.
		healthy[m] = healthy[m] || n.Healthy
		return m
	}
	for i, sh := range t.Shards {
		if sh.Primary != nil {
			rt.shards[i].primary = use(sh.Primary)
		}
		for _, n := range sh.Replicas {
			rt.shards[i].replicas = append(rt.shards[i].replicas, use(n))
		}
	}
	for m, is := range healthy {
		if m.unhealthy.Swap(!is) == is && !is {
			// The cluster gave the node up: whoever waits for it waits for
			// nothing.
			m.node.Reset()
		}
	}
	old := d.routes.Load() // which nobody else stores
	moved := shifted(old, rt)
	d.shifts.note(moved)
	d.routes.Store(rt)
	d.shifts.note(moved)
	d.dropUnnamed(healthy)
	d.retries.hurry()
	d.functions.rerouted(old, rt)
	if f := d.onReroute.Load(); f != nil {
		(*f)()
	}
	d.retrack(old, rt)
	d.claims.rerouted()
}

// noteSilence asks whether the cluster has given up a node that says nothing:
// it tells nobody when it does, and what waits for the node waits for that.
func (d *Dispatcher) noteSilence(n *backend.Node) {
	d.members.mu.Lock()
	m := d.members.byAddr[n.Addr]
	d.members.mu.Unlock()
	if m != nil && !m.unhealthy.Load() {
		d.topology.Refresh("a node is silent")
	}
}

// member returns the member at addr, making it if need be.
func (d *Dispatcher) member(addr string) *member {
	d.members.mu.Lock()
	defer d.members.mu.Unlock()
	m := d.members.byAddr[addr]
	if m == nil {
		m = &member{node: d.pool.Node(addr), near: d.cfg.Near(addr)}
		d.members.byAddr[addr] = m
	}
	return m
}

// dropUnnamed lets the nodes go that the topology does not name.
func (d *Dispatcher) dropUnnamed(named map[*member]bool) {
	d.members.mu.Lock()
	defer d.members.mu.Unlock()
	for addr, m := range d.members.byAddr {
		if _, is := named[m]; !is {
			delete(d.members.byAddr, addr)
			d.pool.Drop(m.node)
		}
	}
}
