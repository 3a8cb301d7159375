package dispatcher

import (
	"cmp"
	"slices"

	"redis-cluster-proxy/slots"
)

// Shard is a primary with its replicas, as the routes have it at the moment.
type Shard struct {
	// Primary is the primary's address, "" if the shard has none.
	Primary string
	// ID is the primary's node id, "" if it is not known.
	ID string
	// Slots is how many slots the shard serves.
	Slots int
	// Lowest is the lowest of them; meaningless if there are none.
	Lowest uint16
	// Replicas are the addresses of the replicas that the cluster does not
	// call failed.
	Replicas []string
}

// Shards returns the shards of now, ordered by their lowest slot, each once;
// those without slots are at the end. The slice is everybody's and must not be
// changed.
func (d *Dispatcher) Shards() []Shard { return d.routes.Load().list() }

func listShards(t *slots.Table) []Shard {
	shards := make([]Shard, len(t.Shards))
	for i, sh := range t.Shards {
		if sh.Primary != nil {
			shards[i].Primary, shards[i].ID = sh.Primary.Addr, sh.Primary.ID
		}
		for _, n := range sh.Replicas {
			if n.Healthy {
				shards[i].Replicas = append(shards[i].Replicas, n.Addr)
			}
		}
	}
	for slot, i := range t.Slot {
		if i == slots.NoShard {
			continue
		}
		if sh := &shards[i]; sh.Slots == 0 {
			sh.Slots, sh.Lowest = 1, uint16(slot)
		} else {
			sh.Slots++
		}
	}
	slices.SortStableFunc(shards, func(a, b Shard) int {
		if (a.Slots == 0) != (b.Slots == 0) {
			return cmp.Compare(b.Slots, a.Slots)
		}
		return cmp.Compare(a.Lowest, b.Lowest)
	})
	return slices.DeleteFunc(shards, func(sh Shard) bool { return sh.Primary == "" && sh.Slots == 0 })
}

// Owners is who owns which slot at one moment. It does not change.
type Owners struct{ rt *routes }

// Owners returns the owners of now.
func (d *Dispatcher) Owners() Owners { return Owners{d.routes.Load()} }

// Owner returns the address of the primary of a slot, "" if there is none that
// the cluster does not call failed.
func (o Owners) Owner(slot uint16) string {
	sh := o.rt.shard(slot)
	if sh == nil || sh.primary == nil || sh.primary.unhealthy.Load() {
		return ""
	}
	return sh.primary.node.Addr
}

// Addr returns the address of the node with an id, "" if it is not known.
func (o Owners) Addr(id string) string {
	for _, n := range o.rt.table.Nodes() {
		if n.ID == id && id != "" {
			return n.Addr
		}
	}
	return ""
}
