package backend

import (
	"runtime"

	"redis-cluster-proxy/internal/netio"
)

// selfClockRTT is the round trip, in nanoseconds, up to which a lane waits for
// more tasks while others are in flight. Beyond it the network, not the node's
// queue, is what a task waits for, and waiting costs latency.
const selfClockRTT = 300_000

// maxGather is how many bytes a self-clocked lane lets gather.
const maxGather = 16 << 10

// Flush lets what was enqueued be written, now or when the lane's clock says so:
// tasks are written at once when nothing is in flight, else when at least half as
// many have gathered as are in flight, which is looked at with each Flush and after
// each batch of replies. The node works through its queue in order, so a task loses
// nothing by waiting here instead of there, and many tasks share a system call on
// both sides.
//
// On a lane that several sessions use at the moment, the first of them steps
// aside once, so that those whose requests have arrived as well add theirs, and
// then writes for all.
func (r *TaskRunner) Flush() {
	r.mu.Lock()
	if r.flushing || r.waitsLocked() {
		r.mu.Unlock()
		return
	}
	if r.tenant == nil && r.link.conn.Later() { // where others' tasks are waited for as well
		r.mu.Unlock()
		return
	}
	if r.shared > 1 || r.queue.size > r.pending {
		r.flushing = true
		r.mu.Unlock()
		runtime.Gosched()
		r.mu.Lock()
		r.flushing = false
	}
	conn := r.dueLocked()
	r.mu.Unlock()
	if conn != nil {
		conn.Flush()
	}
}

// waitsLocked reports whether there is nothing to write, or it is not time yet.
func (r *TaskRunner) waitsLocked() bool {
	flying := r.queue.size - r.pending
	return r.pending == 0 || r.state != stateUp ||
		2*r.pending < flying && r.out.Len() < maxGather && r.rtt < selfClockRTT
}

// dueLocked queues what has gathered and returns the connection to flush, or
// nil when it is not time yet.
func (r *TaskRunner) dueLocked() *netio.Conn {
	if r.waitsLocked() {
		return nil
	}
	return r.queueLocked()
}

// queueLocked queues what has gathered, which is something, and returns the
// connection to flush.
func (r *TaskRunner) queueLocked() *netio.Conn {
	flying := r.queue.size - r.pending
	now := Now()
	for i := flying; i < r.queue.size; i++ {
		r.queue.at(i).sent = now
	}
	if flying == 0 {
		r.idleAt = now
	}
	r.shared = r.pending
	r.pending = 0
	r.link.conn.Queue(&r.out)
	return r.link.conn
}

// measureLocked updates the round trip when the first reply to an idle lane's
// flush arrives at now.
func (r *TaskRunner) measureLocked(now int64) {
	if r.idleAt == 0 {
		return
	}
	sample := now - r.idleAt
	r.idleAt = 0
	if r.rtt == 0 {
		r.rtt = sample
		return
	}
	// Falls fast, rises slowly: the network's share is the small samples.
	if sample < r.rtt {
		r.rtt += (sample - r.rtt) / 2
	} else {
		r.rtt += (sample - r.rtt) / 64
	}
}
