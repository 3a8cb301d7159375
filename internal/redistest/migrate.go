package redistest

import (
	"context"
	"fmt"
)

// MoveSlot moves a slot with all its keys from one primary to another, as redis-cli --cluster reshard does but key by key:
// BeginMigrate, MigrateKeys, EndMigrate. A nil from means the slot's owner. perKey, unless nil, is called after each key
// that has moved.
func (c *Cluster) MoveSlot(ctx context.Context, slot uint16, from, to *Node, perKey func()) error {
	if from == nil {
		if from = c.OwnerOf(slot); from == nil {
			return fmt.Errorf("slot %d has no owner", slot)
		}
	}
	if from == to {
		return nil
	}
	if err := c.BeginMigrate(ctx, slot, from, to); err != nil {
		return err
	}
	for {
		moved, err := c.MigrateKeys(ctx, slot, from, to, 1)
		if err != nil {
			return err
		}
		if moved == 0 {
			// None can come in any more: a key that from does not have is created at to.
			return c.EndMigrate(ctx, slot, from, to)
		}
		if perKey != nil {
			perKey()
		}
	}
}

// BeginMigrate opens the slot at both ends: to imports it, from migrates it. From then on from answers ASK for keys that
// it does not have.
func (c *Cluster) BeginMigrate(ctx context.Context, slot uint16, from, to *Node) error {
	// In this order: were from first, it could send a client to a node that knows nothing yet of the import.
	if err := to.Client().Do(ctx, "cluster", "setslot", slot, "importing", from.ID).Err(); err != nil {
		return fmt.Errorf("SETSLOT %d IMPORTING: %w", slot, err)
	}
	if err := from.Client().Do(ctx, "cluster", "setslot", slot, "migrating", to.ID).Err(); err != nil {
		return fmt.Errorf("SETSLOT %d MIGRATING: %w", slot, err)
	}
	return nil
}

// MigrateKeys moves up to n keys of a slot that BeginMigrate has opened, all in one MIGRATE, and returns how many it tried
// to move: 0 means that there were none left.
func (c *Cluster) MigrateKeys(ctx context.Context, slot uint16, from, to *Node, n int) (moved int, err error) {
	keys, err := from.Client().ClusterGetKeysInSlot(ctx, int(slot), n).Result()
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	args := []any{"migrate", to.cfg.Host, to.port, "", 0, queryTimeout.Milliseconds()}
	if c.cfg.Password != "" {
		args = append(args, "auth", c.cfg.Password)
	}
	args = append(args, "keys")
	for _, key := range keys {
		args = append(args, key)
	}
	if err = from.Client().Do(ctx, args...).Err(); err != nil {
		return 0, fmt.Errorf("MIGRATE of slot %d: %w", slot, err)
	}
	return len(keys), nil
}

// EndMigrate gives the slot to its new owner and tells all answering nodes that own slots. Replicas, and nodes that do not
// answer, learn it by gossip: WaitReady waits for that. It fails while from still has keys of the slot.
func (c *Cluster) EndMigrate(ctx context.Context, slot uint16, from, to *Node) error {
	// The new owner first, and then the old one: in between, the slot has two owners that both serve it rather than none.
	tell := []*Node{to, from}
	for _, n := range c.Primaries() {
		if n != to && n != from {
			tell = append(tell, n)
		}
	}
	for _, n := range tell {
		if err := n.Client().Do(ctx, "cluster", "setslot", slot, "node", to.ID).Err(); err != nil {
			return fmt.Errorf("SETSLOT %d NODE at %s: %w", slot, n.Addr, err)
		}
	}
	return nil
}

// AbortMigrate closes a slot that BeginMigrate has opened. Keys that have already moved are then out of reach.
func (c *Cluster) AbortMigrate(ctx context.Context, slot uint16, from, to *Node) error {
	for _, n := range []*Node{from, to} {
		if err := n.Client().Do(ctx, "cluster", "setslot", slot, "stable").Err(); err != nil {
			return fmt.Errorf("SETSLOT %d STABLE at %s: %w", slot, n.Addr, err)
		}
	}
	return nil
}
