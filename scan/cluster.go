package scan

import "context"

// Cluster is what a walk needs of a cluster. Errors are for the client: their
// text begins with a code.
type Cluster interface {
	// Layout returns who owns which slot, as known at the moment.
	Layout() Layout
	// SlotOf returns the slot of a key.
	SlotOf(key []byte) uint16
	// Ask sends commands to one node over one connection without a pause in
	// between, and returns the reply to each as RESP2, valid for good.
	Ask(ctx context.Context, addr string, commands ...[][]byte) ([][]byte, error)
	// AskSlot asks the owner of slot, with all that it takes to find it:
	// redirects, which the Layout learns from, and patience with a failover.
	AskSlot(ctx context.Context, slot uint16, command ...[]byte) ([]byte, error)
}

// Layout is who owns which slot. It does not change.
type Layout interface {
	// Owner returns the address of the primary of a slot, "" if it has none.
	Owner(slot uint16) string
	// Addr returns the address of the node with an id, "" if it is not known.
	Addr(id string) string
}
