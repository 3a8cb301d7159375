package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"redis-cluster-proxy/internal/netio"
	"redis-cluster-proxy/resp"
)

// maxBatch is how many replies are handled under one lock.
const maxBatch = 64

// link is the life of one connection of a TaskRunner, from the handshake to the
// loss. It is the netio.Handler of that connection.
type link struct {
	// Set at construction.
	runner *TaskRunner
	conn   *netio.Conn
	ear    *ear // of a private lane whose protocol has no pushes; else nil

	// Owned by serveLoop.
	scanner resp.ReplyScanner
	in      netio.Input
	*batch  // of a leased runner only while replies are handled
	touched []Flusher
	err     error // why the link stopped itself
}

// batch is what a link needs to handle replies. Leased runners, of which there may
// be very many, share some.
type batch struct {
	lens [maxBatch]int   // lengths of the replies of one batch
	owed [maxBatch]entry // and what they answer
	run  [maxBatch]Reply // those of one handler
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// serveLoop connects and leaves the rest to serve, in another goroutine: with one
// at a time the runner has no other, and none where a Poller drives the connection.
func (r *TaskRunner) serveLoop() {
	ctx := r.node.pool.ctx
	if r.tenant != nil {
		ctx = r.tenant.ctx
	}
	nc, ear, first, err := r.connect(ctx)
	if err != nil {
		r.end(nil, err)
		r.over()
		return
	}
	if r.tenant != nil {
		r.tenant.cancel() // the dial is over; there may be very many
	}
	go r.serve(nc, ear, first) // whose stack is small for as long as the connection lives
}

// connect makes the connection. first is what the node has said behind its replies
// to the handshake. ear is nil for all but a private lane that needs one.
func (r *TaskRunner) connect(ctx context.Context) (nc net.Conn, ear *ear, first []byte, err error) {
	cmds := r.profile.handshake()
	if p := r.private; p != nil {
		if ear, err = r.listen(ctx); err != nil {
			return nil, nil, nil, err
		}
		cmds = append(cmds, ear.redirected(p.wish.Greeting))
	}
	nc, hello, err := r.node.dial(ctx, cmds)
	if err != nil {
		ear.abort()
		return nil, nil, nil, err
	}
	return nc, ear, hello.rest, nil
}

// serve drives a connection that has shaken hands to its end.
func (r *TaskRunner) serve(nc net.Conn, ear *ear, first []byte) {
	l := &link{runner: r, ear: ear}
	if r.tenant == nil {
		l.batch = new(batch)
	}
	l.conn = r.node.pool.cfg.Poller.NewConn(nc, l, r.index)
	if len(first) > 0 {
		l.in.Filled(copy(l.in.Room(len(first)), first)) // and is handled with what arrives next
	}
	r.start(l)
	l.conn.Drive(l.finish)
}

// finish fails what is left when the connection has ended with err.
func (l *link) finish(err error) {
	defer l.runner.over()
	if l.err != nil {
		err = l.err
	}
	l.conn.Abort()
	l.ear.abort()
	l.runner.end(l, err)
	l.conn.Close()
	l.in.Release()
}

// over says that the connection has ended, or could not be made, and that
// everybody was told.
func (r *TaskRunner) over() {
	if r.tenant != nil {
		r.node.leases.forget(r)
	}
	if r.private != nil && r.Closed() {
		r.node.privates.forget(r)
	}
	r.node.pool.running.Done()
}

// start makes l the runner's link and sends what has queued up.
func (r *TaskRunner) start(l *link) {
	r.mu.Lock()
	r.state, r.link = stateUp, l
	r.offset, r.pending, r.idleAt = 0, 0, 0
	r.stats.Connects++
	waiting := r.queue
	r.queue = fifo{}
	for waiting.size > 0 {
		r.appendLocked(waiting.pop().task)
	}
	conn := r.dueLocked()
	if r.closing || r.node.pool.ctx.Err() != nil || l.ear.gone() {
		l.conn.Abort()
	}
	r.mu.Unlock()
	r.node.noteUp()
	if conn != nil {
		conn.Flush()
	}
}

// end takes the runner down and fails every task that it holds. l is nil if
// there was no connection.
func (r *TaskRunner) end(l *link, cause error) {
	var written int64
	if l != nil {
		written = l.conn.EndOutput()
	}
	r.mu.Lock()
	r.state = stateEnding
	if r.draining && (r.tenant != nil || errors.Is(cause, net.ErrClosed)) {
		cause = ErrClosed
	}
	if l == nil {
		r.stats.ConnectFailures++
	} else if !r.draining && r.node.pool.ctx.Err() == nil {
		r.stats.Losses++
		r.node.losses.Add(1)
	}
	r.link = nil
	left := r.queue
	r.queue, r.pending = fifo{}, 0
	r.out.Drop()
	r.mu.Unlock()

	if r.tenant == nil || left.size > 0 { // an idle lease may have been closed for being idle
		r.node.noteLoss(cause)
	}
	if l != nil {
		r.private.lost()
	}
	for left.size > 0 {
		e := left.pop()
		if e.task != nil {
			flushNow(e.task.Handler.Failed(e.task, &LostError{Addr: r.node.Addr, Sent: l != nil && e.begin < written, Err: cause}))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.losses.Add(1)
	if r.draining || r.tenant != nil || r.node.pool.ctx.Err() != nil {
		r.state = stateClosed
	} else {
		r.state = stateDown
	}
}

// ReadBuffer implements netio.Handler.
func (l *link) ReadBuffer() []byte { return l.in.Room(l.scanner.Need()) }

// Arrived implements netio.Handler.
func (l *link) Arrived(n int) netio.Action {
	l.in.Filled(n)
	if t := l.runner.tenant; t != nil {
		if f := t.flow.Load(); f != nil {
			return l.arrivedFor(f)
		}
		if !t.admit(n, 0) {
			l.err = ErrTooLong
			return netio.Stop
		}
	}
	return l.replies()
}

// replies hands over the whole replies that have arrived.
func (l *link) replies() netio.Action {
	if l.batch != nil {
		return l.handle()
	}
	l.batch = batches.Get().(*batch)
	act := l.handle()
	batches.Put(l.batch)
	l.batch = nil
	return act
}

// handle is replies with a batch.
func (l *link) handle() netio.Action {
	for {
		count, err := l.scan()
		if count > 0 { // also what came before a wrong one
			err = cmp.Or(l.answer(count), err)
		}
		if err != nil {
			l.err = err
			l.flushTouched()
			return netio.Stop
		}
		if count < len(l.lens) {
			break
		}
	}
	l.flush()
	if t := l.runner.tenant; t != nil && l.in.Len() > 0 && !t.admit(0, l.scanner.Need()-l.in.Len()) {
		l.err = ErrTooLong // before memory is set aside for it
		return netio.Stop
	}
	return netio.Continue
}

// scan cuts up to len(lens) replies and consumes nothing.
func (l *link) scan() (count int, err error) {
	rest := l.in.Bytes()
	for count < len(l.lens) && len(rest) > 0 {
		n, err := l.scanner.Next(rest)
		if err != nil {
			return count, fmt.Errorf("malformed reply: %w", err)
		}
		if n == 0 {
			break
		}
		l.lens[count] = n
		count++
		rest = rest[n:]
	}
	return count, nil
}

// errUnasked is a reply when nothing was in flight.
var errUnasked = errors.New("a reply that nobody asked for")

// answer hands count replies to those who wait for them, each handler's
// neighbours in one call.
func (l *link) answer(count int) error {
	owed, err := l.take(count)
	chunk := l.in.Chunk()
	n := 0
	for i := range owed {
		size := l.lens[i]
		reply := l.in.Bytes()[:size:size]
		l.in.Consume(size)
		t := owed[i].task
		if t == nil {
			if n > 0 && reply[0] == '>' { // it must not overtake what came before it
				l.deliver(n, chunk)
				n = 0
			}
			l.pass(reply)
			continue
		}
		owed[i].task = nil
		if n > 0 && l.run[0].Task.Handler != t.Handler {
			l.deliver(n, chunk)
			n = 0
		}
		l.run[n] = Reply{Task: t, Bytes: reply}
		n++
	}
	if n > 0 {
		l.deliver(n, chunk)
	}
	return err
}

// pass deals with a reply that answers no task: a push goes to the holder of a
// lease or of a private lane.
func (l *link) pass(reply []byte) {
	if reply[0] != '>' {
		return
	}
	if t := l.runner.tenant; t != nil {
		if f := t.push.Load(); f != nil {
			(*f)(reply)
		}
	}
	if f := l.runner.private.pushed(reply); f != nil {
		l.touched = append(l.touched, f)
	}
}

// deliver hands the first n replies of run to their handler.
func (l *link) deliver(n int, chunk *Chunk) {
	if f := l.run[0].Task.Handler.Replied(l.run[:n], chunk); f != nil {
		l.touched = append(l.touched, f)
	}
	clear(l.run[:n])
}

// take finds out what the next count replies answer. It returns fewer entries
// if there are replies that nothing asked for.
func (l *link) take(count int) (owed []entry, err error) {
	r := l.runner
	now := Now()
	rest := l.in.Bytes()
	slow := r.node.pool.slow.Load()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range count {
		first := rest[0]
		rest = rest[l.lens[i]:]
		if first == '>' { // out of band: answers nothing
			l.owed[i] = entry{}
			continue
		}
		if r.queue.size == r.pending {
			return l.owed[:i], errUnasked
		}
		e := r.queue.pop()
		if e.task != nil && e.task.Start != 0 {
			total := now - e.task.Start
			r.stats.note(now-e.sent, total, first == '-')
			if total >= slow {
				e.task.Total, e.task.AtNode = max(total, 1), now-e.sent
			}
		}
		l.owed[i] = e
	}
	r.measureLocked(now)
	return l.owed[:count], nil
}

// flush sends on what gathered while the batch was handled.
func (l *link) flush() {
	r := l.runner
	r.mu.Lock()
	var conn *netio.Conn
	if !r.waitsLocked() && !l.conn.Later() {
		conn = r.queueLocked()
	}
	if r.draining && r.queue.size == 0 {
		l.conn.Abort()
	}
	r.mu.Unlock()
	if conn != nil {
		conn.Flush()
	}
	l.flushTouched()
}

// Settle implements netio.Handler.
func (l *link) Settle() {
	r := l.runner
	r.mu.Lock()
	var conn *netio.Conn
	if r.link == l {
		conn = r.dueLocked()
	}
	r.mu.Unlock()
	if conn != nil {
		conn.Flush()
	}
}

// flushTouched flushes those who got replies.
func (l *link) flushTouched() {
	for i, f := range l.touched {
		f.Flush()
		l.touched[i] = nil
	}
	l.touched = l.touched[:0]
}

// Quiet implements netio.Handler.
func (l *link) Quiet() { l.in.Rest() }

// Resumed implements netio.Handler: a Flow has room again. All that had
// arrived was handed over before the pause.
func (l *link) Resumed() netio.Action { return netio.Continue }
