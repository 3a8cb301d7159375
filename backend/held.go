package backend

import (
	"errors"
	"sync/atomic"

	"redis-cluster-proxy/resp"
)

// ErrTooManyLeases is the cause of a failure when as many connections to a node
// are held as Config.MaxLeases allows.
var ErrTooManyLeases = errors.New("too many connections are held")

// Hold is Lease for a holder that keeps the connection for as long as its client
// likes: to wait, to watch, to listen. Of those a node takes Config.MaxLeases; past
// that the Lease is one of which every use fails with ErrTooManyLeases.
func (n *Node) Hold(profile ProfileHandle) *Lease {
	if limit := int64(n.pool.cfg.MaxLeases); n.leases.held.Add(1) > limit && limit > 0 {
		n.leases.held.Add(-1)
		n.leases.refused.Add(1)
		r := &TaskRunner{node: n, state: stateClosed, tenant: &tenancy{profile: profile, cancel: func() {}}}
		return &Lease{node: n, runner: r, fault: ErrTooManyLeases}
	}
	l := n.Lease(profile)
	l.held = true
	return l
}

// heldLeases are the figures of Hold.
type heldLeases struct {
	held    atomic.Int64  // those of now
	refused atomic.Uint64 // since the start
}

// Post sends the tasks, one behind the other in one piece, and does not block.
// Their Handlers are told what becomes of them, also if the connection is lost
// already, in which case it is before Post returns.
func (l *Lease) Post(list *TaskList) {
	r := l.runner // a Handler may Release the Lease before this returns
	if r.EnqueueAll(list, r.Losses()) {
		r.Flush()
		return
	}
	for t := list.Pop(); t != nil; t = list.Pop() {
		flushNow(t.Handler.Failed(t, l.refusal()))
	}
}

// refusal is the error of what cannot be sent.
func (l *Lease) refusal() *LostError {
	if l.fault != nil {
		return &LostError{Addr: l.node.Addr, Err: l.fault}
	}
	return &LostError{Addr: l.node.Addr, Err: ErrClosed}
}

// Cut ends the connection; what is under way fails.
func (l *Lease) Cut() { l.runner.Close(false) }

// Identify puts a question in front of what list will send, if the server's
// number of the connection is not known: it is asked once in the life of the
// connection. A list that was begun so must be sent.
func (l *Lease) Identify(list *TaskList) {
	t := l.runner.tenant
	if t.asked {
		return
	}
	t.asked = true
	q := &idQuestion{tenant: t}
	q.task = Task{Wire: WireHello(t.profile), Handler: q}
	list.Push(&q.task)
}

// ID returns the number by which the server knows the connection, as CLIENT ID
// would: 0 while that is not known, see Identify, negative if the server does not
// tell it. Safe for concurrent use until the Lease is released.
func (l *Lease) ID() int64 { return l.runner.tenant.id.Load() }

// WireHello returns a command that any user may say, and that changes nothing over
// a connection of the profile. It tells what CLIENT ID would, which not every user may
// have. Do not change it. HELLO without arguments would do the same, from Redis 6.2 on
// (https://redis.io/docs/latest/commands/hello/).
func WireHello(profile ProfileHandle) []byte {
	return wireHello(profile.Value().Proto)
}

func wireHello(proto resp.Proto) []byte {
	if proto == resp.RESP3 {
		return wireHello3
	}
	return wireHello2
}

var (
	wireHello2 = resp.AppendCommand(nil, "HELLO", "2")
	wireHello3 = resp.AppendCommand(nil, "HELLO", "3")
)

// idQuestion is the question of Identify.
type idQuestion struct {
	task   Task
	tenant *tenancy
}

// Replied implements Handler.
func (q *idQuestion) Replied(run []Reply, _ *Chunk) Flusher {
	id := int64(-1)
	if v, _, err := resp.ReadValue(run[0].Bytes); err == nil {
		for i := 0; i+1 < len(v.Elems); i += 2 {
			if v.Elems[i].Str == "id" {
				id = v.Elems[i+1].Int
			}
		}
	}
	q.tenant.id.Store(id)
	return nil
}

// Failed implements Handler. The connection is gone, and its number with it.
func (q *idQuestion) Failed(*Task, *LostError) Flusher { return nil }
