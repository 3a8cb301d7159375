package redistest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
)

// FakeCluster is a cluster in this process: nodes that listen on loopback, redirect as Redis does and keep strings. All
// of it is behind one lock, so each command is atomic and there is one order in which commands were executed.
//
// Writes reach replicas at once, unless Lag holds them back. Nothing happens by itself: a killed primary is failed over
// when Failover is called. Its methods, and those of its nodes, are safe for concurrent use.
type FakeCluster struct {
	// Set at construction.
	cfg   Config
	table map[string]*fakeCommand

	mu sync.Mutex
	// Guarded by mu.
	nodes     []*FakeNode
	topology  *topology
	announced string         // host in redirects and topology replies
	version   map[string]int // of each key, counted up by each write, for WATCH
	log       []Execution
	lastConn  int
}

// topology is the layout of a fake cluster: the true one, or what a frozen node takes for it.
type topology struct {
	owner     [NumSlots]*FakeNode // nil: nobody
	moving    map[uint16]move
	primaryOf map[*FakeNode]*FakeNode // replicas only
	epoch     map[*FakeNode]uint64    // config epoch
	current   uint64                  // current epoch
	failed    map[*FakeNode]bool
	members   []*FakeNode
}

// move is a slot that is being migrated.
type move struct{ from, to *FakeNode }

// LaunchFakeCluster starts a fake cluster. Of cfg it uses Primaries, Replicas, Password and Host. Primaries come first in
// Nodes; primary i has the i-th equal share of the slots. The caller closes it.
func LaunchFakeCluster(cfg Config) (*FakeCluster, error) {
	cfg = cfg.withDefaults()
	c := &FakeCluster{
		cfg: cfg, table: fakeCommands(), version: map[string]int{},
		announced: cfg.Host,
		topology: &topology{
			moving: map[uint16]move{}, primaryOf: map[*FakeNode]*FakeNode{},
			epoch: map[*FakeNode]uint64{}, failed: map[*FakeNode]bool{}, current: uint64(cfg.Primaries),
		},
	}
	for i := range cfg.Primaries * (1 + cfg.Replicas) {
		n, err := c.newNode()
		if err != nil {
			c.Close()
			return nil, err
		}
		c.nodes = append(c.nodes, n)
		if i < cfg.Primaries {
			r := share(i, cfg.Primaries)
			for slot := r.first; slot <= r.last; slot++ {
				c.topology.owner[slot] = n
			}
			c.topology.epoch[n] = uint64(i + 1)
		} else {
			c.topology.primaryOf[n] = c.nodes[i%cfg.Primaries]
		}
	}
	c.topology.members = slices.Clone(c.nodes)
	for _, n := range c.nodes {
		if err := n.listen(); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// Close closes all listeners and connections and waits until nothing of the cluster runs any more. It may be called twice.
func (c *FakeCluster) Close() {
	for _, n := range c.Nodes() {
		n.shut()
		ports.release(n.port)
	}
}

// newNode makes a node that does not listen yet.
func (c *FakeCluster) newNode() (*FakeNode, error) {
	got, err := ports.reserve(c.cfg.Host, 1)
	if err != nil {
		return nil, err
	}
	return newFakeNode(c, got[0], fmt.Sprintf("%016x%016x%08x", rand.Uint64(), rand.Uint64(), rand.Uint32())), nil
}

// Nodes returns all nodes, also killed ones, in the order in which they were made.
func (c *FakeCluster) Nodes() []*FakeNode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.nodes)
}

// Node returns the i-th node. It panics if there is none.
func (c *FakeCluster) Node(i int) *FakeNode { return c.Nodes()[i] }

// Addrs returns the addresses of all nodes, also of killed ones.
func (c *FakeCluster) Addrs() []string {
	var addrs []string
	for _, n := range c.Nodes() {
		addrs = append(addrs, n.Addr)
	}
	return addrs
}

// Primaries returns the nodes that are no replicas, whether or not they own slots.
func (c *FakeCluster) Primaries() []*FakeNode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.nodes), func(n *FakeNode) bool { return c.topology.primaryOf[n] != nil })
}

// OwnerOf returns the primary that owns slot, nil if none does.
func (c *FakeCluster) OwnerOf(slot uint16) *FakeNode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.topology.owner[slot]
}

// ReplicasOf returns the replicas of n.
func (c *FakeCluster) ReplicasOf(n *FakeNode) []*FakeNode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.topology.replicasOf(n)
}

func (t *topology) replicasOf(n *FakeNode) []*FakeNode {
	var replicas []*FakeNode
	for _, r := range t.members {
		if t.primaryOf[r] == n {
			replicas = append(replicas, r)
		}
	}
	return replicas
}
