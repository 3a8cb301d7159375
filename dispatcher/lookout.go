package dispatcher

import (
	"errors"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// lookout is a connection over which a node tells which of the awaited keys have
// changed: CLIENT TRACKING over RESP3 (https://redis.io/docs/latest/develop/reference/client-side-caching/).
// A node remembers each key that it was asked about, whether it exists or not, and
// says once that it is not what it was. All clients of the proxy share it.
type lookout struct {
	// Set at construction.
	set  *claimSet
	id   lookoutID
	lane *backend.TaskRunner // private: it connects again after a loss

	usedAt int64 // guarded by the claimSet's mu
}

// lookoutID is where a lookout is, and what as.
type lookoutID struct {
	addr    string
	profile backend.ProfileHandle
}

// lookoutProfile is that of a lookout as whoever acts by p.
func lookoutProfile(p backend.Profile, db int) backend.ProfileHandle {
	p.Proto, p.DB, p.ReadOnly, p.NoTouch = resp.RESP3, db, false, false
	return backend.MakeProfile(p)
}

var trackAll = []string{"CLIENT", "TRACKING", "ON"}

// lookoutLocked returns the lookout at a node, connecting it if need be; nil if
// the node has refused one a moment ago.
func (s *claimSet) lookoutLocked(addr string, profile backend.ProfileHandle) *lookout {
	id := lookoutID{addr, profile}
	now := backend.Now()
	if l := s.lookouts[id]; l != nil {
		l.usedAt = now
		return l
	}
	if now < s.refused[id] {
		return nil
	}
	l := &lookout{set: s, id: id, usedAt: now}
	l.lane = s.d.member(addr).node.PrivateLane(profile.Value(), backend.Private{Greeting: trackAll, Listener: l}, 0)
	s.lookouts[id] = l
	return l
}

// askLocked asks about a key, and to be told when it changes. false: the lane is
// closed, or is losing its connection at this moment.
func (l *lookout) askLocked(k *awaited, asking bool) bool {
	k.task = backend.Task{
		Wire: k.questionLocked(), Handler: l, Owner: k, Asking: asking,
	}
	return l.lane.Enqueue(&k.task)
}

// Replied implements backend.Handler.
func (l *lookout) Replied(run []backend.Reply, _ *backend.Chunk) backend.Flusher {
	s := l.set
	var after aftermath
	s.mu.Lock()
	for i := range run {
		s.toldLocked(run[i].Task.Owner.(*awaited), l, run[i].Bytes, &after)
	}
	s.mu.Unlock()
	after.settle(s.d)
	return nil
}

// Failed implements backend.Handler.
func (l *lookout) Failed(t *backend.Task, lost *backend.LostError) backend.Flusher {
	s := l.set
	var after aftermath
	s.mu.Lock()
	refused := (*backend.HandshakeError)(nil)
	if errors.As(lost, &refused) {
		s.refused[l.id] = backend.Now() + int64(refusedFor)
		l.closeLocked()
	}
	s.unheardLocked(t.Owner.(*awaited), refused != nil, lost, &after)
	s.mu.Unlock()
	after.settle(s.d)
	return nil
}

// refusedFor is how long after a node has refused a lookout none is tried.
const refusedFor = 10 * time.Second

// Lost implements backend.Listener: what was asked over the connection is asked
// again.
func (l *lookout) Lost() {
	s := l.set
	var after aftermath
	s.mu.Lock()
	for _, k := range s.keys {
		if k.at == l {
			s.askLocked(k, &after)
		}
	}
	s.mu.Unlock()
	after.settle(s.d)
}

// Silent implements backend.Listener. A question can be asked again.
func (l *lookout) Silent() (end bool) { return true }

// Pushed implements backend.Listener.
func (l *lookout) Pushed(push []byte) backend.Flusher {
	v, n, err := resp.ReadValue(push)
	if err != nil || n == 0 || len(v.Elems) != 2 || v.Elems[0].Str != "invalidate" {
		return nil
	}
	s := l.set
	var after aftermath
	s.mu.Lock()
	if v.Elems[1].Null { // all keys: FLUSHALL
		for _, k := range s.keys {
			if k.at == l || k.asking == l {
				s.changedLocked(k, &after)
			}
		}
	}
	db := l.id.profile.Value().DB
	for _, e := range v.Elems[1].Elems {
		if k := s.keys[keyID{db, e.Str}]; k != nil {
			s.changedLocked(k, &after)
		}
	}
	s.mu.Unlock()
	after.settle(s.d)
	return nil
}

// closeLocked gives the connection up.
func (l *lookout) closeLocked() {
	if l.set.lookouts[l.id] == l {
		delete(l.set.lookouts, l.id)
		l.lane.Discard()
	}
}

// aftermath is what is to be done when the claimSet's lock is free again.
type aftermath struct {
	flush   []*lookout
	moved   []movedSlot
	moving  []uint16
	refresh string // the reason; "": none
}

type movedSlot struct {
	slot uint16
	addr string
}

func (a *aftermath) flushLater(l *lookout) {
	for _, o := range a.flush {
		if o == l {
			return
		}
	}
	a.flush = append(a.flush, l)
}

func (a *aftermath) settle(d *Dispatcher) {
	for _, l := range a.flush {
		l.lane.Flush()
	}
	for _, m := range a.moved {
		d.topology.Moved(m.slot, m.addr)
	}
	for _, slot := range a.moving {
		d.noteMoving(slot)
	}
	if a.refresh != "" {
		d.topology.Refresh(a.refresh)
	}
}
