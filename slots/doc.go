// Package slots says where a key lives: it hashes keys to slots and keeps the current map of slots to nodes.
//
// A Table is an immutable snapshot of a topology: a hash function, an array slot -> shard, and the shards. A Source loads
// one; Cluster is the Source of a Redis Cluster, which asks living nodes and prefers the best of the views they hold. A
// Watcher keeps the current Table behind an atomic pointer, so that readers take no lock:
//
//	c := slots.NewCluster(slots.ClusterConfig{Seeds: seeds})
//	defer c.Close()
//	w := slots.NewWatcher(c, 10*time.Second, 100*time.Millisecond)
//	w.OnChange(reroute)   // before Run
//	go w.Run(ctx)         // ends with ctx
//	shard := w.Table().ShardFor(key)
//
// A redirect is reported with Moved, which patches one slot at once and asks for a load; anything else that hints at a
// changed topology is reported with Refresh. Both may be called for every reply: loads are coalesced and kept apart.
//
// The package talks to nodes only to learn about them (topology, the command table, the version). It carries no client's
// bytes, opens no connection for traffic, and does not judge the nodes' health beyond what the cluster itself says.
//
// Goroutines: Watcher.Run runs in its caller's and starts none. Cluster.Load asks each node in a goroutine of its own,
// which lasts at most the connect timeout and may outlive Load; Cluster.Close ends them all and waits.
package slots
