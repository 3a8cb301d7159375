package pubsub

import (
	"context"

	"redis-cluster-proxy/backend"
)

// Joining is a SUBSCRIBE under way. It ends with the Try that says done, with Wait
// or with Drop.
//
// Nothing is published meanwhile. First what is under way is answered, as if there
// were no subscription yet; then the nodes are asked, and what they have said before is
// heard, by the others; and when the client has subscribed messages go on. So who
// publishes is told of the client if, and only if, it hears.
type Joining struct {
	c      *Client
	kind   Kind
	names  []string
	topics []*topic
	from   int // those before it were up
	lull   Lull

	// Guarded by Hub.mu.
	begun  chan struct{} // closed when the nodes are asked
	asked  bool          // they are
	ended  bool
	fences []<-chan struct{}
}

// Join begins to subscribe as who. Nodes are asked at once, or as soon as messages
// under way have been answered.
func (c *Client) Join(who backend.ProfileHandle, kind Kind, names []string) *Joining {
	j := &Joining{c: c, kind: kind, names: names}
	h := c.hub
	h.mu.Lock()
	defer h.unlock()
	fresh, far := names[:0:0], false
	for _, name := range names {
		t := (*topic)(nil)
		if sub := c.subs[kind][name]; sub != nil {
			t = sub.topic // maybe of a user that the client was before
		} else {
			t = h.topicLocked(who, kind, name)
			fresh, far = append(fresh, name), far || h.farLocked(t)
		}
		t.joins++
		j.topics = append(j.topics, t)
	}
	if len(fresh) > 0 {
		now := false
		if j.lull, now = h.cluster.Lull(kind, fresh, far, j.begin); !now {
			j.begun = make(chan struct{})
			return j
		}
	}
	j.beginLocked()
	return j
}

// begin asks the nodes, when nothing is under way any more.
func (j *Joining) begin() {
	h := j.c.hub
	h.mu.Lock()
	defer h.unlock()
	if j.asked = true; !j.ended && !h.closed {
		j.beginLocked()
	}
	close(j.begun)
}

func (j *Joining) beginLocked() {
	j.asked = true
	h := j.c.hub
	for _, t := range j.topics {
		switch {
		case !t.placed:
			h.placeLocked(t)
		case !j.c.hasLocked(t):
			j.fences = t.settleLocked(j.fences)
		}
	}
	h.mendLaterLocked()
}

// Fault is a node's refusal.
type Fault string

// Error implements error.
func (f Fault) Error() string { return string(f) }

// Try subscribes if the nodes have confirmed all of it. Then announce, which must
// not block, gets the confirmations for the client: whatever the client hears of
// later comes behind what announce puts into its output.
func (j *Joining) Try(announce func([]byte)) (done bool, err error) {
	next, err := j.try(announce)
	return next == nil, err
}

// try is Try, and returns what has to come before the next attempt.
func (j *Joining) try(announce func([]byte)) (next <-chan struct{}, err error) {
	h := j.c.hub
	h.mu.Lock()
	defer h.unlock()
	if next, err = j.readyLocked(); next != nil || err != nil {
		return next, err
	}
	word := kindWords[j.kind].subscribe
	var told []byte
	for i, t := range j.topics {
		j.c.addLocked(t)
		told = j.c.appendTold(told, j.kind, word, &j.names[i])
	}
	announce(told)
	j.releaseLocked()
	return nil, nil
}

// readyLocked returns what has to come before the client can subscribe, nil if
// nothing has. With an error the joining has ended.
func (j *Joining) readyLocked() (next <-chan struct{}, err error) {
	if j.c.closed {
		j.releaseLocked()
		return nil, context.Canceled
	}
	if !j.asked {
		return j.begun, nil
	}
	if j.fences = open(j.fences); len(j.fences) > 0 {
		return j.fences[0], nil
	}
	if missing := j.missingLocked(); missing != nil {
		if missing.fault != "" {
			j.releaseLocked()
			return nil, Fault(missing.fault)
		}
		return missing.changed, nil
	}
	return nil, nil
}

// missingLocked returns a topic that is not up, nil if there is none. It does not
// look at all of ten thousand each time that one more is up.
func (j *Joining) missingLocked() *topic {
	for first := j.from; ; {
		for ; j.from < len(j.topics); j.from++ {
			if t := j.topics[j.from]; t.fault != "" || !t.upLocked() && !j.c.hasLocked(t) {
				return t
			}
		}
		if first == 0 {
			return nil
		}
		first, j.from = 0, 0 // it may have been lost again meanwhile
	}
}

func (c *Client) hasLocked(t *topic) bool {
	sub := c.subs[t.kind][t.name]
	return sub != nil && sub.topic == t
}

// releaseLocked gives up what the joining holds.
func (j *Joining) releaseLocked() {
	j.ended = true
	for _, t := range j.topics {
		t.joins--
		j.c.hub.dropUnusedLocked(t, nil)
	}
	j.topics = nil
	if j.lull != nil {
		j.lull.End()
	}
}

// Drop gives the joining up, in the place of Try and Wait.
func (j *Joining) Drop() {
	j.c.hub.mu.Lock()
	defer j.c.hub.unlock()
	j.releaseLocked()
}

// Wait is Try as soon as that says done, or ctx ends.
func (j *Joining) Wait(ctx context.Context, announce func([]byte)) error {
	return j.await(ctx, func() (next <-chan struct{}, err error) { return j.try(announce) })
}

// ready waits until the client can subscribe, or ctx ends, and with it the joining.
func (j *Joining) ready(ctx context.Context) error {
	return j.await(ctx, func() (next <-chan struct{}, err error) {
		j.c.hub.mu.Lock()
		defer j.c.hub.unlock()
		return j.readyLocked()
	})
}

// await calls try until nothing has to come before.
func (j *Joining) await(ctx context.Context, try func() (next <-chan struct{}, err error)) error {
	for {
		next, err := try()
		if next == nil {
			return err
		}
		select {
		case <-next:
		case <-ctx.Done():
			j.Drop()
			return context.Cause(ctx)
		}
	}
}
