package dispatcher

import (
	"context"
	"fmt"
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

// typeOf waits until it is known what type the key at a spot had when the claim
// came. It returns the reason if that is not known after limit.
// Both are empty if ctx has ended.
func (c *claim) typeOf(ctx context.Context, at *spot, limit <-chan time.Time) (kind, fault string) {
	for {
		c.set.mu.Lock()
		known, kind, fault := at.known, at.kind, at.queue.key.fault
		c.set.mu.Unlock()
		if known {
			return kind, ""
		}
		select {
		case <-ctx.Done():
			return "", ""
		case <-limit:
			if fault == "" {
				fault = fmt.Sprintf("CLUSTERDOWN the node of slot %d has not replied", at.queue.key.slot)
			}
			return "", fault
		case <-c.woken:
		}
	}
}

// turn makes the claim try what it was called for at a spot, or if it is the
// oldest there, with eager even if it was not called; false: it is not its turn.
func (c *claim) turn(at *spot, eager bool) bool {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	if !at.called {
		if !eager || at.queue.first != at {
			return false
		}
		at.queue.active++
	}
	at.called = false
	c.trying = at
	return true
}

// park begins to wait. What came while the claim looked is not missed.
func (c *claim) park() {
	var after aftermath
	c.set.mu.Lock()
	c.parked = true
	c.set.parked++
	c.freeLocked(&after)
	c.set.mu.Unlock()
	after.settle(c.set.d)
}

// freeLocked says that the claim can be called for what nobody could be called
// for before.
func (c *claim) freeLocked(after *aftermath) {
	for _, at := range c.spots {
		if q := at.queue; q.more && q.active == 0 {
			q.againLocked(after)
		}
	}
}

// againLocked finds out whether there is more, since there was a sign of it.
func (q *queue) againLocked(after *aftermath) {
	q.more = false
	if kindOf(q.class) == classStream || q.key.blind > 1 {
		q.signalLocked(1) // only a look tells
		return
	}
	q.key.set.probeLocked(q.key, after)
}

// next returns for which key the claim is called. nil: it is not, and resume will
// be called when it is, or when it is stopped.
func (c *claim) next() (at *spot, stopped bool) {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	if c.stopped {
		return nil, true
	}
	for _, at := range c.spots {
		if at.called {
			at.called = false
			c.trying = at
			return at, false
		}
	}
	c.asleep = true
	return nil, false
}

// stop makes next say so.
func (c *claim) stop() {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	c.stopped = true
	c.wakeLocked()
}

// fresh forgets that the claim was called: what it does next will find out.
func (c *claim) fresh() {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	for _, at := range c.spots {
		if at.queue.all {
			at.called = false
		}
	}
}

// missed says that there was nothing at the spot that next returned.
func (c *claim) missed() { c.tried(false, "") }

// got says that the claim has taken something there.
func (c *claim) got() { c.tried(true, "") }

// troubled says that the node could not say, because of fault.
func (c *claim) troubled(fault string) { c.tried(false, fault) }

func (c *claim) tried(got bool, fault string) {
	var after aftermath
	c.set.mu.Lock()
	q := c.trying.queue
	c.trying = nil
	if fault != "" {
		c.set.laterLocked(q.key, fault)
	}
	if got && c.parked {
		c.parked = false
		c.set.parked--
	}
	if !q.all {
		q.triedLocked(got, &after)
	}
	if !got {
		c.freeLocked(&after)
	}
	c.set.mu.Unlock()
	after.settle(c.set.d)
}

// triedLocked says how the attempt of a claim ended.
func (q *queue) triedLocked(got bool, after *aftermath) {
	if got && q.key.asking != nil {
		q.key.stale = true // the reply may be as old as what was taken
	}
	if q.active--; q.active > 0 {
		return
	}
	// What is taken from a list changes it, and the node says so. Of a stream it
	// says nothing.
	if q.more || got && kindOf(q.class) == classStream {
		q.againLocked(after)
	}
}
