package dispatcher

import (
	"context"
	"errors"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// Exec executes t where w watches, and ends w. If t was not executed, it returns
// the reply to EXEC. That is the null of the protocol, as if a watched key had changed,
// if a connection was lost or a key has moved: without a guard nothing is executed.
// Otherwise t.Results will be the reply.
//
// One unit is executed by the EXEC that its guard decides about. With
// SplitTransactions there may be posts besides that unit's, and units besides it:
// first all other posts are asked whether their keys have changed, and the other
// units come last, so that a change that is noticed means that nothing was executed.
func (e *Errand) Exec(ctx context.Context, w *Watch, t *Transaction) (refusal []byte) {
	e.d.stats.Transactions.Add(1)
	defer w.End()
	guard, u := e.d.guarded(w, t)
	if w.lost || !e.adopt(ctx, w) || !e.unchanged(ctx, w, guard, u) {
		return e.aborted()
	}
	reply, fault := e.execAt(ctx, guard, u)
	if fault != nil {
		return fault
	}
	w.release() // each has had its EXEC, which ends all watching
	t.replies = make([][]byte, len(t.units))
	for i, other := range t.units {
		if other == u {
			t.replies[i] = reply
		} else {
			t.replies[i] = e.askUnit(ctx, other)
		}
	}
	return nil
}

// ExecFreely executes t, which nothing guards, by connections of its own. If none of
// it was executed it returns the reply to EXEC. Otherwise t.Results will be the reply.
func (e *Errand) ExecFreely(ctx context.Context, t *Transaction) (refusal []byte) {
	e.d.stats.Transactions.Add(1)
	t.replies = make([][]byte, len(t.units))
	for i, u := range t.units {
		t.replies[i] = e.askUnit(ctx, u)
	}
	_, _, refusal = t.sift(t.replies)
	return refusal
}

// aborted is the reply to an EXEC that did nothing because a key may have changed.
func (e *Errand) aborted() []byte {
	e.d.stats.Aborted.Add(1)
	return resp.AppendNullArray(nil, e.profile.Value().Proto)
}

// guarded returns the unit that is executed together with its guard, and that
// guard: the first unit with a watched key's slot, else one that the same node
// executes, else none, and the first post.
func (d *Dispatcher) guarded(w *Watch, t *Transaction) (guard *post, guarded *unit) {
	for _, p := range w.posts {
		for _, u := range t.units {
			if p.slots[u.slot] {
				return p, u
			}
		}
	}
	if len(t.units) > 0 && (t.units[0].slot == noSlot || !d.cfg.SplitTransactions) {
		return w.posts[0], t.units[0] // the only one; the node says if it is the wrong one
	}
	for _, u := range t.units {
		if p := d.postFor(w, u.slot); p != nil {
			return p, u
		}
	}
	return w.posts[0], nil
}

// execAt executes u, or nothing, over the post's connection. Without a fault, which
// is the reply to the client's EXEC then, reply has u's results.
func (e *Errand) execAt(ctx context.Context, p *post, u *unit) (reply, fault []byte) {
	if u == nil {
		u = &unit{wire: wireMulti[:len(wireMulti):len(wireMulti)]}
	}
	task := backend.Task{Asking: p.asking}
	u.task(&task)
	addr := p.lease.Node().Addr
	if u.writes {
		e.wroteIn(u.slot, p.lease.Node())
	}
	if u.lasting {
		p.lease.Spoil()
	}
	got, err := e.unitOver(ctx, p.lease, u, task)
	if err != nil {
		if lost := (*backend.LostError)(nil); errors.As(err, &lost) && (!lost.Sent || u.commands == 0) {
			return nil, e.aborted()
		}
		return nil, errorBytes(e.explain(err, false))
	}
	if isError(got.Bytes) {
		return nil, e.refused(p, unitOutcome(addr, task.Prelude, got.Bytes))
	}
	if kind, n, _, ok := resp.Header(got.Bytes); !ok || kind != '*' || n != u.commands {
		e.d.stats.Aborted.Add(1)
		return nil, got.Bytes // nil
	}
	return got.Bytes, nil
}

// refused is the reply to an EXEC that was refused: aborted if its keys have
// moved away.
func (e *Errand) refused(p *post, fault []byte) []byte {
	b := classify(fault)
	if b == bounceNone {
		return fault
	}
	q := leg{addr: p.lease.Node().Addr, asking: p.asking}
	for slot := range p.slots {
		e.redirected(slot, b, fault, q)
		break
	}
	return e.aborted()
}

// adopt puts the posts' connections into the profile that the session has got since
// it watched; false if that is not possible. A node goes on to watch.
func (e *Errand) adopt(ctx context.Context, w *Watch) bool {
	if w.by == e.profile {
		return true
	}
	for _, p := range w.posts {
		p.lease.Spoil()
		for _, cmd := range e.profile.Value().Since(w.by.Value()) {
			reply, err := e.over(ctx, p.lease, backend.Task{Wire: resp.AppendCommand(nil, cmd...)})
			if err != nil || isError(reply.Bytes) {
				return false
			}
		}
	}
	w.by = e.profile
	return true
}

// unchanged asks all posts but the guard of u whether what they watch has changed,
// and all of them whether it is still there.
func (e *Errand) unchanged(ctx context.Context, w *Watch, guard *post, u *unit) bool {
	for _, p := range w.posts {
		var told map[string]bool
		if p == guard && u != nil {
			told = u.keys
		}
		if !e.stillThere(ctx, p, told) {
			return false
		}
	}
	for _, p := range w.posts {
		if p == guard {
			continue
		}
		if _, fault := e.execAt(ctx, p, nil); fault != nil {
			return false
		}
	}
	return true
}

// stillThere asks whether the keys that are watched are still at the post's node,
// save those of which the node tells by itself. A key that does not exist can come
// into being at another node without this one's knowledge.
func (e *Errand) stillThere(ctx context.Context, p *post, told map[string]bool) bool {
	var strays [][]byte
	for key := range p.keys {
		if !told[key] {
			strays = append(strays, []byte(key))
		}
	}
	for _, g := range e.d.bySlot(strays) {
		reply, err := e.over(ctx, p.lease, backend.Task{Wire: g.wire, Asking: p.asking})
		if err != nil {
			return false
		}
		if isError(reply.Bytes) {
			if b := classify(reply.Bytes); b != bounceNone {
				e.redirected(g.slot, b, reply.Bytes, leg{addr: p.lease.Node().Addr})
			}
			return false
		}
	}
	return true
}

// askUnit executes a unit that nothing guards, wherever its slot is, and returns
// the reply.
func (e *Errand) askUnit(ctx context.Context, u *unit) (answer []byte) {
	var task backend.Task
	u.task(&task)
	err := e.follow(ctx, e.d.destination(u), false, !u.writes, func(q leg) ([]byte, error) {
		attempt := backend.Task{Wire: task.Wire, Asking: q.asking, Prelude: &backend.Prelude{Replies: task.Prelude.Replies}}
		lease := e.d.member(q.addr).node.Lease(q.profile)
		defer lease.Release()
		if u.lasting {
			lease.Spoil()
		}
		reply, err := e.unitOver(ctx, lease, u, attempt)
		if u.writes {
			e.wroteIn(u.slot, lease.Node())
		}
		if answer = reply.Bytes; err == nil && isError(answer) {
			lease.Spoil() // MULTI may have been taken and EXEC not
			answer = unitOutcome(q.addr, attempt.Prelude, answer)
		}
		return answer, err
	})
	if err != nil {
		return errorBytes(err)
	}
	return answer
}
