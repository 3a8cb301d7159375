package dispatcher

import (
	"fmt"
	"slices"
	"sync"

	"redis-cluster-proxy/slots"
)

// chart is a Topology that changes when a test or a redirect says so.
type chart struct {
	note func(event string) // called for what the Dispatcher reports

	mu sync.Mutex
	// Guarded by mu.
	table    *slots.Table
	onChange []func(*slots.Table)
}

func newChart(note func(string)) *chart { return &chart{note: note, table: slots.NewTable(slots.Hash)} }

// Table implements Topology.
func (c *chart) Table() *slots.Table {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.table
}

// OnChange implements Topology.
func (c *chart) OnChange(f func(*slots.Table)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onChange = append(c.onChange, f)
}

// Moved implements Topology.
func (c *chart) Moved(slot uint16, addr string) {
	c.note(fmt.Sprintf("slot %d is at %s", slot, addr))
	c.change(func(t *slots.Table) *slots.Table { return t.WithMoved(slot, addr) })
}

// Refresh implements Topology.
func (c *chart) Refresh(reason string) { c.note("refresh: " + reason) }

func (c *chart) change(f func(*slots.Table) *slots.Table) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := f(c.table)
	if next == c.table {
		return
	}
	c.table = next
	for _, f := range c.onChange {
		f(next)
	}
}

// assign gives a slot to the primary at addr; "" takes it from all.
func (c *chart) assign(slot uint16, addr string) {
	c.change(func(t *slots.Table) *slots.Table {
		if addr != "" {
			return t.WithMoved(slot, addr)
		}
		next := *t
		next.Slot[slot] = slots.NoShard
		return &next
	})
}

// fail makes a node one that the cluster has given up.
func (c *chart) fail(addr string) {
	c.change(func(t *slots.Table) *slots.Table {
		next := *t
		next.Shards = slices.Clone(t.Shards)
		for i, sh := range next.Shards {
			failed := *sh
			failed.Replicas = slices.Clone(sh.Replicas)
			if sh.Primary.Addr == addr {
				failed.Primary = &slots.Node{Addr: addr}
			}
			for j, n := range sh.Replicas {
				if n.Addr == addr {
					failed.Replicas[j] = &slots.Node{Addr: addr}
				}
			}
			next.Shards[i] = &failed
		}
		return &next
	})
}

// publish replaces the whole layout.
func (c *chart) publish(t *slots.Table) { c.change(func(*slots.Table) *slots.Table { return t }) }
