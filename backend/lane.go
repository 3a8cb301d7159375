package backend

import (
	"errors"
	"sync"
	"sync/atomic"

	"redis-cluster-proxy/internal/netio"
)

// ErrClosed is the cause of a failure when the TaskRunner was closed, because
// its node left the topology or the proxy ends.
var ErrClosed = errors.New("connection closed by the proxy")

// errGivenUp is the cause of a failure when the connection was ended by Reset.
var errGivenUp = errors.New("given up, for the cluster calls the node failed")

// ErrTimeout is the cause of a failure when a task got no reply within the
// pool's RequestTimeout. The connection goes on.
var ErrTimeout = errors.New("no reply in time")

type runnerState uint8

const (
	stateDown runnerState = iota // no connection, nothing queued; the next task connects
	stateConnecting
	stateUp
	stateEnding // its tasks are being told of a loss; takes none until that is done
	stateClosed
)

func (s runnerState) String() string {
	return [...]string{"down", "connecting", "up", "ending", "closed"}[s]
}

// TaskRunner carries tasks over one connection, in order. Its methods are safe
// for concurrent use. It connects when the first task comes, and again after a
// loss, or after a rest if nobody has used it for long. It clocks itself: see Flush.
type TaskRunner struct {
	// Set at construction.
	node    *Node
	profile Profile
	tenant  *tenancy // of a leased runner, which ends with its first connection; nil for a lane
	private *privacy // of a private lane; else nil
	index   uint32   // among the lanes of the profile

	losses atomic.Uint32 // written under mu

	mu sync.Mutex
	// Guarded by mu.
	state    runnerState
	draining bool  // closes when the queue is empty
	closing  bool  // ends as soon as it is connected
	fault    error // why the connection was ended from this side, by Reset or lose; nil: it was not
	link     *link // set in stateUp, nil else
	queue    fifo
	pending  uint32      // how many of the newest entries are not flushed
	out      netio.Batch // the bytes of those
	offset   int64       // bytes of this link's stream so far
	flushing bool        // someone is about to flush
	shared   uint32      // tasks in the last flush
	rtt      int64       // smoothed round trip of a flush that found the lane idle, ns
	idleAt   int64       // when such a flush was done, 0 when its first reply is in
	dialedAt int64       // when it began to connect
	heard    int64       // when the node said something, over whatever connection
	stats    LaneStats
}

// Node returns the node that the runner's connection leads to.
func (r *TaskRunner) Node() *Node { return r.node }

// asking is what goes in front of a task with Asking set.
var asking = []byte("*1\r\n$6\r\nASKING\r\n")

// cachings are what goes in front of a task with Caching set.
var cachings = [...][]byte{
	CachingYes: []byte("*3\r\n$6\r\nCLIENT\r\n$7\r\nCACHING\r\n$3\r\nYES\r\n"),
	CachingNo:  []byte("*3\r\n$6\r\nCLIENT\r\n$7\r\nCACHING\r\n$2\r\nNO\r\n"),
}

