package redistest

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// BeginMigrate opens slot for migration from its owner to another primary. From then on the owner answers ASK for keys that
// it does not have, and TRYAGAIN when it has only some of a command's keys.
func (c *FakeCluster) BeginMigrate(slot uint16, to *FakeNode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if from := c.topology.owner[slot]; from != to {
		c.topology.moving[slot] = move{from, to}
	}
}

// MigrateKeys moves up to n keys of a slot that BeginMigrate has opened, the least first. It returns how many it moved.
func (c *FakeCluster) MigrateKeys(slot uint16, n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.topology.moving[slot]
	if !ok {
		return 0
	}
	keys := m.from.keysInLocked(slot, n)
	for _, key := range keys {
		c.migrateLocked(m, key)
	}
	return len(keys)
}

// MigrateKey moves one key of a slot that BeginMigrate has opened. It reports whether the key was there to be moved.
func (c *FakeCluster) MigrateKey(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.topology.moving[Slot(key)]
	if !ok {
		return false
	}
	if _, ok = m.from.data[key]; ok {
		c.migrateLocked(m, key)
	}
	return ok
}

func (c *FakeCluster) migrateLocked(m move, key string) {
	value := m.from.data[key]
	m.to.setLocked(key, &value)
	m.from.setLocked(key, nil)
}

// EndMigrate moves the keys that are left and gives the slot to its new owner, whose config epoch becomes the highest.
func (c *FakeCluster) EndMigrate(slot uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.topology.moving[slot]
	if !ok {
		return
	}
	for _, key := range m.from.keysInLocked(slot, math.MaxInt) {
		c.migrateLocked(m, key)
	}
	delete(c.topology.moving, slot)
	c.topology.owner[slot] = m.to
	c.topology.bump(m.to)
}

// bump gives n the highest config epoch.
func (t *topology) bump(n *FakeNode) {
	t.current++
	t.epoch[n] = t.current
}

// MoveSlot moves a slot with all its keys, one by one. perKey, unless nil, is called after each; it may use the cluster.
func (c *FakeCluster) MoveSlot(slot uint16, to *FakeNode, perKey func()) {
	c.BeginMigrate(slot, to)
	for c.MigrateKeys(slot, 1) > 0 {
		if perKey != nil {
			perKey()
		}
	}
	c.EndMigrate(slot)
}

// Assign gives slots to a primary at once, without their keys; nil takes them from whoever has them.
func (c *FakeCluster) Assign(n *FakeNode, slots ...uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, slot := range slots {
		delete(c.topology.moving, slot)
		c.topology.owner[slot] = n
	}
	if n != nil {
		c.topology.bump(n)
	}
}

// Failover makes a replica the primary of its shard: it takes over all slots and the other replicas. The old primary
// becomes its replica, and loses what it had not replicated; dead or alive. A primary is left as it is.
func (c *FakeCluster) Failover(replica *FakeNode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.topology
	old := t.primaryOf[replica]
	if old == nil {
		return
	}
	for slot := range t.owner {
		if t.owner[slot] == old {
			t.owner[slot] = replica
		}
	}
	for slot, m := range t.moving {
		// Redis keeps no memory of open slots on replicas: the new primary knows of no migration.
		if m.from == old || m.to == old {
			delete(t.moving, slot)
		}
	}
	for _, r := range t.replicasOf(old) {
		t.primaryOf[r] = replica
	}
	t.primaryOf[old] = replica
	delete(t.primaryOf, replica)
	replica.lagging = false
	t.bump(replica)
	for _, r := range t.replicasOf(replica) {
		if !r.lagging {
			r.data = maps.Clone(replica.data)
		}
	}
}

// AddNode starts an empty primary without slots.
func (c *FakeCluster) AddNode() (*FakeNode, error) {
	n, err := c.newNode()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.nodes = append(c.nodes, n)
	c.topology.members = append(c.topology.members, n)
	c.mu.Unlock()
	return n, n.listen()
}

// RemoveNode kills a node that owns no slots and makes the cluster forget it.
func (c *FakeCluster) RemoveNode(n *FakeNode) error {
	c.mu.Lock()
	if slices.Contains(c.topology.owner[:], n) {
		c.mu.Unlock()
		return fmt.Errorf("%s still owns slots", n.Addr)
	}
	is := func(other *FakeNode) bool { return other == n }
	c.nodes = slices.DeleteFunc(c.nodes, is)
	c.topology.members = slices.DeleteFunc(c.topology.members, is)
	delete(c.topology.primaryOf, n)
	c.mu.Unlock()
	n.shut()
	ports.release(n.port)
	return nil
}

// clone is what a node that freezes takes with it.
func (t *topology) clone() *topology {
	copied := *t
	copied.moving, copied.primaryOf = maps.Clone(t.moving), maps.Clone(t.primaryOf)
	copied.epoch, copied.failed = maps.Clone(t.epoch), maps.Clone(t.failed)
	copied.members = slices.Clone(t.members)
	return &copied
}
