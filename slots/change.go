package slots

import (
	"fmt"
	"slices"
	"strings"
)

// maxListed bounds how many things of a kind one log line names.
const maxListed = 4

// describe says in one line what t is.
func (t *Table) describe() string {
	return fmt.Sprintf("%d shards, %d nodes, %d slots covered, epoch %d", len(t.Shards), len(t.Nodes()), t.Covered(), t.Epoch)
}

// describeChange says in a few words what differs between two tables of different layouts.
func describeChange(before, after *Table) string {
	type move struct{ from, to string }
	moved := map[move]int{}
	for slot := range uint16(NumSlots) {
		m := move{before.ShardOf(slot).addr(), after.ShardOf(slot).addr()}
		if m.from != m.to {
			moved[m]++
		}
	}
	var moves []string
	for m, n := range moved {
		moves = append(moves, fmt.Sprintf("%d slots %s -> %s", n, orNone(m.from), orNone(m.to)))
	}
	parts := describeNodes(before.roles(), after.roles())
	if len(moves) > 0 {
		parts = append([]string{listed(moves)}, parts...)
	}
	if len(parts) == 0 {
		return "nodes changed their ids or their shards" // sameLayout would not have called the tables different
	}
	return strings.Join(parts, "; ")
}

// role is what a node was or is in a table.
type role struct{ primary, healthy bool }

func (t *Table) roles() map[string]role {
	roles := map[string]role{}
	for _, s := range t.Shards {
		for _, n := range s.all() {
			if _, seen := roles[n.Addr]; !seen {
				roles[n.Addr] = role{primary: n == s.Primary, healthy: n.Healthy}
			}
		}
	}
	return roles
}

func describeNodes(was, is map[string]role) []string {
	changes := map[string][]string{}
	note := func(what, addr string) { changes[what] = append(changes[what], addr) }
	for addr, now := range is {
		old, known := was[addr]
		switch {
		case !known:
			note("new", addr)
		case old.primary && !now.primary:
			note("now replica", addr)
		case !old.primary && now.primary:
			note("now primary", addr)
		}
		switch {
		case old.healthy && !now.healthy, !known && !now.healthy:
			note("unhealthy", addr)
		case known && !old.healthy && now.healthy:
			note("healthy again", addr)
		}
	}
	for addr := range was {
		if _, still := is[addr]; !still {
			note("gone", addr)
		}
	}
	var parts []string
	for _, what := range []string{"new", "gone", "now primary", "now replica", "unhealthy", "healthy again"} {
		if list := changes[what]; len(list) > 0 {
			parts = append(parts, what+" "+listed(list))
		}
	}
	return parts
}

func listed(list []string) string {
	slices.Sort(list)
	if more := len(list) - maxListed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:maxListed], ", "), more)
	}
	return strings.Join(list, ", ")
}

func orNone(addr string) string {
	if addr == "" {
		return "none"
	}
	return addr
}
