package redistest

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What nodes do by themselves takes a multiple of cluster-node-timeout: they call each other dead, and alive again, hold elections,
// become writable. So it is short while that is awaited. Else it is longer than a busy machine keeps a node waiting, or one that
// is merely late would be replaced, with a loss of writes, while a test looks at something else.
const (
	usualNodeTimeout = 30 * time.Second
	formingTimeout   = 2 * time.Second // while the cluster forms, and while it gets another node
	healingTimeout   = time.Second     // while it is to fail over, or to become whole again
)

// quick is the shorter one of two timeouts, the cluster's own and another.
func (cfg Config) quick(timeout time.Duration) time.Duration { return min(timeout, cfg.NodeTimeout) }

// TakeOver waits until the cluster has by itself replaced the owner of a slot, which was killed or stopped, and returns the
// new one.
func (c *Cluster) TakeOver(ctx context.Context, slot uint16, old *Node) (now *Node, err error) {
	err = c.quickly(ctx, healingTimeout, fmt.Sprintf("a replica to take over slot %d from %s", slot, old.Addr), func() error {
		if now = c.OwnerOf(slot); now == nil || now == old {
			return errors.New("none has so far")
		}
		return nil
	})
	return now, err
}

// quickly polls while the nodes' timeout is short.
func (c *Cluster) quickly(ctx context.Context, timeout time.Duration, what string, check func() error) error {
	if err := c.SetNodeTimeout(ctx, c.cfg.quick(timeout)); err != nil {
		return err
	}
	err := poll(ctx, what, check)
	return errors.Join(err, c.SetNodeTimeout(ctx, c.cfg.NodeTimeout))
}

// SetNodeTimeout changes cluster-node-timeout of all answering nodes. WaitReady sets it to what Config says.
func (c *Cluster) SetNodeTimeout(ctx context.Context, d time.Duration) error {
	for _, n := range c.Nodes() {
		if !n.answering() {
			continue
		}
		if err := n.Client().ConfigSet(ctx, "cluster-node-timeout", fmt.Sprint(d.Milliseconds())).Err(); err != nil {
			return fmt.Errorf("%s: %w", n.Addr, err)
		}
	}
	return nil
}
