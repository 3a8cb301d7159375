package redistest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// nodeLine is one line of CLUSTER NODES (https://redis.io/docs/latest/commands/cluster-nodes/).
type nodeLine struct {
	id      string
	flags   []string
	primary string // id of the primary, "-" for a primary
	epoch   uint64 // config epoch
	linked  bool
	slots   []slotRange
}

func (l nodeLine) has(flag string) bool {
	for _, f := range l.flags {
		if f == flag {
			return true
		}
	}
	return false
}

// healthy reports whether the node that wrote the line finds nothing wrong with the node the line is about.
func (l nodeLine) healthy() bool {
	return l.linked && !l.has("fail") && !l.has("fail?") && !l.has("handshake") && !l.has("noaddr")
}

func parseNodes(text string) ([]nodeLine, error) {
	var lines []nodeLine
	for row := range strings.Lines(text) {
		f := strings.Fields(row)
		if len(f) < 8 {
			return nil, fmt.Errorf("CLUSTER NODES: short line %q", row)
		}
		epoch, err := strconv.ParseUint(f[6], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("CLUSTER NODES: %w", err)
		}
		l := nodeLine{id: f[0], flags: strings.Split(f[2], ","), primary: f[3], epoch: epoch, linked: f[7] == "connected"}
		for _, s := range f[8:] {
			if strings.HasPrefix(s, "[") {
				continue // a slot on its way in or out
			}
			first, last, isRun := strings.Cut(s, "-")
			if !isRun {
				last = first
			}
			var r slotRange
			if r.first, err = strconv.Atoi(first); err == nil {
				r.last, err = strconv.Atoi(last)
			}
			if err != nil {
				return nil, fmt.Errorf("CLUSTER NODES: %w", err)
			}
			l.slots = append(l.slots, r)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// view returns what the node says about the cluster, and its own line.
func (n *Node) view(ctx context.Context) (all []nodeLine, self nodeLine, err error) {
	text, err := n.Client().ClusterNodes(ctx).Result()
	if err != nil {
		return nil, self, err
	}
	if all, err = parseNodes(text); err != nil {
		return nil, self, err
	}
	for _, l := range all {
		if l.has("myself") {
			return all, l, nil
		}
	}
	return nil, self, fmt.Errorf("%s: no line about itself in CLUSTER NODES", n.Addr)
}

// layout is who owns what, put together from what each answering node says about itself; of two that claim a slot, the
// one with the higher config epoch has it, as in the cluster's own rule.
type layout struct {
	owner [NumSlots]*Node
	self  map[*Node]nodeLine
}

func (c *Cluster) layout(ctx context.Context) *layout {
	l := &layout{self: map[*Node]nodeLine{}}
	for _, n := range c.Nodes() {
		if !n.answering() {
			continue
		}
		_, self, err := n.view(ctx)
		if err != nil {
			continue
		}
		l.self[n] = self
		if !self.has("master") {
			continue
		}
		for _, r := range self.slots {
			for slot := r.first; slot <= r.last; slot++ {
				if old := l.owner[slot]; old == nil || l.self[old].epoch < self.epoch {
					l.owner[slot] = n
				}
			}
		}
	}
	return l
}
