package slots

import (
	"context"
	"slices"
	"time"
)

// NoShard is the entry of Table.Slot for a slot that no shard serves.
const NoShard = uint16(0xFFFF)

// Node is one server. It is immutable once its Table is published; two Tables may share it.
type Node struct {
	// ID is the node's name in the cluster (40 hex digits), or "" if it is not known yet: a node learned from a redirect.
	ID string
	// Addr is where clients reach the node: host:port, the host a name or an address, IPv6 in brackets.
	Addr string
	// Healthy is false if the cluster says that the node failed, or for a replica also that it is loading, or that the
	// node asked suspects it ("fail?"). It is a hint as old as the Table.
	Healthy bool
}

// Shard is a primary and its replicas: the nodes that hold the same slots. Immutable like Node.
type Shard struct {
	// Primary takes the writes. Nil if the cluster names none.
	Primary *Node
	// Replicas hold copies, ordered by address, healthy or not.
	Replicas []*Node
}

// Table is an immutable snapshot of a topology, safe for concurrent use. Do not change one that was published.
type Table struct {
	// Hash is the function key -> slot. Its results are valid indexes of Slot.
	Hash func(key []byte) uint16
	// Slot holds for each slot the index of its shard in Shards, or NoShard.
	Slot [NumSlots]uint16
	// Shards are ordered by their lowest slot as loaded; redirects append to them. A shard may have no slots (a primary
	// that was just added). Indexes mean something only within one Table.
	Shards []*Shard
	// Epoch is the cluster's current epoch (CLUSTER INFO), 0 if the topology has no such thing.
	Epoch uint64
	// Loaded is when the Source got the view behind this Table; zero before the first load.
	Loaded time.Time
}

// Source loads a topology.
type Source interface {
	// Load returns the topology as it is now. It may return the Table it returned before (the same pointer) if what it
	// learned is no better. The Watcher calls it from one goroutine at a time; it must return soon after ctx ends.
	Load(ctx context.Context) (*Table, error)
}

// NewTable returns a Table that covers no slot, to be filled before it is published.
func NewTable(hash func(key []byte) uint16) *Table {
	t := &Table{Hash: hash}
	for i := range t.Slot {
		t.Slot[i] = NoShard
	}
	return t
}

// ShardOf returns the shard that serves slot, or nil if none does.
func (t *Table) ShardOf(slot uint16) *Shard {
	if slot >= NumSlots {
		return nil
	}
	if i := t.Slot[slot]; i != NoShard {
		return t.Shards[i]
	}
	return nil
}

// ShardFor returns the shard that serves key, or nil if none does.
func (t *Table) ShardFor(key []byte) *Shard { return t.ShardOf(t.Hash(key)) }

// Covered returns the number of slots that a shard serves.
func (t *Table) Covered() int {
	n := 0
	for _, i := range t.Slot {
		if i != NoShard {
			n++
		}
	}
	return n
}

// Failed returns the number of those slots whose shard has no primary, or one that the cluster calls failed.
func (t *Table) Failed() int {
	n := 0
	for _, i := range t.Slot {
		if i != NoShard && t.Shards[i].lacksPrimary() {
			n++
		}
	}
	return n
}

// lacksPrimary reports whether a shard has no primary or one that failed.
func (t *Table) lacksPrimary() bool { return slices.ContainsFunc(t.Shards, (*Shard).lacksPrimary) }

func (s *Shard) lacksPrimary() bool { return s.Primary == nil || !s.Primary.Healthy }

// Nodes returns every node once (by address), primaries before the replicas of their shard. The slice is the caller's.
func (t *Table) Nodes() []*Node {
	nodes := make([]*Node, 0, 2*len(t.Shards))
	seen := make(map[string]bool, 2*len(t.Shards))
	for _, s := range t.Shards {
		for _, n := range s.all() {
			if !seen[n.Addr] {
				seen[n.Addr] = true
				nodes = append(nodes, n)
			}
		}
	}
	return nodes
}

// NodeAt returns the node with that address, or nil.
func (t *Table) NodeAt(addr string) *Node {
	for _, s := range t.Shards {
		for _, n := range s.all() {
			if n.Addr == addr {
				return n
			}
		}
	}
	return nil
}

func (s *Shard) all() []*Node {
	nodes := make([]*Node, 0, 1+len(s.Replicas))
	if s.Primary != nil {
		nodes = append(nodes, s.Primary)
	}
	return append(nodes, s.Replicas...)
}

// WithMoved returns a copy of t in which the primary at addr serves slot, or t itself if it does so already. An address that is
// no primary of t becomes the primary of a new shard without replicas, which the next load replaces by the real one: a
// redirect speaks of one slot, so a replica named by one does not take the other slots of its shard along.
// The copy shares everything but the slot array.
func (t *Table) WithMoved(slot uint16, addr string) *Table {
	return t.withMoved(map[uint16]string{slot: addr})
}

// withMoved is WithMoved for several slots with one copy. It returns t itself if nothing changes.
func (t *Table) withMoved(moved map[uint16]string) *Table {
	next := t
	for slot, addr := range moved {
		if slot >= NumSlots || addr == "" || next.primaryAddr(slot) == addr {
			continue
		}
		index := next.shardWithPrimary(addr)
		if index == NoShard && len(next.Shards) >= int(NoShard) {
			continue
		}
		if next == t {
			c := *t
			next = &c
			next.Shards = t.Shards[:len(t.Shards):len(t.Shards)] // append must not write into t's array
		}
		if index == NoShard {
			index = next.appendPrimary(addr)
		}
		next.Slot[slot] = index
	}
	return next
}

// appendPrimary adds a shard for addr to a copy that is not published yet.
func (t *Table) appendPrimary(addr string) uint16 {
	node := &Node{Addr: addr, Healthy: true} // it was just named as the one to ask
	if known := t.NodeAt(addr); known != nil {
		node.ID = known.ID
	}
	t.Shards = append(t.Shards, &Shard{Primary: node})
	return uint16(len(t.Shards) - 1)
}

// primaryAddr returns the address of slot's primary, or "".
func (t *Table) primaryAddr(slot uint16) string {
	if s := t.ShardOf(slot); s != nil && s.Primary != nil {
		return s.Primary.Addr
	}
	return ""
}

func (t *Table) shardWithPrimary(addr string) uint16 {
	for i, s := range t.Shards {
		if s.Primary != nil && s.Primary.Addr == addr {
			return uint16(i)
		}
	}
	return NoShard
}
