package dispatcher

import (
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

func flush(f backend.Flusher) {
	if f != nil {
		f.Flush()
	}
}
