package backend

import (
	"errors"
	"time"

	"github.com/golang/glog"

	"redis-cluster-proxy/internal/netio"
)

// ErrSilent is the cause of a failure when a replica owes replies and says
// nothing, and another node can be asked. The connection goes on.
var ErrSilent = errors.New("the node says nothing")

// A process that was stopped, and a machine that was cut off, keep their
// connections: nothing tells of them but that they owe replies and say nothing. So
// does a node that works on one long command.
const (
	listenEvery = 250 * time.Millisecond
	// silentAfter is how long a node may say nothing before it is silent.
	silentAfter = 500 * time.Millisecond
	// forsakenAfter is how long it may say nothing before reads that wait at a
	// replica are taken elsewhere, and the log has a line about it.
	forsakenAfter = time.Second
)

// OnSilence registers f, to be called several times a second with each node that
// owes replies and says nothing. f must not block. Call it before Run.
func (p *Pool) OnSilence(f func(*Node)) { p.onSilence = f }

// Silent reports whether the node owes replies and has said nothing for half a
// second, over any lane.
func (n *Node) Silent() bool { return n.silent.Load() }

// listen finds out which nodes are silent, and which are not failing after all.
func (p *Pool) listen(now int64) {
	for _, n := range p.Nodes() {
		n.noteOthers(now)
		owes, heard := n.owes()
		since := max(owes, heard)
		silent := owes != 0 && now-since >= int64(silentAfter)
		n.silent.Store(silent)
		n.logSilence(silent && now-since >= int64(forsakenAfter), time.Duration(now-since))
		if !silent {
			continue
		}
		if p.onSilence != nil {
			p.onSilence(n)
		}
		if now-since >= int64(forsakenAfter) {
			n.eachLane(func(r *TaskRunner) { r.forsake(now - int64(forsakenAfter)) })
		}
	}
}

// owes returns since when the node has owed what it has owed longest, 0 if it owes
// nothing, and when it last said something, both by Now.
func (n *Node) owes() (since, heard int64) {
	n.eachLane(func(r *TaskRunner) {
		r.mu.Lock()
		defer r.mu.Unlock()
		heard = max(heard, r.heard)
		first := int64(0)
		switch {
		case r.state == stateConnecting && r.queue.size > 0:
			first = r.dialedAt
		case r.state == stateUp && r.queue.size > r.pending:
			first = r.queue.at(0).sent
		}
		if first != 0 && (since == 0 || first < since) {
			since = first
		}
	})
	return since, heard
}

// logSilence logs a silence when it has lasted a while, and its end.
func (n *Node) logSilence(silent bool, lasts time.Duration) {
	switch {
	case silent && n.silence == 0:
		glog.Warningf("node %s: owes replies and has said nothing for %s", n.Addr, lasts.Round(time.Millisecond))
	case !silent && n.silence != 0:
		glog.Infof("node %s: not silent any more, after %s", n.Addr, (n.silence + listenEvery).Round(listenEvery))
	}
	n.silence = lasts
	if !silent {
		n.silence = 0
	}
}

// forsake fails what a replica was given before limit, by Now, and another node may
// do as well: all but what may be the long command that it works on, the first one
// unless it is brief. Tombstones swallow the replies.
func (r *TaskRunner) forsake(limit int64) {
	if !r.profile.ReadOnly {
		return
	}
	var left []*Task
	var conn *netio.Conn
	r.mu.Lock()
	sent := r.state == stateUp
	switch {
	case sent:
		if r.pending > 0 { // the lane's clock stands still, and these come next
			conn = r.queueLocked()
		}
		for i := range r.queue.size - r.pending {
			e := r.queue.at(i)
			if e.sent > limit {
				break
			}
			if e.task != nil && (i > 0 || e.task.Brief) {
				left = append(left, e.task)
				e.task = nil
			}
		}
	case r.state == stateConnecting && r.dialedAt <= limit:
		for r.queue.size > 0 {
			left = append(left, r.queue.pop().task)
		}
	}
	r.mu.Unlock()
	if conn != nil {
		conn.Flush()
	}
	for _, t := range left {
		flushNow(t.Handler.Failed(t, &LostError{Addr: r.node.Addr, Sent: sent, Err: ErrSilent}))
	}
}
