package redistest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Failover makes a replica the primary of its shard and waits until it says so itself. Given a primary, it takes one of
// its replicas. It is the orderly failover of CLUSTER FAILOVER if the primary answers, else CLUSTER FAILOVER FORCE. It
// returns the new primary; WaitReady waits until all nodes know it.
func (c *Cluster) Failover(ctx context.Context, n *Node) (*Node, error) {
	if replicas := c.ReplicasOf(n); len(replicas) > 0 {
		n = replicas[0]
	}
	_, self, err := n.view(ctx)
	if err != nil {
		return nil, err
	}
	if !self.has("slave") {
		return nil, fmt.Errorf("failover: %s is a primary without replicas", n.Addr)
	}
	args := []any{"cluster", "failover"}
	for _, p := range c.Nodes() {
		if p.ID == self.primary && !p.answering() {
			args = append(args, "force")
		}
	}
	err = c.quickly(ctx, healingTimeout, "the failover to "+n.Addr, func() error {
		_, self, err := n.view(ctx)
		if err != nil || self.has("master") {
			return err
		}
		// Asked again and again: Redis gives up an attempt that gets no majority in time, and forgets it.
		if err = n.Client().Do(ctx, args...).Err(); err != nil {
			return err
		}
		return errors.New("it is still a replica")
	})
	return n, err
}

// AddNode starts an empty primary, makes it known to all answering nodes and waits until the cluster is whole.
func (c *Cluster) AddNode(ctx context.Context) (*Node, error) {
	n, err := c.newNode()
	if err != nil {
		return nil, err
	}
	err = n.writeNodesConf([]string{n.nodesConfLine("myself,master - 0 0 0", n.ID)}, 0)
	if err == nil {
		err = n.run()
	}
	if err == nil {
		err = n.waitAnswers(ctx)
	}
	if err != nil {
		err = n.explain(err)
		n.Close()
		return nil, err
	}
	var known []*Node
	for _, other := range c.Nodes() {
		if other.answering() {
			known = append(known, other)
		}
	}
	c.mu.Lock()
	c.nodes = append(c.nodes, n)
	c.mu.Unlock()
	var met time.Time
	return n, c.quickly(ctx, formingTimeout, "the cluster to be ready", func() error {
		err := c.readyError(ctx)
		if err == nil || time.Since(met) < 2*formingTimeout {
			return err
		}
		met = time.Now() // and again: a node that is not met within the timeout is forgotten
		for _, other := range known {
			if err := other.Client().Do(ctx, "cluster", "meet", n.cfg.Host, n.port, n.busPort).Err(); err != nil {
				return fmt.Errorf("MEET at %s: %w", other.Addr, err)
			}
		}
		return err
	})
}

// AddReplica starts a node, makes it a replica of primary and waits until it is in sync.
func (c *Cluster) AddReplica(ctx context.Context, primary *Node) (*Node, error) {
	n, err := c.AddNode(ctx)
	if err != nil {
		return nil, err
	}
	if err := n.Client().ClusterReplicate(ctx, primary.ID).Err(); err != nil {
		return nil, fmt.Errorf("REPLICATE at %s: %w", n.Addr, err)
	}
	return n, c.waitReady(ctx, formingTimeout)
}

// RemoveNode kills a node that owns no slots and makes all answering ones forget it. A node that owns slots, or that a
// running replica follows, is refused.
func (c *Cluster) RemoveNode(ctx context.Context, n *Node) error {
	if slices.Contains(c.Primaries(), n) {
		return fmt.Errorf("%s still owns slots", n.Addr)
	}
	if r := c.ReplicasOf(n); len(r) > 0 {
		return fmt.Errorf("%s still has the replica %s", n.Addr, r[0].Addr)
	}
	n.Kill()
	c.mu.Lock()
	c.nodes = slices.DeleteFunc(c.nodes, func(other *Node) bool { return other == n })
	c.mu.Unlock()
	n.Close()
	for _, other := range c.Nodes() {
		if !other.answering() {
			continue
		}
		if err := other.Client().ClusterForget(ctx, n.ID).Err(); err != nil {
			return fmt.Errorf("FORGET at %s: %w", other.Addr, err)
		}
	}
	return nil
}
