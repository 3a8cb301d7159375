package dispatcher

import (
	"time"

	"redis-cluster-proxy/slots"
)

// Layout is the topology as the Dispatcher routes by it, for people.
type Layout struct {
	// Epoch is the cluster's, 0 if it is not known.
	Epoch uint64
	// Loaded is when the cluster was asked last; zero: not yet.
	Loaded time.Time
	// Covered is how many slots have a shard.
	Covered int
	// Shards are in the order of the routes.
	Shards []ShardLayout
}

// ShardLayout is one shard.
type ShardLayout struct {
	// Ranges are the first and last slots of what it serves, in order.
	Ranges [][2]uint16
	// Primary has no Addr if there is none.
	Primary NodeLayout
	// Replicas are all of them, healthy or not.
	Replicas []NodeLayout
}

// NodeLayout is one node.
type NodeLayout struct {
	// Addr is its address, ID its name in the cluster, "" if not known.
	Addr, ID string
	// Healthy says that the cluster does not call it failed.
	Healthy bool
	// Reachable says that the proxy has not just lost its connections to it.
	Reachable bool
}

// Layout returns the topology of now.
func (d *Dispatcher) Layout() Layout {
	t := d.routes.Load().table
	asked := d.topology.Table() // younger than the routes, if the cluster's latest answer changed nothing
	l := Layout{Epoch: asked.Epoch, Loaded: asked.Loaded, Covered: t.Covered(), Shards: make([]ShardLayout, len(t.Shards))}
	for i, sh := range t.Shards {
		if sh.Primary != nil {
			l.Shards[i].Primary = d.nodeLayout(sh.Primary)
		}
		for _, n := range sh.Replicas {
			l.Shards[i].Replicas = append(l.Shards[i].Replicas, d.nodeLayout(n))
		}
	}
	before := slots.NoShard
	for slot, i := range t.Slot {
		if i != slots.NoShard {
			sh := &l.Shards[i]
			if i != before {
				sh.Ranges = append(sh.Ranges, [2]uint16{uint16(slot), uint16(slot)})
			}
			sh.Ranges[len(sh.Ranges)-1][1] = uint16(slot)
		}
		before = i
	}
	return l
}

func (d *Dispatcher) nodeLayout(n *slots.Node) NodeLayout {
	return NodeLayout{Addr: n.Addr, ID: n.ID, Healthy: n.Healthy, Reachable: !d.member(n.Addr).node.Failing()}
}
