package dispatcher

import (
	"math/rand/v2"
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
)

// trouble changes the cluster under the load for a while. Between changes it lets pass what is under way: a slot that left a
// node and came back while commands stood in line there would really be served by it again, in another order.
func trouble(t *testing.T, cluster *redistest.FakeCluster, l *load, times int) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range times {
		if t.Failed() {
			return
		}
		n := cluster.Nodes()[rng.IntN(6)]
		pass := func() { l.passed(t) }
		switch rng.IntN(8) {
		case 0, 1:
			primaries := cluster.Primaries()
			migrate(cluster, redistest.Slot(key(rng.IntN(tags), 0)), primaries[rng.IntN(len(primaries))], pass)
		case 2:
			n.CutConns()
		case 3:
			n.CutAfterReplyBytes(rng.IntN(200))
		case 4: // as CLUSTER FAILOVER does
			if replicas := cluster.ReplicasOf(n); len(replicas) > 0 {
				cluster.Failover(replicas[0])
			}
		case 5:
			die(t, cluster, n, pass)
		case 6:
			grow(t, cluster, redistest.Slot(key(rng.IntN(tags), 0)), pass)
		case 7:
			n.Delay(time.Duration(rng.IntN(2)) * time.Millisecond)
		}
		pass()
	}
}

// migrate moves a slot of the load's, with pauses on the way.
func migrate(cluster *redistest.FakeCluster, slot uint16, to *redistest.FakeNode, pass func()) {
	cluster.BeginMigrate(slot, to)
	pass()
	cluster.MigrateKeys(slot, 1)
	pass()
	cluster.EndMigrate(slot)
}

// die kills a node, has a replica take over if it is a primary, and revives it as a replica.
func die(t *testing.T, cluster *redistest.FakeCluster, n *redistest.FakeNode, pass func()) {
	replicas := cluster.ReplicasOf(n)
	n.Kill()
	if len(replicas) > 0 {
		cluster.Failover(replicas[0])
	}
	pass()
	if err := n.Revive(); err != nil {
		t.Error(err)
	}
}

// grow adds a node, which has a slot for a while and leaves.
func grow(t *testing.T, cluster *redistest.FakeCluster, slot uint16, pass func()) {
	n, err := cluster.AddNode()
	if err != nil {
		t.Fatal(err)
	}
	back := cluster.Primaries()[0]
	migrate(cluster, slot, n, pass)
	pass()
	migrate(cluster, slot, back, pass)
	if err := cluster.RemoveNode(n); err != nil {
		t.Error(err)
	}
}
