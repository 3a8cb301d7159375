package dispatcher

import (
	"slices"
	"sync"
	"time"

	"redis-cluster-proxy/backend"
)

// claimSet is all that clients wait for with commands that name keys of several
// slots. It is safe for concurrent use.
type claimSet struct {
	// Set at construction.
	d    *Dispatcher
	wake chan struct{} // holds at most one token

	mu sync.Mutex
	// Guarded by mu, which comes before the pool's and the lanes'.
	keys     map[keyID]*awaited
	slots    map[uint16]map[*awaited]struct{}
	due      map[*awaited]struct{} // those with a retryAt
	lookouts map[lookoutID]*lookout
	refused  map[lookoutID]int64 // until when, by backend.Now
	parked   int                 // claims that have looked, and wait
}

func (s *claimSet) init(d *Dispatcher) {
	s.d, s.wake = d, make(chan struct{}, 1)
	s.keys, s.slots = make(map[keyID]*awaited), make(map[uint16]map[*awaited]struct{})
	s.due = make(map[*awaited]struct{})
	s.lookouts, s.refused = make(map[lookoutID]*lookout), make(map[lookoutID]int64)
}

// Claims returns how many clients wait for keys in several slots.
func (d *Dispatcher) Claims() int {
	d.claims.mu.Lock()
	defer d.claims.mu.Unlock()
	return d.claims.parked
}

// claim is a client that waits for any of several keys.
type claim struct {
	// Set at construction.
	set     *claimSet
	profile backend.ProfileHandle
	spots   []*spot       // one for each key, in the order of the request
	woken   chan struct{} // holds at most one token
	resume  func()        // goes on with a claim that slept, in a goroutine of its own
	began   int64         // by backend.Now

	// Guarded by the claimSet's mu.
	parked  bool  // it has looked, and waits
	trying  *spot // what it has been called for
	asleep  bool  // nobody works on it until there is something to do
	stopped bool
}

// spot is a claim's place in the queue of one key.
type spot struct {
	// Set at construction.
	claim *claim
	queue *queue
	needs uint32 // the first question of the key that tells the claim something

	// Guarded by the claimSet's mu.
	prev, next *spot
	known      bool   // the type of the key when the claim came
	kind       string // is this, "" if nobody may ask
	called     bool   // there may be something
}

// lookPatience is for how long a claim that looks for the first time has its
// turn before those behind it. It is longer if a node does not reply.
const lookPatience = time.Second

// idleLocked reports whether the claim can be called to a spot. One that waits is
// called to one at a time, so that no key waits for another.
func (at *spot) idleLocked() bool {
	c := at.claim
	if !c.parked {
		return !at.called && c.trying != at && backend.Now()-c.began < int64(lookPatience)
	}
	if c.trying != nil {
		return false
	}
	for _, s := range c.spots {
		if s.called {
			return false
		}
	}
	return true
}

func (c *claim) wakeLocked() {
	if c.asleep {
		c.asleep = false
		go c.resume()
		return
	}
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

func (s *spot) callLocked() {
	s.called = true
	s.claim.wakeLocked()
}

// join begins a claim on keys; none is there twice. With all, nothing that comes
// is taken by one claim from the others.
func (s *claimSet) join(profile backend.ProfileHandle, keys [][]byte, class string, all bool, resume func()) *claim {
	c := &claim{set: s, profile: profile, woken: make(chan struct{}, 1), spots: make([]*spot, len(keys)), resume: resume, began: backend.Now()}
	db := profile.Value().DB
	var after aftermath
	s.mu.Lock()
	if len(s.keys) == 0 {
		s.hurry()
	}
	for i, key := range keys {
		k := s.keyLocked(keyID{db, string(key)})
		q := k.queueLocked(class, all)
		c.spots[i] = &spot{claim: c, queue: q, needs: k.sent + 1}
		q.pushLocked(c.spots[i])
		s.probeLocked(k, &after)
	}
	s.mu.Unlock()
	after.settle(s.d)
	return c
}

func (s *claimSet) keyLocked(id keyID) *awaited {
	k := s.keys[id]
	if k == nil {
		k = &awaited{set: s, id: id, slot: s.d.hash([]byte(id.key))}
		s.keys[id] = k
		if s.slots[k.slot] == nil {
			s.slots[k.slot] = make(map[*awaited]struct{})
		}
		s.slots[k.slot][k] = struct{}{}
	}
	return k
}

// leave ends the claim. What it was called for, and did not try, is for others.
func (c *claim) leave() {
	s := c.set
	var after aftermath
	s.mu.Lock()
	for _, at := range c.spots {
		q := at.queue
		q.removeLocked(at)
		if at.called || c.trying == at {
			s.passLocked(q)
		}
		if q.first == nil {
			s.dropLocked(q)
		}
	}
	if c.parked {
		s.parked--
	}
	c.parked, c.trying = false, nil
	s.mu.Unlock()
	after.settle(s.d)
}

// passLocked calls another claim in the place of one that was called.
func (s *claimSet) passLocked(q *queue) {
	if q.all {
		return
	}
	q.active--
	q.signalLocked(q.active + 1)
}

// dropLocked forgets a queue that is empty, and its key if it was the last.
func (s *claimSet) dropLocked(q *queue) {
	k := q.key
	k.queues = slices.DeleteFunc(k.queues, func(o *queue) bool { return o == q })
	if len(k.queues) > 0 {
		return
	}
	delete(s.keys, k.id)
	delete(s.due, k)
	delete(s.slots[k.slot], k)
	if len(s.slots[k.slot]) == 0 {
		delete(s.slots, k.slot)
	}
}
