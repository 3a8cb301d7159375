package dispatcher

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"redis-cluster-proxy/backend"
)

// Tracking makes a Pipeline's requests travel over lanes of its own, whose nodes
// remember what was read over them and say when it changes.
type Tracking struct {
	// Greeting is the command that makes a node do so for a connection.
	Greeting []string
	// Broadcast says that nodes tell of what was not read, too: there is a lane to
	// every primary at all times.
	Broadcast bool
	// Null is the push that makes the Pipeline's own client forget all that it has
	// read. Nil: invalidations go to another client. That one cannot know the order
	// between the two connections, and so takes nothing for valid whose reply was
	// under way when the invalidation came.
	Null []byte
	// Again is after how long a doubt is told a second time; zero: never. It is for
	// clients that keep what they find in front of an invalidation of everything when
	// both arrive together.
	Again time.Duration
	// Tracker is told what the nodes say.
	Tracker Tracker
}

// Tracker passes on to a client what nodes say besides replies. Its methods are
// called from any goroutine without locks, and must not block. What they return is
// flushed by the caller, and may be nil.
type Tracker interface {
	// Pushed is told of a push, valid until it returns, and of the lane that it
	// came over.
	Pushed(push []byte, lane *backend.TaskRunner) backend.Flusher
	// Doubt is told that what was read before over the lane may change, or have
	// changed, without a push. Nil: over any lane.
	Doubt(lane *backend.TaskRunner) backend.Flusher
}

// Track begins tracking, or ends it with nil. Nothing may be under way. What is sent
// to nodes later goes over new lanes of the profile of now; SetProfile changes them
// only with another Track. The caller ends what was before.
func (p *Pipeline) Track(t *Tracking) (before Tracked) {
	var o *ownLanes
	if t != nil {
		o = newOwnLanes(p, *t)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before = Tracked{p.own}
	if p.closed {
		return before
	}
	if p.own = o; o != nil {
		p.d.tracking.add(p)
	} else {
		p.d.tracking.remove(p)
	}
	return before
}

// Tracked is a tracking that Track has replaced. Its nodes go on to tell of changes
// until it is ended.
type Tracked struct{ own *ownLanes }

// End makes the nodes forget what was read. It reports whether they knew of
// something.
func (t Tracked) End() (forgotten bool) {
	if t.own == nil {
		return false
	}
	t.own.pipe.mu.Lock()
	defer t.own.pipe.mu.Unlock()
	return t.own.endLocked() && !t.own.Broadcast
}

// SetCaching says, with OPTIN or OPTOUT, whether what is dispatched from now on is
// to be tracked.
func (p *Pipeline) SetCaching(c backend.Caching) { p.caching = c }

// maxLateBytes is how many bytes of pushes wait for replies. Of more, the client is
// told to forget everything.
const maxLateBytes = 1 << 20

// latePush is a push that must not overtake replies.
type latePush struct {
	behind uint64 // all requests before it have left the ring
	push   []byte
}

// Tell sends a push, a copy of it, that came over lane: behind the replies that
// came over the lane before it, or over any lane if it is nil. A value that has been
// read must not reach the client after the news that it has changed: it would be
// kept for ever. It does not wait for requests that no node has answered yet. The
// caller flushes.
func (p *Pipeline) Tell(push []byte, lane *backend.TaskRunner) backend.Flusher {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tellLocked(push, p.saidLocked(lane))
}

// saidLocked returns how many requests must have left the ring before what came
// over lane is told.
func (p *Pipeline) saidLocked(lane *backend.TaskRunner) uint64 {
	if p.head >= p.answered || lane == nil {
		return max(p.head, p.answered)
	}
	first := max(p.head, p.heldBack)
	for seq := min(p.answered, p.tail); seq > first; seq-- {
		if p.atLocked(seq - 1).answeredBy(lane) {
			return seq
		}
	}
	return first
}

// answeredBy reports whether r, or a part of it, has its answer over lane.
func (r *request) answeredBy(lane *backend.TaskRunner) (by bool) {
	r.each(func(pt *part) { by = by || pt.lane == lane && (r.done || pt.state == partDone) })
	return by
}

func (p *Pipeline) tellLocked(push []byte, behind uint64) backend.Flusher {
	if p.parting { // not in the middle of a reply
		behind = max(behind, p.head+1)
	}
	switch {
	case p.closed:
		return nil
	case p.own != nil && p.head < behind:
		p.own.lateLocked(push, behind)
		return nil // whoever empties the ring flushes
	}
	p.gatherPushLocked(push, false)
	return p.flusherLocked()
}

func (o *ownLanes) lateLocked(push []byte, behind uint64) {
	if o.lateBytes += len(push); o.lateBytes > maxLateBytes && o.Null != nil {
		behind = o.pipe.answered
		o.pushes, o.lateBytes, o.nullAt, push = nil, len(o.Null), behind+1, o.Null
	}
	i := len(o.pushes)
	for i > 0 && o.pushes[i-1].behind > behind {
		i--
	}
	o.pushes = slices.Insert(o.pushes, i, latePush{behind, bytes.Clone(push)})
}

// Forget makes the client forget all that it has read, as Tell would. It does
// nothing if the client has got no reply since the last time, unless it is told of
// what others read.
func (p *Pipeline) Forget(lane *backend.TaskRunner) backend.Flusher {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.own
	if o == nil || o.Null == nil {
		return nil
	}
	behind := p.saidLocked(lane)
	if o.nullAt > behind && !o.Broadcast {
		return nil
	}
	o.nullAt = behind + 1
	return p.tellLocked(o.Null, behind)
}

// Doubtful reports whether the client may have read something since the last call
// that was true, for whoever tells another client to forget it. What was under way
// then counts as read since.
func (p *Pipeline) Doubtful() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.own
	if o == nil || !o.Broadcast && p.head == p.tail && o.nullAt == p.head+1 {
		return false
	}
	o.nullAt = p.head + 1
	return true
}

