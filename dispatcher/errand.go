package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	pipe        *Pipeline // nil: of no session
	profile     backend.ProfileHandle
	readProfile backend.ProfileHandle
	seed        uint32
	budget      *backend.Budget
	shared      bool // questions are short, and travel with the requests of others
	again       bool // what is lost is asked again, even if it may have been executed
	whole       bool // no reply flows

	mu   sync.Mutex
	open []*body // guarded by mu
}

// NodeReply is a node's reply.
type NodeReply struct {
	// Addr is the node's address.
	Addr string
	// Bytes is the whole reply as RESP, valid for good; of a reply that is
	// flows only the header.
	Bytes []byte

	chunk *backend.Chunk // of which Bytes is a part; may be nil
	body  *body          // what follows Bytes; nil: nothing
}

// Errand makes an Errand by the profile that the Pipeline has now. Only the
// session's reader calls it.
func (p *Pipeline) Errand() *Errand {
	return &Errand{d: p.d, pipe: p, profile: p.profile, readProfile: p.readProfile, seed: p.seed}
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

// KeepWhole has no reply flow: they are kept until they are whole, within Limit.
// Call it before the first question.
func (e *Errand) KeepWhole() { e.whole = true }

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

// errorBytes is err, whose text is for a client, as a reply.
func errorBytes(err error) []byte { return resp.AppendError(nil, err.Error()) }

// errTooLong is the text for replies that are longer than Limit allows.
const errTooLong = "ERR the reply is longer than this proxy may keep (-max-merged-bytes); the rest was not read"

// Ask asks one node once. Its reply may be an error reply of any kind.
func (e *Errand) Ask(ctx context.Context, addr string, args ...[]byte) ([]byte, error) {
	reply, err := e.ask(ctx, leg{addr: addr, profile: e.profile, wire: resp.AppendCommandBytes(nil, args)})
	if err != nil {
		return nil, e.explain(err, repeatable(args))
	}
	return reply.Bytes, nil
}

// AskLast is Ask over a connection that is closed then, since the node remembers
// something of it.
func (e *Errand) AskLast(ctx context.Context, addr string, args ...[]byte) ([]byte, error) {
	q := e.send(leg{addr: addr, profile: e.profile, wire: resp.AppendCommandBytes(nil, args)})
	q.lease.Spoil()
	reply, err := e.await(ctx, q)
	if err != nil {
		return nil, e.explain(err, repeatable(args))
	}
	return reply.Bytes, nil
}

// AskNode asks one node once, for which an error reply of the kind that is retried
// is an error. With flows a reply that is an array, a set or a map flows: it must go
// to Pipeline.AnswerFlowing, or be closed.
func (e *Errand) AskNode(ctx context.Context, addr string, flows bool, args ...[]byte) (Reply, error) {
	reply, err := e.ask(ctx, leg{addr: addr, profile: e.profile, wire: resp.AppendCommandBytes(nil, args), flows: flows})
	if err != nil {
		e.broken(ctx, err)
		return Reply{}, e.explain(err, repeatable(args))
	}
	if classify(reply.Bytes) != bounceNone {
		return Reply{}, nodeFailure(addr, reply.Bytes)
	}
	return Reply{pieces: []NodeReply{reply}}, nil
}

// leg is one question to one node.
type leg struct {
	addr    string
	profile backend.ProfileHandle
	wire    []byte
	asking  bool
	flows   bool // the reply flows; see AskMerged
}

// ask asks over a leased connection. The error is a *backend.LostError.
func (e *Errand) ask(ctx context.Context, q leg) (NodeReply, error) {
	if err := ctx.Err(); err != nil {
		return NodeReply{}, &backend.LostError{Addr: q.addr, Err: err}
	}
	if e.shared {
		return e.askLane(q)
	}
	return e.await(ctx, e.send(q))
}

// posed is a question whose reply is to be awaited.
type posed struct {
	addr     string
	lease    *backend.Lease
	since    int64             // when it was sent, by backend.Now
	question *backend.Question // nil if there is a flow
	flow     *backend.Flow
}

// send asks without waiting for the reply.
func (e *Errand) send(q leg) posed {
	l := e.d.member(q.addr).node.Lease(q.profile)
	l.Keep(e.budget)
	p := posed{addr: q.addr, lease: l, since: backend.Now()}
	if q.flows && !e.whole {
		p.flow = l.Flow(backend.Task{Wire: q.wire})
	} else {
		p.question = l.Send(backend.Task{Wire: q.wire, Asking: q.asking})
	}
	return p
}

// await waits for the reply to a question. The error is a *backend.LostError.
func (e *Errand) await(ctx context.Context, q posed) (NodeReply, error) {
	if q.flow != nil {
		return e.awaitFlow(ctx, q)
	}
	defer q.lease.Release()
	return e.hear(ctx, q)
}

// over asks over a lease that stays the caller's. The error is a
// *backend.LostError.
func (e *Errand) over(ctx context.Context, l *backend.Lease, t backend.Task) (NodeReply, error) {
	addr := l.Node().Addr
	if err := ctx.Err(); err != nil {
		return NodeReply{}, &backend.LostError{Addr: addr, Err: err}
	}
	return e.hear(ctx, posed{addr: addr, lease: l, since: backend.Now(), question: l.Send(t)})
}

// hear waits for as long as requests may take.
func (e *Errand) hear(ctx context.Context, q posed) (NodeReply, error) {
	reply := NodeReply{Addr: q.addr}
	err := e.inTime(ctx, q.addr, q.since, func(ctx context.Context) (err error) {
		reply.Bytes, reply.chunk, err = q.question.Await(ctx)
		return err
	})
	return reply, err
}

// inTime calls wait, which waits for the node at addr, with a context that ends
// when a request of the time since, by backend.Now, has taken too long.
func (e *Errand) inTime(ctx context.Context, addr string, since int64, wait func(ctx context.Context) error) error {
	if limit := e.d.pool.RequestTimeout(); limit > 0 {
		left := limit - time.Duration(backend.Now()-since)
		var cancel context.CancelFunc
		ctx, cancel = backend.WithPatience(ctx, left, backend.ErrTimeout)
		defer cancel()
	}
	err := wait(ctx)
	if err != nil && errors.Is(context.Cause(ctx), backend.ErrTimeout) {
		err = &backend.LostError{Addr: addr, Sent: true, Err: backend.ErrTimeout}
	}
	return err
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
	case errors.Is(err, backend.ErrTooManyLeases) && errors.As(err, &lost):
		text = "ERR max number of leased connections to node " + lost.Addr + " reached (-backend-max-leases)"
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
	return row.ReadOnly() || aboutServer(row)
}

// aboutServer reports whether a command is about a server and not about keys,
// so that doing it twice does no harm.
func aboutServer(row *command.Row) bool {
	const changes = command.FlagWrite | command.FlagMayReplicate | command.FlagModule
	return !row.MayWrite() && !row.HasKeys() && row.Flags&changes == 0
}

// safe is repeatable, and true for what the settings allow to be repeated.
func (e *Errand) safe(args [][]byte) bool {
	if e.again || repeatable(args) {
		return true
	}
	row, err := command.Builtin().Lookup(args)
	return err == nil && e.d.cfg.RetryIdempotent && row.Idempotent(args)
}