// Enqueue takes the task. It never blocks and never calls the handler; the
// task is written at the latest after the next Flush. It returns false, and
// leaves the task to the caller, if the runner is closed, or for the moment that
// it takes to tell its tasks that their connection was lost: one that came after
// them must not be sent before those that are sent again.
func (r *TaskRunner) Enqueue(t *Task) bool {
	var one TaskList
	one.Push(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.enqueueLocked(&one)
}

// Losses returns how often the runner has lost its connection, or failed to
// make one, and has told all its tasks.
func (r *TaskRunner) Losses() uint32 { return r.losses.Load() }

// EnqueueAll is Enqueue for all tasks of the list, which is empty then, or for
// none. It also refuses if there were other losses than the caller knew of when
// it began the list: a task that has come back meanwhile may have to be sent
// before them.
func (r *TaskRunner) EnqueueAll(l *TaskList, losses uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.losses.Load() == losses && r.enqueueLocked(l)
}

func (r *TaskRunner) enqueueLocked(l *TaskList) bool {
	if r.draining || r.state >= stateEnding {
		return false
	}
	if r.state == stateDown && l.first != nil {
		r.state, r.dialedAt = stateConnecting, Now()
		r.node.pool.running.Add(1)
		go r.serveLoop()
	}
	for t := l.Pop(); t != nil; t = l.Pop() {
		if r.state == stateUp {
			r.appendLocked(t)
		} else {
			r.queue.push(entry{task: t})
		}
	}
	return true
}

// appendLocked gathers the task's bytes and queues what it owes.
func (r *TaskRunner) appendLocked(t *Task) {
	switch {
	case t.Asking:
		r.precedeLocked(asking)
	case t.Caching != 0: // not with ASKING: either of them ends the other's effect
		r.precedeLocked(cachings[t.Caching])
	}
	if t.Prelude != nil {
		before := t.Prelude.begin(t)
		for range t.Prelude.Replies {
			r.queue.push(entry{task: before, begin: r.offset})
		}
		r.pending += uint32(t.Prelude.Replies)
	}
	if t.WireChunk != nil {
		r.out.AppendChunk(t.Wire, t.WireChunk)
	} else {
		r.out.Append(t.Wire)
	}
	r.queue.push(entry{task: t, begin: r.offset})
	r.pending++
	r.offset += int64(len(t.Wire))
}

// precedeLocked gathers a command that goes in front of a task, and whose reply is
// swallowed.
func (r *TaskRunner) precedeLocked(wire []byte) {
	r.out.Append(wire)
	r.queue.push(entry{begin: r.offset})
	r.pending++
	r.offset += int64(len(wire))
}

// Close ends the runner: at once, or with drain when the last reply is in. What
// it still holds fails.
func (r *TaskRunner) Close(drain bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.state == stateClosed:
	case r.state == stateConnecting && !r.closing:
		r.draining, r.closing = true, true
		if r.tenant != nil {
			r.tenant.cancel()
		}
		r.giveBackLocked(ErrClosed) // there is no connection to answer it, and may never be
	case drain && r.queue.size > 0:
		r.draining = true // refuses from now on; link.flush ends it
	default:
		r.draining = true
		if r.tenant != nil {
			r.tenant.cancel()
		}
		if r.link != nil {
			r.link.conn.Abort() // link.finish does the rest
		} else if r.state == stateDown {
			r.state = stateClosed
		}
		r.closing = true
	}
}

// Closed reports whether the runner will take no task any more.
func (r *TaskRunner) Closed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.draining || r.state == stateClosed
}

// Reset ends the present connection, if there is one; its tasks fail. Those that
// wait for one to be made fail, too, and it goes on being made.
func (r *TaskRunner) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.link != nil:
		r.fault = errGivenUp
		r.link.conn.Abort()
	case r.state == stateConnecting:
		r.giveBackLocked(errGivenUp)
	}
}

// giveBackLocked fails what waits for a connection.
func (r *TaskRunner) giveBackLocked(cause error) {
	if r.queue.size == 0 {
		return
	}
	left := r.queue
	r.queue = fifo{}
	r.node.pool.running.Add(1) // it is not zero while a connection is being made
	go r.giveBack(left, cause)
}

// giveBack fails tasks that were not sent, in no lock of whoever gave the node up.
func (r *TaskRunner) giveBack(left fifo, cause error) {
	defer r.node.pool.running.Done()
	for left.size > 0 {
		t := left.pop().task
		flushNow(t.Handler.Failed(t, &LostError{Addr: r.node.Addr, Err: cause}))
	}
}

// expire fails the tasks that were flushed before limit, by Now, leaving
// tombstones that swallow their replies. What waits for the lane's clock is sent:
// the clock stands still as long as the node does.
func (r *TaskRunner) expire(limit int64) {
	var late []*Task
	var conn *netio.Conn
	now := Now()
	r.mu.Lock()
	if r.state == stateUp && r.pending > 0 {
		conn = r.queueLocked()
	}
	for i := range r.queue.size {
		e := r.queue.at(i)
		if e.sent == 0 || e.sent > limit {
			break
		}
		if e.task != nil {
			e.task.AtNode = now - e.sent
			late = append(late, e.task)
			e.task = nil
		}
	}
	r.stats.Timeouts += uint64(len(late))
	r.mu.Unlock()
	if conn != nil {
		conn.Flush()
	}
	for _, t := range late {
		flushNow(t.Handler.Failed(t, &LostError{Addr: r.node.Addr, Sent: true, Err: ErrTimeout}))
	}
}

func flushNow(f Flusher) {
	if f != nil {
		f.Flush()
	}
}
