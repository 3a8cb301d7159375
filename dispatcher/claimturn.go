package dispatcher

import (
	"context"
	"fmt"
	"time"
)

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
