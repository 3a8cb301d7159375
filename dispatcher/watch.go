package dispatcher

import (
	"context"
	"errors"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// Watch is what a session has watched since its last EXEC: a connection of its
// own, to the one node that watches the keys. The zero value watches nothing. It
// must be ended by Errand.Exec, Errand.Unwatch or End. Its methods are for one
// goroutine at a time.
type Watch struct {
	lease  *backend.Lease // nil: nothing is watched
	asking bool           // the keys' slot is moving to the node
	by     backend.ProfileHandle
	lost   bool // not all keys are watched: EXEC aborts
	keys   map[string]uint16
	slots  map[uint16]bool
}

// Keys returns how many keys are watched.
func (w *Watch) Keys() int { return len(w.keys) }

// Active reports whether the Watch has a connection.
func (w *Watch) Active() bool { return w.lease != nil }

// End gives the connection up. It may be called again.
func (w *Watch) End() {
	if w.lease != nil {
		w.lease.Spoil()
	}
	w.release()
}

// release gives the connection, whose node watches nothing any more, to others.
func (w *Watch) release() {
	if w.lease != nil {
		w.lease.Release()
	}
	*w = Watch{}
}

// guards reports whether a transaction with keys of that slot can be executed at
// the node where w watches.
func (d *Dispatcher) guards(w *Watch, slot uint16) bool {
	if w.slots[slot] {
		return true // if it has moved away, EXEC aborts
	}
	sh := d.routes.Load().shard(slot)
	return sh != nil && sh.primary != nil && sh.primary.node == w.lease.Node()
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

// Watch watches more keys and returns the reply. All must be at one node.
func (e *Errand) Watch(ctx context.Context, w *Watch, keys [][]byte) []byte {
	groups := e.d.bySlot(keys)
	if !e.together(w, groups) {
		return resp.AppendError(nil, errCrossSlot)
	}
	var reply []byte
	for _, g := range groups {
		if w.lease == nil {
			reply = e.beginWatch(ctx, w, g)
		} else {
			reply = e.watchMore(ctx, w, g)
		}
		if isError(reply) {
			return reply
		}
	}
	return reply
}

// together reports whether the keys are at one node, which is that of w.
func (e *Errand) together(w *Watch, groups []*slotKeys) bool {
	if len(groups) > 1 && e.d.cfg.RejectCrossSlot {
		return false
	}
	rt := e.d.routes.Load()
	for _, g := range groups {
		if w.lease != nil && !e.d.guards(w, g.slot) || rt.shard(g.slot) != rt.shard(groups[0].slot) && w.lease == nil {
			return false
		}
	}
	return true
}

// beginWatch leases the connection and watches the first keys, at the node that
// has them after all redirects.
func (e *Errand) beginWatch(ctx context.Context, w *Watch, g *slotKeys) []byte {
	budget := attempts{e: e}
	for target, asking := "", false; ; {
		addr := target
		if addr == "" {
			var err error
			if addr, _, err = e.route(g.slot, false); err != nil {
				if budget.again(ctx, bounceDown) {
					continue
				}
				return resp.AppendError(nil, err.Error())
			}
		}
		lease := e.d.member(addr).node.Hold(e.profile)
		reply, err := e.over(ctx, lease, backend.Task{Wire: g.wire, Asking: asking})
		if err != nil {
			lease.Release()
			if target, asking = "", false; e.broken(ctx, err) && budget.again(ctx, bounceLost) {
				continue
			}
			return resp.AppendError(nil, e.explain(err, true).Error())
		}
		b := classify(reply.Bytes)
		if b == bounceNone && !isError(reply.Bytes) {
			*w = Watch{lease: lease, by: e.profile, asking: asking, keys: make(map[string]uint16), slots: make(map[uint16]bool)}
			w.note(g)
			return reply.Bytes
		}
		lease.Release()
		if b == bounceNone {
			return reply.Bytes
		}
		var ok bool
		if target, asking, ok = e.redirected(g.slot, b, reply.Bytes, leg{addr: addr, asking: asking}); !ok || !budget.again(ctx, b) {
			return reply.Bytes
		}
	}
}

func (w *Watch) note(g *slotKeys) {
	w.slots[g.slot] = true
	for _, key := range g.keys {
		w.keys[string(key)] = g.slot
	}
}

// watchMore watches keys over the connection that is there. If that is lost or
// the keys have moved, what was watched before is not watched together with them:
// EXEC will abort, and the client begins again.
func (e *Errand) watchMore(ctx context.Context, w *Watch, g *slotKeys) []byte {
	reply, err := e.over(ctx, w.lease, backend.Task{Wire: g.wire, Asking: w.asking})
	if err == nil && classify(reply.Bytes) == bounceNone {
		if !isError(reply.Bytes) {
			w.note(g)
		}
		return reply.Bytes
	}
	w.lost = true
	return []byte("+OK\r\n")
}

// Unwatch ends w, so that its connection can serve others.
func (e *Errand) Unwatch(ctx context.Context, w *Watch) {
	if w.lease == nil {
		return
	}
	reply, err := e.over(ctx, w.lease, backend.Task{Wire: resp.AppendCommand(nil, "UNWATCH")})
	if err != nil || isError(reply.Bytes) {
		w.End()
		return
	}
	w.release()
}

// Exec executes t where w watches, ends w, and returns the reply to EXEC. That is
// nil, as if a watched key had changed, if the connection was lost or a key has
// moved: without a guard nothing is executed.
func (e *Errand) Exec(ctx context.Context, w *Watch, t *Transaction) []byte {
	e.d.stats.Transactions.Add(1)
	defer w.End()
	aborted := resp.AppendNullArray(nil, e.profile.Value().Proto)
	if w.lost || w.by != e.profile || !e.stillThere(ctx, w, t) {
		e.d.stats.Aborted.Add(1)
		return aborted
	}
	u := t.last
	if u == nil {
		u = &unit{wire: wireMulti[:len(wireMulti):len(wireMulti)]}
	}
	task := backend.Task{Asking: w.asking}
	u.task(&task)
	addr := w.lease.Node().Addr
	e.wroteAt(w.lease.Node())
	reply, err := e.over(ctx, w.lease, task)
	if err != nil {
		if lost := (*backend.LostError)(nil); errors.As(err, &lost) && !lost.Sent {
			e.d.stats.Aborted.Add(1)
			return aborted
		}
		return resp.AppendError(nil, e.explain(err, false).Error())
	}
	if isError(reply.Bytes) {
		return e.refused(w, unitOutcome(addr, task.Prelude, reply.Bytes), aborted)
	}
	w.release() // EXEC has ended all watching
	if kind, n, _, ok := resp.Header(reply.Bytes); !ok || kind != '*' || n != u.commands {
		e.d.stats.Aborted.Add(1)
		return reply.Bytes // nil
	}
	if len(t.answers) == 0 {
		return reply.Bytes
	}
	return t.assembleOne(reply.Bytes)
}

// refused is the reply to an EXEC that was refused: aborted if its keys have
// moved away.
func (e *Errand) refused(w *Watch, fault, aborted []byte) []byte {
	b := classify(fault)
	if b == bounceNone {
		return fault
	}
	q := leg{addr: w.lease.Node().Addr, asking: w.asking}
	for slot := range w.slots {
		e.redirected(slot, b, fault, q)
		break
	}
	e.d.stats.Aborted.Add(1)
	return aborted
}

// stillThere asks whether the keys that are watched, and that no command of t
// has, are still at w's node: the node tells of the others itself. A key that does
// not exist can come into being at another node without this one's knowledge.
func (e *Errand) stillThere(ctx context.Context, w *Watch, t *Transaction) bool {
	var strays [][]byte
	for key := range w.keys {
		if !t.keys[key] {
			strays = append(strays, []byte(key))
		}
	}
	for _, g := range e.d.bySlot(strays) {
		reply, err := e.over(ctx, w.lease, backend.Task{Wire: g.wire, Asking: w.asking})
		if err != nil {
			return false
		}
		if isError(reply.Bytes) {
			if b := classify(reply.Bytes); b != bounceNone {
				e.redirected(g.slot, b, reply.Bytes, leg{addr: w.lease.Node().Addr})
			}
			return false
		}
	}
	return true
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
