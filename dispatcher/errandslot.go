package dispatcher

import (
	"context"
	"errors"
	"strings"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// attempts is one question's budget of redirects and time.
type attempts struct {
	e        *Errand
	count    int   // troubles so far
	hops     int   // redirects among them
	deadline int64 // by backend.Now; 0 before the first trouble
}

// again waits until the question may be sent again after trouble b; false if
// the budget is spent or ctx has ended.
func (a *attempts) again(ctx context.Context, b bounce) bool {
	now := backend.Now()
	cfg := &a.e.d.cfg
	if a.deadline == 0 {
		a.deadline = now + int64(cfg.RedirectTimeout)
	}
	a.count++
	a.e.d.stats.Bounces[b].Add(1)
	if b == bounceMoved || b == bounceAsk {
		a.hops++
	}
	if now >= a.deadline || a.hops > max(cfg.MaxRedirects, 0) {
		return false
	}
	if wait := min(waitAfter(b, a.count), time.Duration(a.deadline-now)); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
		}
	}
	a.e.d.stats.Retries.Add(1)
	return ctx.Err() == nil
}

// AskSlot asks the node that owns slot, or with readOnly one that the read
// preference allows, and follows redirects, failovers and lost connections within
// the budget that requests have. The reply may be an error reply, also one of
// those when the budget is spent.
func (e *Errand) AskSlot(ctx context.Context, slot uint16, readOnly bool, args ...[]byte) ([]byte, error) {
	reply, err := e.askSlot(ctx, slot, readOnly, args)
	return reply.Bytes, err
}

func (e *Errand) askSlot(ctx context.Context, slot uint16, readOnly bool, args [][]byte) (reply NodeReply, err error) {
	wire := resp.AppendCommandBytes(nil, args)
	err = e.follow(ctx, slot, readOnly, e.safe(args), func(q leg) ([]byte, error) {
		q.wire = wire
		var err error
		reply, err = e.ask(ctx, q)
		return reply.Bytes, err
	})
	if err != nil {
		return NodeReply{}, err
	}
	return reply, nil
}

// follow calls once with the node that owns slot, by the profile to ask it by, and
// again, with the next one, for as long as it returns a redirect or an error that
// may pass, within the budget that requests have. safe says that it may be done again
// though it is not known whether it was done. The error is for the client; without
// one the last reply is the answer.
func (e *Errand) follow(ctx context.Context, slot uint16, readOnly, safe bool, once func(q leg) (reply []byte, err error)) error {
	budget := attempts{e: e}
	for target, asking := "", false; ; {
		q := leg{addr: target, profile: e.profile, asking: asking}
		if target == "" {
			var err error
			if q.addr, q.profile, err = e.route(slot, readOnly && budget.hops == 0); err != nil {
				if !budget.again(ctx, bounceDown) {
					return err
				}
				continue
			}
		}
		reply, err := once(q)
		if err != nil {
			if target, asking = "", false; e.mayRepeat(ctx, err, safe) && budget.again(ctx, bounceLost) {
				continue
			}
			return e.explain(err, safe)
		}
		b := classify(reply)
		if b == bounceNone {
			return nil
		}
		var ok bool
		if target, asking, ok = e.redirected(slot, b, reply, q); !ok || !budget.again(ctx, b) {
			return nil
		}
	}
}

// route returns the node for a slot and the profile to ask it by, or an error if
// there is none at the moment.
func (e *Errand) route(slot uint16, readOnly bool) (string, backend.ProfileHandle, error) {
	if slot == noSlot {
		if addr := e.Any(); addr != "" {
			return addr, e.profile, nil
		}
		return "", e.profile, &failure{text: errNotServed}
	}
	sh := e.d.routes.Load().shard(slot)
	if sh == nil || sh.primary == nil {
		return "", e.profile, &failure{text: errNotServed}
	}
	if readOnly && e.d.cfg.ReadPrefer != PreferPrimary && !e.d.moving.is(slot) {
		if m := e.d.reader(sh, e.seed); m != sh.primary {
			return m.node.Addr, e.readProfile, nil
		}
	}
	addr := sh.primary.node.Addr
	if sh.primary.unhealthy.Load() {
		return "", e.profile, &failure{text: "CLUSTERDOWN node " + addr + " has failed, and no replica has taken its place yet"}
	}
	return addr, e.profile, nil
}

// lost tells the topology of a lost connection and reports whether the question
// may be sent again.
func (e *Errand) lost(ctx context.Context, err error, args [][]byte) bool {
	return e.mayRepeat(ctx, err, e.safe(args))
}

// mayRepeat is lost for a question of which it is known whether it is safe.
func (e *Errand) mayRepeat(ctx context.Context, err error, safe bool) bool {
	lost := (*backend.LostError)(nil)
	return e.broken(ctx, err) && (errors.As(err, &lost) && !lost.Sent || safe)
}

// broken is lost for a question that does no harm: it reports whether another
// connection may help.
func (e *Errand) broken(ctx context.Context, err error) bool {
	lost := (*backend.LostError)(nil)
	refused := (*backend.HandshakeError)(nil)
	if ctx.Err() != nil || !errors.As(err, &lost) || errors.As(err, &refused) ||
		errors.Is(err, backend.ErrTooLong) || errors.Is(err, backend.ErrTimeout) || errors.Is(err, backend.ErrTooManyLeases) {
		return false
	}
	e.d.topology.Refresh("connection lost")
	return true
}

// redirected acts on a node's error b and returns where to ask next: a node, or
// "" for the one that the routes say.
func (e *Errand) redirected(slot uint16, b bounce, reply []byte, q leg) (target string, asking, ok bool) {
	switch b {
	case bounceMoved, bounceAsk:
		of, addr, ok := parseRedirect(strings.TrimSpace(string(reply[1:])), q.addr)
		if !ok {
			return "", false, false
		}
		if b == bounceAsk {
			e.d.noteMoving(slot)
			return addr, true, true
		}
		e.d.topology.Moved(of, addr)
		if of == slot {
			addr = ""
		}
		return addr, false, true
	case bounceTryAgain:
		e.d.noteMoving(slot)
		return q.addr, q.asking, true
	}
	e.d.topology.Refresh(bounceNames[b])
	return "", false, true
}
