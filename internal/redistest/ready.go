package redistest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// WaitReady waits until the cluster is whole as far as its nodes run: each answering node says cluster_state:ok, is
// linked to and content with every other one, calls it online in CLUSTER SHARDS (Redis 7 and later), agrees with it who owns which slot,
// and has its replication link up. Nodes that were killed or stopped are not looked at.
func (c *Cluster) WaitReady(ctx context.Context) error {
	return c.waitReady(ctx, healingTimeout)
}

func (c *Cluster) waitReady(ctx context.Context, timeout time.Duration) error {
	return c.quickly(ctx, timeout, "the cluster to be ready", func() error { return c.readyError(ctx) })
}

// readyError returns what the cluster lacks, nil if nothing.
func (c *Cluster) readyError(ctx context.Context) error {
	var awaited []*Node
	for _, n := range c.Nodes() {
		if n.answering() {
			awaited = append(awaited, n)
		}
	}
	if len(awaited) == 0 {
		return errors.New("no node is running")
	}
	var agreed string
	for _, n := range awaited {
		owners, err := n.readyError(ctx, awaited)
		if err != nil {
			return fmt.Errorf("%s: %w", n.Addr, err)
		}
		if agreed == "" {
			agreed = owners
		}
		if owners != agreed {
			return fmt.Errorf("%s and %s disagree on the owners of slots", n.Addr, awaited[0].Addr)
		}
	}
	return nil
}

// readyError returns the node's view of who owns which slot, or what is missing in its view of the awaited nodes.
func (n *Node) readyError(ctx context.Context, awaited []*Node) (owners string, err error) {
	info, err := n.Client().ClusterInfo(ctx).Result()
	if err != nil {
		return "", err
	}
	if !strings.Contains(info, "cluster_state:ok") {
		return "", errors.New("cluster_state is not ok")
	}
	lines, _, err := n.view(ctx)
	if err != nil {
		return "", err
	}
	var claims []string
	healthy := map[string]bool{}
	for _, l := range lines {
		healthy[l.id] = l.healthy()
		if len(l.slots) > 0 {
			claims = append(claims, fmt.Sprint(l.id, l.slots))
		}
	}
	for _, other := range awaited {
		if !healthy[other.ID] {
			return "", fmt.Errorf("node %s is not connected", other.Addr)
		}
	}
	if err := n.onlineError(ctx, awaited); err != nil {
		return "", err
	}
	slices.Sort(claims)
	return strings.Join(claims, "\n"), n.replicationError(ctx)
}

// onlineError returns which of the awaited nodes CLUSTER SHARDS does not call online.
func (n *Node) onlineError(ctx context.Context, awaited []*Node) error {
	if !n.release.at(7) {
		return nil
	}
	shards, err := n.Client().ClusterShards(ctx).Result()
	if err != nil {
		return err
	}
	health := map[string]string{}
	for _, shard := range shards {
		for _, node := range shard.Nodes {
			health[node.ID] = node.Health
		}
	}
	for _, other := range awaited {
		if h := health[other.ID]; h != "online" {
			return fmt.Errorf("node %s is %q", other.Addr, h)
		}
	}
	return nil
}

// replicationError returns what is wrong with the node's replication: a replica without link, or a primary whose
// replicas are not all online.
func (n *Node) replicationError(ctx context.Context) error {
	info, err := n.Client().Info(ctx, "replication").Result()
	if err != nil {
		return err
	}
	if strings.Contains(info, "role:slave") && !strings.Contains(info, "master_link_status:up") {
		return errors.New("the link to the primary is down")
	}
	for line := range strings.Lines(info) {
		if strings.Contains(line, ",state=") && !strings.Contains(line, ",state=online") {
			return fmt.Errorf("a replica is not in sync: %s", strings.TrimSpace(line))
		}
	}
	return nil
}
