package redistest

import (
	"fmt"
	"strconv"
	"strings"
)

// clusterCommand is CLUSTER, the subcommands that ask.
func (c *fakeConn) clusterCommand(args []string) {
	n, t := c.node, c.node.topologyLocked()
	switch sub := strings.ToLower(args[1]); {
	case sub == "myid":
		c.out.bulk(n.ID)
	case sub == "info":
		c.out.text(n.clusterInfo(t))
	case sub == "nodes":
		c.out.text(n.clusterNodes(t))
	case sub == "slots":
		c.clusterSlots(t)
	case sub == "shards":
		c.clusterShards(t)
	case sub == "keyslot" && len(args) == 3:
		c.out.int(int(Slot(args[2])))
	case (sub == "countkeysinslot" && len(args) == 3) || (sub == "getkeysinslot" && len(args) == 4):
		slot, err := strconv.ParseUint(args[2], 10, 16)
		limit := len(n.data)
		if err == nil && len(args) == 4 {
			limit, err = strconv.Atoi(args[3])
		}
		if err != nil || slot >= NumSlots || limit < 0 {
			c.fail("ERR Invalid slot")
			return
		}
		keys := n.keysInLocked(uint16(slot), limit)
		if len(args) == 3 {
			c.out.int(len(keys))
		} else {
			c.out.bulks(keys...)
		}
	default:
		c.unknownSub(args)
	}
}

// runs returns the slots of n as runs.
func (t *topology) runs(n *FakeNode) []slotRange {
	var runs []slotRange
	for slot, owner := range t.owner {
		switch {
		case owner != n:
		case len(runs) > 0 && runs[len(runs)-1].last == slot-1:
			runs[len(runs)-1].last = slot
		default:
			runs = append(runs, slotRange{slot, slot})
		}
	}
	return runs
}

func (n *FakeNode) clusterInfo(t *topology) string {
	state, assigned, owners := "ok", 0, map[*FakeNode]bool{}
	for _, owner := range t.owner {
		if owner != nil {
			assigned++
			owners[owner] = true
		}
	}
	if n.faults.down || assigned < NumSlots {
		state = "fail"
	}
	epochOf := n
	if p := t.primaryOf[n]; p != nil {
		epochOf = p
	}
	return fmt.Sprintf("cluster_state:%s\r\ncluster_slots_assigned:%d\r\ncluster_slots_ok:%[2]d\r\n"+
		"cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\ncluster_known_nodes:%d\r\ncluster_size:%d\r\n"+
		"cluster_current_epoch:%d\r\ncluster_my_epoch:%d\r\n",
		state, assigned, len(t.members), len(owners), t.current, t.epoch[epochOf])
}

func (n *FakeNode) clusterNodes(t *topology) string {
	var b strings.Builder
	for _, m := range t.members {
		flags, primary, link, epoch := "master", "-", "connected", t.epoch[m]
		if p := t.primaryOf[m]; p != nil {
			flags, primary, epoch = "slave", p.ID, t.epoch[p]
		}
		if m == n {
			flags = "myself," + flags
		}
		if t.failed[m] {
			flags, link = flags+",fail", "disconnected"
		}
		fmt.Fprintf(&b, "%s %s:%d@%d %s %s 0 0 %d %s", m.ID, n.cluster.cfg.Host, m.port, m.port+10000, flags, primary, epoch, link)
		for _, r := range t.runs(m) {
			if r.first == r.last {
				fmt.Fprintf(&b, " %d", r.first)
			} else {
				fmt.Fprintf(&b, " %d-%d", r.first, r.last)
			}
		}
		if m == n {
			for slot, mv := range t.moving {
				if mv.from == n {
					fmt.Fprintf(&b, " [%d->-%s]", slot, mv.to.ID)
				} else if mv.to == n {
					fmt.Fprintf(&b, " [%d-<-%s]", slot, mv.from.ID)
				}
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// clusterSlots leaves failed replicas out, as Redis does.
func (c *fakeConn) clusterSlots(t *topology) {
	var body replies
	rows := 0
	for _, p := range t.members {
		nodes := []*FakeNode{p}
		for _, r := range t.replicasOf(p) {
			if !t.failed[r] {
				nodes = append(nodes, r)
			}
		}
		for _, run := range t.runs(p) {
			rows++
			body.array(2 + len(nodes))
			body.int(run.first)
			body.int(run.last)
			for _, n := range nodes {
				c.slotsNode(&body, n)
			}
		}
	}
	c.out.array(rows)
	c.out.raw(string(body.buf))
}

// slotsNode writes one node of CLUSTER SLOTS. A null endpoint means the host that answers.
func (c *fakeConn) slotsNode(body *replies, n *FakeNode) {
	cluster := c.node.cluster
	body.proto = c.out.proto
	body.array(4)
	if cluster.announced == "" {
		body.null()
	} else {
		body.bulk(cluster.announced)
	}
	body.int(n.port)
	body.bulk(n.ID)
	if cluster.announced == cluster.cfg.Host {
		body.mapping(0)
	} else {
		body.mapping(1)
		body.items("ip", cluster.cfg.Host)
	}
}

func (c *fakeConn) clusterShards(t *topology) {
	var primaries []*FakeNode
	for _, n := range t.members {
		if t.primaryOf[n] == nil {
			primaries = append(primaries, n)
		}
	}
	c.out.array(len(primaries))
	for _, p := range primaries {
		runs := t.runs(p)
		c.out.mapping(2)
		c.out.bulk("slots")
		c.out.array(2 * len(runs))
		for _, r := range runs {
			c.out.int(r.first)
			c.out.int(r.last)
		}
		nodes := append([]*FakeNode{p}, t.replicasOf(p)...)
		c.out.bulk("nodes")
		c.out.array(len(nodes))
		for _, n := range nodes {
			c.shardsNode(t, n)
		}
	}
}

func (c *fakeConn) shardsNode(t *topology, n *FakeNode) {
	cluster := c.node.cluster
	role, health := "master", "online"
	if t.primaryOf[n] != nil {
		role = "replica"
	}
	switch {
	case t.failed[n]:
		health = "failed"
	case n.faults.refuse == ErrorLoading:
		health = "loading"
	}
	c.out.mapping(7)
	c.out.items("id", n.ID, "port")
	c.out.int(n.port)
	c.out.items("ip", cluster.cfg.Host, "endpoint", cluster.announced, "role", role, "replication-offset")
	c.out.int(1)
	c.out.items("health", health)
}
