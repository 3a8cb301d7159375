package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// Errand is a series of questions to nodes on behalf of one session, by the
// session's profile. It blocks, and must not be used by the session's reader or a
// lane's. Each question has a leased connection of its own, so that a long reply
// delays nobody else's. It is safe for concurrent use.
//
// Its errors' texts are for the client, in one line, and begin with a code.
type Errand struct {
	// Set at construction.
	d           *Dispatcher
	profile     backend.ProfileHandle
	readProfile backend.ProfileHandle
	seed        uint32
	budget      *backend.Budget
}

// NodeReply is a node's reply.
type NodeReply struct {
	// Addr is the node's address.
	Addr string
	// Bytes is the whole reply as RESP, valid for good.
	Bytes []byte
}

// Errand makes an Errand by the profile that the Pipeline has now. Only the
// session's reader calls it.
func (p *Pipeline) Errand() *Errand {
	return &Errand{d: p.d, profile: p.profile, readProfile: p.readProfile, seed: p.seed}
}

// NewErrand makes an Errand by a profile.
func (d *Dispatcher) NewErrand(profile backend.Profile) *Errand {
	e := &Errand{d: d, profile: backend.MakeProfile(profile)}
	profile.ReadOnly = true
	e.readProfile = backend.MakeProfile(profile)
	return e
}

// Limit bounds the bytes of all replies from now on together; past it questions
// fail. Call it before the first of them.
func (e *Errand) Limit(bytes int64) { e.budget = backend.NewBudget(bytes) }

// Shards returns the shards of now; see Dispatcher.Shards.
func (e *Errand) Shards() []Shard { return e.d.Shards() }

// Any returns the address of a node that answers what any node can answer, ""
// if there is none.
func (e *Errand) Any() string {
	if n := e.d.AnyNode(e.seed); n != nil {
		return n.Addr
	}
	return ""
}

// failure is an error for the client.
type failure struct {
	text string
	err  error // the cause, may be nil
}

// Error implements error.
func (f *failure) Error() string { return f.text }

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.err }

// errTooLong is the text for replies that are longer than Limit allows.
const errTooLong = "ERR the reply is longer than this proxy may keep (-max-merged-bytes); the rest was not read"

// Ask asks one node once. Its reply may be an error reply of any kind.
func (e *Errand) Ask(ctx context.Context, addr string, args ...[]byte) ([]byte, error) {
	reply, err := e.ask(ctx, leg{addr: addr, profile: e.profile, wire: resp.AppendCommandBytes(nil, args)})
	if err != nil {
		return nil, e.explain(err, repeatable(args))
	}
	return reply, nil
}

// leg is one question to one node.
type leg struct {
	addr    string
	profile backend.ProfileHandle
	wire    []byte
	asking  bool
}

// ask asks over a leased connection. The error is a *backend.LostError.
func (e *Errand) ask(ctx context.Context, q leg) ([]byte, error) {
	l := e.d.member(q.addr).node.Lease(q.profile)
	defer l.Release()
	l.Keep(e.budget)
	if limit := e.d.pool.RequestTimeout(); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, backend.ErrTimeout)
		defer cancel()
	}
	do := l.Do
	if q.asking {
		do = l.DoAsking
	}
	reply, err := do(ctx, q.wire)
	if err != nil && errors.Is(context.Cause(ctx), backend.ErrTimeout) {
		return nil, &backend.LostError{Addr: q.addr, Sent: true, Err: backend.ErrTimeout}
	}
	return reply, err
}

