// Package scan walks over the keys of a whole cluster for a client that sends
// SCAN as to one server.
//
// The walk keeps nothing between two calls: its position is the cursor, which
// any proxy in front of the cluster understands. The position is a slot, and
// where need be a place inside the slot (position.go). Slots, unlike nodes, do
// not come and go: whatever slots move and nodes fail over in between, the next
// call asks whoever owns the slot then.
//
// What a node says counts only together with whether it owned the slot at that
// very moment and was not giving it away, so each question to a node is one
// MULTI with CLUSTER NODES in it (glimpse.go). Servers differ in how a slot's
// keys can be had:
//
//   - Redis from 7.4 and Valkey from 8 on keep a dictionary for each slot, and
//     their own cursor begins at any slot (slotted.go).
//   - Older ones have one dictionary, and their cursor means nothing to another
//     process. There keys are listed by slot with CLUSTER GETKEYSINSLOT
//     (flat.go), and only a slot with very many keys is picked out of the
//     node's own SCAN (picked.go).
//   - Of a slot that is moving, both ends are asked (listing.go).
//
// The package knows nodes as addresses that answer commands, and does no I/O
// and starts no goroutine itself. A Walker is safe for concurrent use.
package scan