// leftLocked is called when the request of that number has left the ring.
func (o *ownLanes) leftLocked(seq uint64) {
	p := o.pipe
	if seq < o.doubtBefore && o.Null != nil && !p.closed {
		o.nullAt = max(o.nullAt, p.head+1)
		p.gatherLocked(o.Null, nil)
	}
	for len(o.pushes) > 0 && o.pushes[0].behind <= p.head {
		if !p.closed {
			p.gatherLocked(o.pushes[0].push, nil)
		}
		o.lateBytes -= len(o.pushes[0].push)
		o.pushes[0] = latePush{}
		if o.pushes = o.pushes[1:]; len(o.pushes) == 0 {
			o.pushes = nil
		}
	}
}

// doubt makes the client forget what it has read, and then, as they come, the
// replies to all that is under way: a node may give them that has lost the slot.
func (p *Pipeline) doubt() {
	p.mu.Lock()
	o := p.own
	if o != nil {
		o.doubtBefore = p.tail
		o.againLocked()
	}
	p.mu.Unlock()
	if o != nil {
		flush(o.Tracker.Doubt(nil))
	}
}

// againLocked has a doubt of this moment told a second time.
func (o *ownLanes) againLocked() {
	if o.Again == 0 || o.ended {
		return
	}
	if o.repeat == nil {
		o.repeat = time.AfterFunc(o.Again, o.again)
	} else {
		o.repeat.Reset(o.Again)
	}
}

// again tells of a doubt a second time, when the client has got all that it is
// about.
func (o *ownLanes) again() {
	p := o.pipe
	p.mu.Lock()
	if o.ended {
		p.mu.Unlock()
		return
	}
	if p.head < o.doubtBefore || len(o.pushes) > 0 {
		o.againLocked()
		p.mu.Unlock()
		return
	}
	o.nullAt = 0
	p.mu.Unlock()
	flush(o.Tracker.Doubt(nil))
}

// trackingSet is the Pipelines that track.
type trackingSet struct {
	mu sync.Mutex
	// Guarded by mu.
	pipes map[*Pipeline]struct{}
}

func (s *trackingSet) add(p *Pipeline) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipes == nil {
		s.pipes = make(map[*Pipeline]struct{})
	}
	s.pipes[p] = struct{}{}
}

func (s *trackingSet) remove(p *Pipeline) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pipes, p)
}

// each calls f with each, without the lock.
func (s *trackingSet) each(f func(*Pipeline)) {
	s.mu.Lock()
	pipes := make([]*Pipeline, 0, len(s.pipes))
	for p := range s.pipes {
		pipes = append(pipes, p)
	}
	s.mu.Unlock()
	for _, p := range pipes {
		f(p)
	}
}

// noteMoving says that a node answered ASK or TRYAGAIN for slot. A key that was
// read at the one node, and is not there, may come into being at the other, which
// knows of no reader.
func (d *Dispatcher) noteMoving(slot uint16) {
	if d.moving.note(slot) {
		d.tracking.each((*Pipeline).doubt)
		d.claims.slotMoves(slot)
	}
}

// retrack tells those who track of new routes.
func (d *Dispatcher) retrack(old, rt *routes) {
	moved := d.cfg.ReadPrefer != PreferPrimary || movedAny(old, rt)
	d.tracking.each(func(p *Pipeline) {
		if moved {
			p.doubt()
		}
		p.reach()
	})
}

// movedAny reports whether a slot has another primary than before.
func movedAny(old, rt *routes) bool {
	for slot := range uint16(NumSlots) {
		if primaryOf(old.shard(slot)) != primaryOf(rt.shard(slot)) {
			return true
		}
	}
	return false
}

func primaryOf(sh *shardRoute) *member {
	if sh == nil {
		return nil
	}
	return sh.primary
}

func flush(f backend.Flusher) {
	if f != nil {
		f.Flush()
	}
}