// explain makes the client's error of one of ask's.
func (e *Errand) explain(err error, safe bool) error {
	lost := (*backend.LostError)(nil)
	refused := (*backend.HandshakeError)(nil)
	text := "ERR " + err.Error()
	switch {
	case errors.As(err, &refused):
		text = refused.Text
	case errors.Is(err, backend.ErrTooLong):
		text = errTooLong
	case !errors.As(err, &lost):
	case errors.Is(err, context.Canceled):
		text = "ERR interrupted: the client is gone or the proxy is ending"
	case errors.Is(err, backend.ErrTimeout) && safe:
		text = "ERR no reply from " + lost.Addr + " in time"
	case errors.Is(err, backend.ErrTimeout):
		e.d.stats.Unknown.Add(1)
		text = "UNKNOWNRESULT no reply from " + lost.Addr + " in time; the command may have been executed"
	case lost.Sent && !safe:
		e.d.stats.Unknown.Add(1)
		text = "UNKNOWNRESULT connection to " + lost.Addr + " lost after the command was sent; it may have been executed"
	default:
		text = fmt.Sprintf("CLUSTERDOWN node %s is unreachable: %v", lost.Addr, lost.Err)
	}
	return &failure{text: text, err: err}
}

// repeatable reports whether a command may be sent again when it is not known
// whether it was executed: it only reads, or it is about a server and not about
// keys, like CONFIG SET.
func repeatable(args [][]byte) bool {
	row, err := command.Builtin().Lookup(args)
	if err != nil {
		return false
	}
	const changes = command.FlagWrite | command.FlagMayReplicate | command.FlagModule
	return row.ReadOnly() || !row.MayWrite() && !row.HasKeys() && row.Flags&changes == 0
}

// safe is repeatable, and true for what the settings allow to be repeated.
func (e *Errand) safe(args [][]byte) bool {
	if repeatable(args) {
		return true
	}
	row, err := command.Builtin().Lookup(args)
	return err == nil && e.d.cfg.RetryIdempotent && row.Idempotent(args)
}

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
	q := leg{wire: resp.AppendCommandBytes(nil, args)}
	budget := attempts{e: e}
	for target, asking := "", false; ; {
		q.addr, q.profile, q.asking = target, e.profile, asking
		if target == "" {
			q.addr, q.profile = e.route(slot, readOnly && budget.hops == 0)
		}
		if q.addr == "" {
			if !budget.again(ctx, bounceDown) {
				return nil, &failure{text: errNotServed}
			}
			continue
		}
		reply, err := e.ask(ctx, q)
		if err != nil {
			if target, asking = "", false; e.lost(ctx, err, args) && budget.again(ctx, bounceLost) {
				continue
			}
			return nil, e.explain(err, e.safe(args))
		}
		b := classify(reply)
		if b == bounceNone {
			return reply, nil
		}
		ok := true
		if target, asking, ok = e.redirected(slot, b, reply, q); !ok || !budget.again(ctx, b) {
			return reply, nil
		}
	}
}

// route returns the node for a slot and the profile to ask it by; "" if there
// is none at the moment.
func (e *Errand) route(slot uint16, readOnly bool) (string, backend.ProfileHandle) {
	sh := e.d.routes.Load().shard(slot)
	if sh == nil || sh.primary == nil {
		return "", e.profile
	}
	if readOnly && e.d.cfg.ReadPrefer != PreferPrimary && !e.d.moving.is(slot) {
		if m := e.d.reader(sh, e.seed); m != sh.primary {
			return m.node.Addr, e.readProfile
		}
	}
	if sh.primary.unhealthy.Load() {
		return "", e.profile
	}
	return sh.primary.node.Addr, e.profile
}

// lost tells the topology of a lost connection and reports whether the question
// may be sent again.
func (e *Errand) lost(ctx context.Context, err error, args [][]byte) bool {
	lost := (*backend.LostError)(nil)
	refused := (*backend.HandshakeError)(nil)
	if ctx.Err() != nil || !errors.As(err, &lost) || errors.As(err, &refused) ||
		errors.Is(err, backend.ErrTooLong) || errors.Is(err, backend.ErrTimeout) {
		return false
	}
	e.d.topology.Refresh("connection lost")
	return !lost.Sent || e.safe(args)
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
			e.d.moving.note(slot)
			return addr, true, true
		}
		e.d.topology.Moved(of, addr)
		if of == slot {
			addr = ""
		}
		return addr, false, true
	case bounceTryAgain:
		e.d.moving.note(slot)
		return q.addr, q.asking, true
	}
	e.d.topology.Refresh(bounceNames[b])
	return "", false, true
}
