package dispatcher

import (
	"context"
	"errors"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// ownLanes are the lanes of a Pipeline that tracks: one for each node and profile
// that it has used, or needs to hear. A nil one has none.
type ownLanes struct {
	Tracking // set at construction
	pipe     *Pipeline

	// Guarded by the Pipeline's mu.
	lanes       map[ownKey]*ownLane
	ended       bool
	pushes      []latePush
	lateBytes   int         // of them
	doubtBefore uint64      // what is read by requests before it is doubtful
	repeat      *time.Timer // of the second telling; nil: there was no doubt
	nullAt      uint64      // 1 + how many requests had left the ring at the last Null; 0: there was none

	// Of broadcasting, guarded likewise.
	begun    bool          // the client was told that it is on
	knocking int           // lanes that are being connected
	settled  chan struct{} // closed when there is none; nil: nobody waits
	refusal  error         // a node's
	failures int           // in a row
	timer    *time.Timer   // of the next attempt; nil: none is needed
}

type ownKey struct {
	node    *backend.Node
	profile backend.ProfileHandle
}

// ownLane is one of them, its Listener, and the Handler of what connects it.
type ownLane struct {
	// Set at construction.
	own    *ownLanes
	runner *backend.TaskRunner

	// Guarded by the Pipeline's mu. Only of broadcasting.
	up       bool
	knocking bool
	knock    backend.Task
}

func newOwnLanes(p *Pipeline, t Tracking) *ownLanes {
	return &ownLanes{Tracking: t, pipe: p, lanes: make(map[ownKey]*ownLane)}
}

// laneLocked returns the Pipeline's lane to a node.
func (p *Pipeline) laneLocked(n *backend.Node, profile backend.ProfileHandle) *backend.TaskRunner {
	if p.own != nil && !p.own.ended {
		return p.own.laneLocked(n, profile).runner
	}
	return n.Lane(profile, p.seed)
}

func (o *ownLanes) laneLocked(n *backend.Node, profile backend.ProfileHandle) *ownLane {
	key := ownKey{n, profile}
	l := o.lanes[key]
	if l == nil {
		l = &ownLane{own: o}
		l.runner = n.PrivateLane(profile.Value(), backend.Private{Greeting: o.Greeting, Listener: l}, o.pipe.seed)
		o.lanes[key] = l
	}
	return l
}

// endLocked gives the lanes up. It reports whether there were any.
func (o *ownLanes) endLocked() bool {
	if o == nil || o.ended {
		return false
	}
	o.ended = true
	if o.timer != nil {
		o.timer.Stop()
	}
	if o.repeat != nil {
		o.repeat.Stop()
	}
	for _, l := range o.lanes {
		l.runner.Discard()
	}
	return len(o.lanes) > 0
}

// Pushed implements backend.Listener.
func (l *ownLane) Pushed(push []byte) backend.Flusher { return l.own.Tracker.Pushed(push, l.runner) }

// Lost implements backend.Listener.
func (l *ownLane) Lost() {
	o := l.own
	o.pipe.mu.Lock()
	l.up = false
	ended := o.ended
	o.laterLocked()
	o.againLocked()
	o.pipe.mu.Unlock()
	if !ended {
		flush(o.Tracker.Doubt(l.runner))
	}
}

// Silent implements backend.Listener. What the client waits for is not given up for
// it: it may be what takes the node long.
func (l *ownLane) Silent() (end bool) {
	o := l.own
	o.pipe.mu.Lock()
	ended := o.ended
	o.pipe.mu.Unlock()
	if !ended {
		flush(o.Tracker.Doubt(l.runner))
	}
	return false
}

// reach connects the lanes that broadcasting needs, and lets those of nodes that
// have left the cluster go.
func (p *Pipeline) reach() {
	p.mu.Lock()
	o := p.own
	if o == nil || o.ended {
		p.mu.Unlock()
		return
	}
	for key, l := range o.lanes {
		if l.runner.Closed() {
			l.runner.Discard()
			delete(o.lanes, key)
		}
	}
	var lanes []*backend.TaskRunner
	if o.Broadcast {
		lanes = o.reachLocked(p.d.routes.Load())
	}
	p.mu.Unlock()
	for _, lane := range lanes {
		lane.Flush()
	}
}

var wirePing = resp.AppendCommand(nil, "PING")

// reachLocked returns the lanes to flush.
func (o *ownLanes) reachLocked(rt *routes) (lanes []*backend.TaskRunner) {
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
	for i := range rt.shards {
		m := rt.shards[i].primary
		if m == nil || m.unhealthy.Load() {
			continue // there will be other routes
		}
		l := o.laneLocked(m.node, o.pipe.profile)
		if l.up || l.knocking {
			continue
		}
		l.knock = backend.Task{Wire: wirePing, Handler: l, Start: backend.Now()}
		if !l.runner.Enqueue(&l.knock) {
			o.failures++
			o.laterLocked()
			continue
		}
		l.knocking = true
		o.knocking++
		lanes = append(lanes, l.runner)
	}
	return lanes
}

// laterLocked has the lanes connected in a while.
func (o *ownLanes) laterLocked() {
	if !o.Broadcast || o.ended || o.timer != nil {
		return
	}
	o.timer = time.AfterFunc(backoff(o.failures, 5*time.Millisecond), o.pipe.reach)
}

// Replied implements backend.Handler: the lane is connected. What has changed since
// it was lost nobody has told.
func (l *ownLane) Replied([]backend.Reply, *backend.Chunk) backend.Flusher {
	o := l.own
	o.pipe.mu.Lock()
	l.up = true
	o.failures = 0
	begun := o.begun && !o.ended
	o.knockedLocked(l)
	o.pipe.mu.Unlock()
	if !begun {
		return nil
	}
	return o.Tracker.Doubt(nil)
}

// Failed implements backend.Handler.
func (l *ownLane) Failed(_ *backend.Task, lost *backend.LostError) backend.Flusher {
	o := l.own
	o.pipe.mu.Lock()
	defer o.pipe.mu.Unlock()
	o.failures++
	if refused := (*backend.HandshakeError)(nil); errors.As(lost.Err, &refused) {
		o.refusal = refused
	}
	o.knockedLocked(l)
	o.laterLocked()
	return nil
}

func (o *ownLanes) knockedLocked(l *ownLane) {
	l.knocking = false
	if o.knocking--; o.knocking == 0 && o.settled != nil {
		close(o.settled)
		o.settled = nil
	}
}

// ReachSoon is Reach for a client that was told already.
func (p *Pipeline) ReachSoon() {
	p.mu.Lock()
	if p.own != nil {
		p.own.begun = true
	}
	p.mu.Unlock()
	p.reach()
}

// Reach connects the lanes that broadcasting needs, and returns when all are
// connected or could not be: then they will be, and the Tracker is told. The error
// is a node's refusal.
func (p *Pipeline) Reach(ctx context.Context) error {
	p.reach()
	p.mu.Lock()
	o := p.own
	if o == nil {
		p.mu.Unlock()
		return nil
	}
	var settled chan struct{}
	if o.knocking > 0 {
		settled = make(chan struct{})
		o.settled = settled
	}
	p.mu.Unlock()
	if settled != nil {
		select {
		case <-settled:
		case <-ctx.Done():
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o.begun = true
	return o.refusal
}
