package slots

import (
	"fmt"
	"hash/fnv"
	"slices"
	"sort"
	"strings"
)

// addShard adds s with its slots to a table under construction. The first shard to claim a slot keeps it.
func (t *Table) addShard(s *Shard, ranges [][2]int64) {
	if len(t.Shards) >= int(NoShard) || s.Primary == nil && len(s.Replicas) == 0 {
		return
	}
	if len(ranges) == 0 && (s.Primary == nil || !s.Primary.Healthy) {
		// A failed primary whose slots a replica took over stays listed until it returns. It serves nothing, and
		// commands that go to all shards must not wait for it.
		return
	}
	index := uint16(len(t.Shards))
	t.Shards = append(t.Shards, s)
	for _, r := range ranges {
		for slot := r[0]; slot <= r[1]; slot++ {
			if t.Slot[slot] == NoShard {
				t.Slot[slot] = index
			}
		}
	}
}

// arrange puts shards and replicas into an order that does not depend on the node that was asked.
func (t *Table) arrange() {
	lowest := make([]int, len(t.Shards))
	for i := range lowest {
		lowest[i] = NumSlots
	}
	for slot := NumSlots - 1; slot >= 0; slot-- {
		if i := t.Slot[slot]; i != NoShard {
			lowest[i] = slot
		}
	}
	order := make([]int, len(t.Shards))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool {
		a, b = order[a], order[b]
		if lowest[a] != lowest[b] {
			return lowest[a] < lowest[b]
		}
		return t.Shards[a].addr() < t.Shards[b].addr()
	})
	shards := make([]*Shard, len(order))
	place := make([]uint16, len(order))
	for to, from := range order {
		shards[to], place[from] = t.Shards[from], uint16(to)
	}
	t.Shards = shards
	for slot, i := range t.Slot {
		if i != NoShard {
			t.Slot[slot] = place[i]
		}
	}
	for _, s := range t.Shards {
		s.sortReplicas()
	}
}

func (s *Shard) sortReplicas() {
	slices.SortFunc(s.Replicas, func(a, b *Node) int { return strings.Compare(a.Addr, b.Addr) })
}

// addr names the shard: the address of its primary.
func (s *Shard) addr() string {
	if s == nil || s.Primary == nil {
		return ""
	}
	return s.Primary.Addr
}

// signature is equal for tables that give every slot to the same primary.
func (t *Table) signature() uint64 {
	h := fnv.New64a()
	prev := NoShard
	for slot, i := range t.Slot {
		if i != prev || slot == 0 {
			prev = i
			fmt.Fprintf(h, "%d %s\n", slot, t.primaryName(uint16(slot)))
		}
	}
	return h.Sum64()
}

// primaryName is the id of slot's primary, its address if it has none: two nodes may name one node by different addresses.
func (t *Table) primaryName(slot uint16) string {
	s := t.ShardOf(slot)
	if s == nil || s.Primary == nil {
		return ""
	}
	if s.Primary.ID != "" {
		return s.Primary.ID
	}
	return s.Primary.Addr
}

// sameLayout reports whether a and b give each slot to the same nodes in the same roles, ids and health, whatever the order of their
// shards.
func sameLayout(a, b *Table) bool {
	if a == b {
		return true
	}
	if len(a.Shards) != len(b.Shards) || !slices.Equal(shardKeys(a), shardKeys(b)) {
		return false
	}
	for slot := range uint16(NumSlots) {
		if a.ShardOf(slot).addr() != b.ShardOf(slot).addr() || (a.Slot[slot] == NoShard) != (b.Slot[slot] == NoShard) {
			return false
		}
	}
	return true
}

func shardKeys(t *Table) []string {
	keys := make([]string, 0, len(t.Shards))
	for _, s := range t.Shards {
		var key strings.Builder
		if s.Primary == nil {
			key.WriteString("no primary ")
		}
		for _, n := range s.all() {
			fmt.Fprintf(&key, "%s %s %t|", n.Addr, n.ID, n.Healthy)
		}
		keys = append(keys, key.String())
	}
	slices.Sort(keys)
	return keys
}
