package backend

import (
	"cmp"
	"context"
	"errors"
	"net"

	"redis-cluster-proxy/internal/netio"
	"redis-cluster-proxy/resp"
)

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
	} else if errors.Is(err, net.ErrClosed) {
		err = cmp.Or(l.conn.OutputError(), err)
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
	r.offset, r.pending, r.idleAt, r.heard = 0, 0, 0, Now()
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
// there was no connection. A link that was given up takes nothing along; see rest.
func (r *TaskRunner) end(l *link, cause error) {
	var written int64
	if l != nil {
		written = l.conn.EndOutput()
	}
	r.mu.Lock()
	if l != nil && r.link != l { // the lane had it rest
		r.mu.Unlock()
		return
	}
	r.state = stateEnding
	if r.draining && (r.tenant != nil || errors.Is(cause, net.ErrClosed)) {
		cause = ErrClosed
	} else if r.fault != nil && errors.Is(cause, net.ErrClosed) {
		cause = r.fault
	}
	r.fault = nil
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
