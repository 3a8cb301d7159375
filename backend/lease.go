package backend

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
)

// ErrTooLong is the cause of a failure when a node's reply, with those before it,
// is longer than the Budget allows. The rest of it is not read.
var ErrTooLong = errors.New("reply too long")

// Budget bounds the bytes of the replies to several questions together. It is
// safe for concurrent use.
type Budget struct{ left atomic.Int64 }

// NewBudget returns a Budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	b := &Budget{}
	b.left.Store(bytes)
	return b
}

// Lease is a connection to one node that is its holder's alone for a while:
// for replies that would hold up a shared lane, and for what a server remembers
// about a connection. Its methods are for one goroutine at a time.
type Lease struct {
	node   *Node
	runner *TaskRunner // nil: released
	dirty  bool
	held   bool  // by Hold
	fault  error // why it cannot be used; nil: it can
}

// Lease returns a connection of the profile: an idle one, or a new one, which
// is made when the first command is sent. It does not block. The holder must
// Release it.
func (n *Node) Lease(profile ProfileHandle) *Lease {
	return &Lease{node: n, runner: n.leases.take(n, profile)}
}

// Node returns the node that the connection leads to.
func (l *Lease) Node() *Node { return l.node }

// Keep bounds the replies to come by b, nil for no bound. The connection is
// closed when it is exceeded.
func (l *Lease) Keep(b *Budget) { l.runner.tenant.budget.Store(b) }

// OnPush makes f be called with each push ('>') that arrives from now on, from
// the connection's goroutine, which f must not block. The bytes are valid until f
// returns. Without it pushes are passed over.
func (l *Lease) OnPush(f func(push []byte)) { l.runner.tenant.push.Store(&f) }

// Spoil says that the server remembers something of this holder, so that nobody
// else may get the connection.
func (l *Lease) Spoil() { l.dirty = true }

// Do sends a command, as RESP, and returns the reply, which is the caller's for
// good. wire must not be changed any more, even after Do has returned. Without a
// reply the error is a *LostError, and the connection is lost: further calls
// fail. That is so when ctx ends, too; the cause is ctx's error then.
func (l *Lease) Do(ctx context.Context, wire []byte) ([]byte, error) {
	reply, _, err := l.Ask(ctx, Task{Wire: wire})
	return reply, err
}

// Ask is Do for a task, of which Wire, Asking and Prelude count. chunk, if it is not nil,
// is what the reply is a part of; it may be passed on like any chunk, and need not
// be released.
func (l *Lease) Ask(ctx context.Context, t Task) (reply []byte, chunk *Chunk, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, &LostError{Addr: l.node.Addr, Err: err}
	}
	return l.Send(t).Await(ctx)
}

// Send is the first half of Ask: it sends the task and does not block. The
// reply must be awaited before the next task.
func (l *Lease) Send(t Task) *Question {
	q := &Question{Task: t, lease: l, told: make(chan struct{})}
	q.Handler, q.Start = q, Now()
	if !l.runner.Enqueue(&q.Task) {
		q.lost = l.refusal()
		close(q.told)
		return q
	}
	l.runner.Flush()
	return q
}

// Await is the second half of Ask.
func (q *Question) Await(ctx context.Context) (reply []byte, chunk *Chunk, err error) {
	select {
	case <-q.told: // even if ctx has ended as well
	default:
		select {
		case <-q.told:
		case <-ctx.Done():
			q.lease.runner.Close(false)
			return nil, nil, &LostError{Addr: q.lease.node.Addr, Sent: true, Err: ctx.Err()}
		}
	}
	if q.lost != nil {
		return nil, nil, q.lost
	}
	return q.reply, q.chunk, nil
}

// DoAll sends commands, each as RESP, one behind the other without waiting, and
// returns their replies in that order. Everything else is as with Do.
func (l *Lease) DoAll(ctx context.Context, wires [][]byte) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, &LostError{Addr: l.node.Addr, Err: err}
	}
	asked := make([]Question, len(wires))
	for i, wire := range wires {
		q := &asked[i]
		*q = Question{Task: Task{Wire: wire}, lease: l, told: make(chan struct{})}
		q.Handler, q.Start = q, Now()
		if !l.runner.Enqueue(&q.Task) {
			l.runner.Close(false) // or those before would be answered to nobody
			lost := l.refusal()
			lost.Sent = i > 0
			return nil, lost
		}
	}
	l.runner.Flush()
	replies := make([][]byte, len(wires))
	for i := range asked {
		var err error
		if replies[i], _, err = asked[i].Await(ctx); err != nil {
			return nil, err
		}
	}
	return replies, nil
}

// Release gives the connection back for others, or closes it if it is lost, has
// replies outstanding or was spoiled. A second call does nothing.
func (l *Lease) Release() {
	r := l.runner
	if r == nil {
		return
	}
	l.runner = nil
	if l.held {
		l.node.leases.held.Add(-1)
	}
	r.tenant.budget.Store(nil)
	r.tenant.push.Store(nil)
	if l.dirty || !l.node.leases.put(r, &l.node.pool.cfg) {
		r.Close(false)
		l.node.leases.forgetUnused(r)
	}
}

// Question is a task of a Lease that is under way.
type Question struct {
	Task
	lease *Lease
	told  chan struct{} // closed at the end
	reply []byte
	chunk *Chunk // of a long reply
	lost  *LostError
}

// ownBytes is the size from which a reply is kept with its read buffer instead
// of being copied.
const ownBytes = 8 << 10

// Replied implements Handler.
func (q *Question) Replied(run []Reply, chunk *Chunk) Flusher {
	if q.reply = run[0].Bytes; len(q.reply) >= ownBytes {
		chunk.Retain() // for good: the garbage collector takes it with the reply
		q.chunk = chunk
	} else {
		q.reply = slices.Clone(q.reply)
	}
	close(q.told)
	return nil
}

// Failed implements Handler.
func (q *Question) Failed(_ *Task, lost *LostError) Flusher {
	q.lost = lost
	close(q.told)
	return nil
}
