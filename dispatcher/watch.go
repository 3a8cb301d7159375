package dispatcher

import (
	"context"
	"errors"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// Watch is what a session has watched since its last EXEC. The zero value watches
// nothing. It must be ended by Errand.Exec, Errand.Unwatch or End. Its methods are
// for one goroutine at a time.
type Watch struct {
	posts []*post // one for each node; several only with SplitTransactions
	by    backend.ProfileHandle
	lost  bool // not all keys are watched: EXEC aborts
}

// post is a connection of the session's own to a node that watches keys.
type post struct {
	lease  *backend.Lease
	asking bool // the keys' slot is moving to the node
	keys   map[string]uint16
	slots  map[uint16]bool
}

// Keys returns how many keys are watched.
func (w *Watch) Keys() (n int) {
	for _, p := range w.posts {
		n += len(p.keys)
	}
	return n
}

// Active reports whether the Watch has a connection.
func (w *Watch) Active() bool { return len(w.posts) > 0 }

// End gives the connections up. It may be called again.
func (w *Watch) End() {
	for _, p := range w.posts {
		p.lease.Spoil()
	}
	w.release()
}

// release gives the connections, whose nodes watch nothing any more, to others.
func (w *Watch) release() {
	for _, p := range w.posts {
		p.lease.Release()
	}
	*w = Watch{}
}

// guards reports whether a transaction with keys of that slot can be executed at
// the post's node.
func (d *Dispatcher) guards(p *post, slot uint16) bool {
	if p.slots[slot] {
		return true // if it has moved away, EXEC aborts
	}
	sh := d.routes.Load().shard(slot)
	return sh != nil && sh.primary != nil && sh.primary.node == p.lease.Node()
}

// postFor returns the post at whose node a transaction with keys of that slot can
// be executed, nil if there is none.
func (d *Dispatcher) postFor(w *Watch, slot uint16) *post {
	for _, p := range w.posts {
		if d.guards(p, slot) {
			return p
		}
	}
	return nil
}

// slotKeys is a WATCH of keys of one slot.
type slotKeys struct {
	slot uint16
	keys [][]byte
	wire []byte
}

// bySlot makes one WATCH for each slot, since a node takes no other.
func (d *Dispatcher) bySlot(keys [][]byte) (groups []*slotKeys) {
	index := make(map[uint16]*slotKeys)
	for _, key := range keys {
		slot := d.hash(key)
		g := index[slot]
		if g == nil {
			g = &slotKeys{slot: slot}
			index[slot] = g
			groups = append(groups, g)
		}
		g.keys = append(g.keys, key)
	}
	for _, g := range groups {
		g.wire = resp.AppendCommandBytes(nil, append([][]byte{[]byte("WATCH")}, g.keys...))
	}
	return groups
}

// Watch watches more keys and returns the reply. All must be at one node, except
// with SplitTransactions.
func (e *Errand) Watch(ctx context.Context, w *Watch, keys [][]byte) []byte {
	groups := e.d.bySlot(keys)
	if !e.together(w, groups) {
		return resp.AppendError(nil, errCrossSlot)
	}
	if w.Active() && !e.adopt(ctx, w) {
		w.lost = true
	}
	var reply []byte
	for _, g := range groups {
		if p := e.d.postFor(w, g.slot); p != nil {
			reply = e.watchMore(ctx, w, p, g)
		} else {
			reply = e.beginWatch(ctx, w, g)
		}
		if isError(reply) {
			return reply
		}
	}
	return reply
}

// together reports whether the keys may be watched together, and with those of w.
func (e *Errand) together(w *Watch, groups []*slotKeys) bool {
	switch {
	case e.d.cfg.SplitTransactions:
		return true
	case len(groups) > 1 && e.d.cfg.RejectCrossSlot:
		return false
	}
	rt := e.d.routes.Load()
	for _, g := range groups {
		if w.Active() && !e.d.guards(w.posts[0], g.slot) || rt.shard(g.slot) != rt.shard(groups[0].slot) && !w.Active() {
			return false
		}
	}
	return true
}

// beginWatch leases a connection and watches its first keys, at the node that has
// them after all redirects.
func (e *Errand) beginWatch(ctx context.Context, w *Watch, g *slotKeys) (reply []byte) {
	err := e.follow(ctx, g.slot, false, true, func(q leg) ([]byte, error) {
		lease := e.d.member(q.addr).node.Hold(q.profile)
		got, err := e.over(ctx, lease, backend.Task{Wire: g.wire, Asking: q.asking})
		if reply = got.Bytes; err != nil || isError(reply) {
			lease.Release()
			return reply, err
		}
		p := &post{lease: lease, asking: q.asking, keys: make(map[string]uint16), slots: make(map[uint16]bool)}
		p.note(g)
		w.posts, w.by = append(w.posts, p), e.profile
		return reply, nil
	})
	if err != nil {
		return errorBytes(err)
	}
	return reply
}

func (p *post) note(g *slotKeys) {
	p.slots[g.slot] = true
	for _, key := range g.keys {
		p.keys[string(key)] = g.slot
	}
}

// watchMore watches keys over a connection that is there. If that is lost or the
// keys have moved, what was watched before is not watched together with them: EXEC
// will abort, and the client begins again.
func (e *Errand) watchMore(ctx context.Context, w *Watch, p *post, g *slotKeys) []byte {
	reply, err := e.over(ctx, p.lease, backend.Task{Wire: g.wire, Asking: p.asking})
	if err == nil && classify(reply.Bytes) == bounceNone {
		if !isError(reply.Bytes) {
			p.note(g)
		}
		return reply.Bytes
	}
	w.lost = true
	return []byte("+OK\r\n")
}

// Unwatch ends w, so that its connections can serve others.
func (e *Errand) Unwatch(ctx context.Context, w *Watch) {
	for _, p := range w.posts {
		reply, err := e.over(ctx, p.lease, backend.Task{Wire: resp.AppendCommand(nil, "UNWATCH")})
		if err != nil || isError(reply.Bytes) {
			p.lease.Spoil()
		}
	}
	w.release()
}

// AskMulti asks a node whether the session's user may use MULTI: if a node refused
// it in a unit, it would execute what comes behind it nevertheless. It returns the
// refusal, nil if there is none. certain is false if no node could be asked: then
// the transaction will meet the same trouble.
func (e *Errand) AskMulti(ctx context.Context) (refusal []byte, certain bool) {
	budget := attempts{e: e}
	for {
		n := e.d.AnyNode(e.seed + uint32(budget.count))
		if n == nil {
			return nil, false
		}
		var t backend.Task
		(&unit{wire: wireMulti[:len(wireMulti):len(wireMulti)]}).task(&t)
		lease := n.Lease(e.profile)
		reply, err := e.over(ctx, lease, t)
		if err == nil && t.Prelude.Fault == nil && isError(reply.Bytes) {
			lease.Spoil() // EXEC was refused, and the transaction may be open
		}
		lease.Release()
		refused := (*backend.HandshakeError)(nil)
		switch {
		case errors.As(err, &refused):
			return resp.AppendError(nil, refused.Text), true
		case err != nil && (budget.count >= 2 || !e.broken(ctx, err) || !budget.again(ctx, bounceLost)):
			return nil, false
		case err != nil:
			continue
		}
		refusal = reply.Bytes
		if t.Prelude.Fault != nil {
			refusal = t.Prelude.Fault
		}
		switch {
		case !isError(refusal):
			return nil, true
		case classify(refusal) != bounceNone: // it cannot serve anybody now
			return nil, false
		}
		return refusal, true
	}
}
