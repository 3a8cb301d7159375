package pubsub

import (
	"context"
	"slices"
)

// Leaving is an UNSUBSCRIBE: the client hears nothing more of it. As with Joining,
// nothing is published meanwhile, and the client hears what was published before.
type Leaving struct {
	// Set at construction.
	c     *Client
	kind  Kind
	names []string

	// Guarded by Hub.mu.
	lull   Lull
	begun  chan struct{} // closed when nothing is under way any more; nil: nothing was
	heard  []<-chan struct{}
	ended  bool
	told   []byte
	fences []<-chan struct{}
}

// Leave unsubscribes from names, or with nil from all of the kind.
func (c *Client) Leave(kind Kind, names []string) *Leaving {
	h := c.hub
	h.mu.Lock()
	defer h.unlock()
	l := &Leaving{c: c, kind: kind, names: names}
	var had []string
	if names == nil {
		for name := range c.subs[kind] {
			had = append(had, name)
		}
		slices.Sort(had)
		l.names = had
	} else {
		for _, name := range names {
			if c.subs[kind][name] != nil {
				had = append(had, name)
			}
		}
	}
	if len(had) > 0 {
		now, far := false, false
		for _, name := range had {
			far = far || h.farLocked(c.subs[kind][name].topic)
		}
		if l.lull, now = h.cluster.Lull(kind, had, far, l.begin); !now {
			l.begun = make(chan struct{})
			return l
		}
		l.settleLocked()
	}
	if len(l.heard) == 0 {
		l.endLocked()
	}
	return l
}

// begin goes on when nothing is under way any more.
func (l *Leaving) begin() {
	l.c.hub.mu.Lock()
	defer l.c.hub.unlock()
	if !l.ended {
		l.settleLocked()
	}
	close(l.begun)
}

// settleLocked finds out what has to be heard first.
func (l *Leaving) settleLocked() {
	for _, name := range l.names {
		if sub := l.c.subs[l.kind][name]; sub != nil {
			l.heard = sub.topic.settleLocked(l.heard)
		}
	}
	if len(l.heard) == 0 {
		l.heard = l.passLocked()
	}
}

// passLocked returns what is closed when the client has got what was heard.
func (l *Leaving) passLocked() (passes []<-chan struct{}) {
	for _, name := range l.names {
		if sub := l.c.subs[l.kind][name]; sub != nil {
			passes = sub.topic.passLocked(passes)
		}
	}
	return passes
}

// endLocked ends the subscriptions.
func (l *Leaving) endLocked() {
	if l.ended {
		return
	}
	l.ended = true
	word := kindWords[l.kind].unsubscribe
	if len(l.names) == 0 {
		l.told = l.c.appendTold(nil, l.kind, word, nil)
	}
	for _, name := range l.names {
		if sub := l.c.subs[l.kind][name]; sub != nil {
			l.fences = l.c.removeLocked(sub, l.fences)
		}
		l.told = l.c.appendTold(l.told, l.kind, word, &name)
	}
	if len(l.fences) == 0 && l.lull != nil {
		l.lull.End()
	}
}

// Pending reports whether it takes time: the client has to hear something first, or
// nodes have something to do that others could still see undone. Then Wait has to be
// called.
func (l *Leaving) Pending() bool {
	l.c.hub.mu.RLock()
	defer l.c.hub.mu.RUnlock()
	return !l.ended || len(l.fences) > 0
}

// Told returns the confirmations for the client, if it is not pending or was
// waited for.
func (l *Leaving) Told() []byte {
	l.c.hub.mu.RLock()
	defer l.c.hub.mu.RUnlock()
	return l.told
}

// Wait waits until all of that is done, or ctx ends.
func (l *Leaving) Wait(ctx context.Context) {
	h := l.c.hub
	if l.begun != nil {
		await(ctx, []<-chan struct{}{l.begun})
	}
	h.mu.RLock()
	heard := l.heard
	h.mu.RUnlock()
	await(ctx, heard)
	h.mu.RLock()
	passes := l.passLocked()
	h.mu.RUnlock()
	await(ctx, passes)
	h.mu.Lock()
	l.endLocked()
	fences := l.fences
	h.unlock()
	await(ctx, fences)
	if l.lull != nil {
		l.lull.End()
	}
}
