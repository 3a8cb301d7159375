package backend

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"redis-cluster-proxy/resp"
)

// Private is what the holder of a private lane wishes.
type Private struct {
	// Greeting is a command that each connection of the lane begins with, behind
	// the profile's. If the node refuses it, tasks fail with a *HandshakeError.
	Greeting []string
	// Listener is told what happens to the connection.
	Listener Listener
}

// Listener hears of a private lane what is no reply. Its methods are called from
// any goroutine, one at a time for each connection, and must not block.
type Listener interface {
	// Pushed hands over a push ('>'). All replies that the node has sent before it
	// have been handed to their Handlers, and none that came after it. The bytes are
	// valid until Pushed returns. The Flusher may be nil, see Handler.
	Pushed(push []byte) Flusher
	// Lost says that a connection has ended, after its last reply: the node has
	// forgotten what it knew of it.
	Lost()
	// Silent says, again and again, that the node has said nothing for long though it
	// was asked to, so that news may be missing, and owes replies besides. If end is
	// true the connection is given up, as one that owes nothing is without a question;
	// else the node may be at work on what it owes.
	Silent() (end bool)
}

// PrivateLane makes a lane that is one session's alone, for what a server remembers
// about a connection and tells it later. It connects, and connects again after a
// loss, like any lane. While it is quiet it is felt for; see Config.Pulse. The holder
// must Discard it.
//
// Where the profile's protocol has no pushes, the lane has a second connection, its
// ear, whose id is added to the greeting as REDIRECT; they end together.
func (n *Node) PrivateLane(profile Profile, wish Private, seed uint32) *TaskRunner {
	r := &TaskRunner{node: n, profile: profile, private: &privacy{wish: wish}, index: seed}
	if !n.privates.add(r) {
		r.state = stateClosed
	}
	return r
}

// Discard closes a private lane when the last reply is in. Its Listener hears
// nothing any more.
func (r *TaskRunner) Discard() {
	r.private.discarded.Store(true)
	r.Close(true)
	r.mu.Lock()
	unused := r.state == stateClosed // there is no serveLoop to do it
	r.mu.Unlock()
	if unused {
		r.node.privates.forget(r)
	}
}

// privacy is what a private lane has besides.
type privacy struct {
	wish      Private // set at construction
	discarded atomic.Bool

	// Guarded by the runner's mu.
	lane, ear pulse
	heard     int64 // what the runner's was at the last look
}

// pushed hands a push over. A nil privacy is that of a lane that is not private.
func (p *privacy) pushed(push []byte) Flusher {
	if p == nil || p.discarded.Load() {
		return nil
	}
	return p.wish.Listener.Pushed(push)
}

// lost tells of a connection's end, likewise.
func (p *privacy) lost() {
	if p != nil && !p.discarded.Load() {
		p.wish.Listener.Lost()
	}
}

// silent tells of a silence. It reports whether the connection is to be given up.
func (p *privacy) silent() bool { return !p.discarded.Load() && p.wish.Listener.Silent() }

// needsEar reports whether what the lane speaks has no pushes.
func (r *TaskRunner) needsEar() bool { return r.profile.Proto != resp.RESP3 }

// privateSet is the private lanes of a node. The zero value is ready.
type privateSet struct {
	mu sync.Mutex
	// Guarded by mu, which comes before the runners'.
	all  map[*TaskRunner]struct{}
	gone LaneStats // of those that were forgotten
}

// add notes r; false if its node takes none any more. Whoever closes all of them
// has set dropped, or ended the pool's context, before.
func (s *privateSet) add(r *TaskRunner) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.node.dropped.Load() || r.node.pool.ctx.Err() != nil {
		return false
	}
	if s.all == nil {
		s.all = make(map[*TaskRunner]struct{})
	}
	s.all[r] = struct{}{}
	return true
}

// forget drops r, which has closed.
func (s *privateSet) forget(r *TaskRunner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.all[r]; !known {
		return
	}
	delete(s.all, r)
	r.mu.Lock()
	defer r.mu.Unlock()
	s.gone.Add(&r.stats)
}

// figures returns the lanes of now and the figures of those that were forgotten.
func (s *privateSet) figures() (runners []*TaskRunner, gone LaneStats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.all)), s.gone
}
