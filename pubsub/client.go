package pubsub

import (
	"context"
	"slices"
	"sync/atomic"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// Outlet is a client's way out. Its methods must not block; Gather and Kick are
// called with the Hub's lock held.
type Outlet interface {
	// Gather takes bytes that FlushGathered sends. If they are shared they stay
	// valid, and never change; else they are valid until Gather returns.
	Gather(b []byte, shared bool)
	FlushGathered()
	// Kick closes the client, since it may not hear any more what it subscribes
	// to; text is a node's error.
	Kick(text string)
}

// Client is somebody who subscribes. Join, Leave and Close are for one goroutine
// at a time.
type Client struct {
	// Set at construction.
	hub *Hub
	out Outlet

	counts   [NumKinds]atomic.Int32 // lengths of subs
	gathered atomic.Bool            // somebody is going to flush out

	// Guarded by Hub.mu.
	proto  resp.Proto
	closed bool
	subs   [NumKinds]map[string]*subscription
}

// NewClient makes a Client that speaks proto.
func (h *Hub) NewClient(out Outlet, proto resp.Proto) *Client {
	return &Client{hub: h, out: out, proto: proto}
}

// Count returns how many subscriptions of a kind there are. Safe for concurrent
// use.
func (c *Client) Count(kind Kind) int { return int(c.counts[kind].Load()) }

// Total returns how many subscriptions there are. Safe for concurrent use.
func (c *Client) Total() int { return c.Count(Channel) + c.Count(Pattern) + c.Count(Shard) }

// SetProto makes the Client speak another protocol from what answer says on.
func (c *Client) SetProto(proto resp.Proto, answer func()) {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	c.proto = proto
	answer()
}

// toldLocked returns the number in a confirmation.
func (c *Client) toldLocked(kind Kind) int64 {
	if kind == Shard {
		return int64(len(c.subs[Shard]))
	}
	return int64(len(c.subs[Channel]) + len(c.subs[Pattern]))
}

// appendTold appends a confirmation. name is nil if there is nothing to name.
func (c *Client) appendTold(b []byte, kind Kind, word string, name *string) []byte {
	b = resp.AppendPushHeader(b, c.proto, 3)
	b = resp.AppendBulkString(b, word)
	if name == nil {
		b = resp.AppendNull(b, c.proto)
	} else {
		b = resp.AppendBulkString(b, *name)
	}
	return resp.AppendInt(b, c.toldLocked(kind))
}

// Joining is a SUBSCRIBE under way. It ends with the Try that says done, or with
// Wait.
type Joining struct {
	c      *Client
	kind   Kind
	names  []string
	topics []*topic
	from   int // those before it were up
}

// Join begins to subscribe as who. Nodes are asked at once.
func (c *Client) Join(who backend.ProfileHandle, kind Kind, names []string) *Joining {
	j := &Joining{c: c, kind: kind, names: names}
	h := c.hub
	h.mu.Lock()
	defer h.unlock()
	for _, name := range names {
		t := (*topic)(nil)
		if sub := c.subs[kind][name]; sub != nil {
			t = sub.topic // maybe of a user that the client was before
		} else {
			t = h.topicLocked(who, kind, name)
		}
		t.joins++
		j.topics = append(j.topics, t)
	}
	return j
}

// Fault is a node's refusal.
type Fault string

// Error implements error.
func (f Fault) Error() string { return string(f) }

// Try subscribes if the nodes have confirmed all of it. Then announce, which must
// not block, gets the confirmations for the client: whatever the client hears of
// later comes behind what announce puts into its output.
func (j *Joining) Try(announce func([]byte)) (done bool, err error) {
	done, _, err = j.try(announce)
	return done, err
}

func (j *Joining) try(announce func([]byte)) (done bool, missing *topic, err error) {
	h := j.c.hub
	h.mu.Lock()
	defer h.unlock()
	if j.c.closed {
		j.releaseLocked()
		return true, nil, context.Canceled
	}
	if missing = j.missingLocked(); missing != nil {
		if missing.fault != "" {
			j.releaseLocked()
			return true, nil, Fault(missing.fault)
		}
		return false, missing, nil
	}
	word := kindWords[j.kind].subscribe
	var told []byte
	for i, t := range j.topics {
		j.c.addLocked(t)
		told = j.c.appendTold(told, j.kind, word, &j.names[i])
	}
	j.releaseLocked()
	announce(told)
	return true, nil, nil
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
	for _, t := range j.topics {
		t.joins--
		j.c.hub.dropUnusedLocked(t, nil)
	}
	j.topics = nil
}

// Wait is Try as soon as that says done, or ctx ends.
func (j *Joining) Wait(ctx context.Context, announce func([]byte)) error {
	h := j.c.hub
	for {
		done, missing, err := j.try(announce)
		if done {
			return err
		}
		h.mu.RLock()
		changed := missing.changed
		ready := missing.upLocked() || missing.fault != ""
		h.mu.RUnlock()
		if ready {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			h.mu.Lock()
			j.releaseLocked()
			h.unlock()
			return context.Cause(ctx)
		}
	}
}

// addLocked makes the client a subscriber, if it is none.
func (c *Client) addLocked(t *topic) {
	if c.subs[t.kind][t.name] != nil {
		return
	}
	if c.subs[t.kind] == nil {
		c.subs[t.kind] = make(map[string]*subscription)
	}
	sub := &subscription{client: c, topic: t, at: len(t.subs), since: c.hub.stamp.Add(1)}
	c.subs[t.kind][t.name] = sub
	t.subs = append(t.subs, sub)
	c.counts[t.kind].Add(1)
}

// removeLocked ends a subscription.
func (c *Client) removeLocked(sub *subscription, fences []<-chan struct{}) []<-chan struct{} {
	t := sub.topic
	last := len(t.subs) - 1
	moved := t.subs[last]
	t.subs[sub.at], moved.at = moved, sub.at
	t.subs[last] = nil
	t.subs = t.subs[:last]
	delete(c.subs[t.kind], t.name)
	c.counts[t.kind].Add(-1)
	return c.hub.dropUnusedLocked(t, fences)
}

// Leaving is an UNSUBSCRIBE: the client hears nothing more of it.
type Leaving struct {
	// Told is the confirmations for the client.
	Told []byte

	fences []<-chan struct{}
}

// Leave unsubscribes from names, or with nil from all of the kind.
func (c *Client) Leave(kind Kind, names []string) *Leaving {
	h := c.hub
	h.mu.Lock()
	defer h.unlock()
	word := kindWords[kind].unsubscribe
	l := &Leaving{}
	if names == nil {
		for name := range c.subs[kind] {
			names = append(names, name)
		}
		slices.Sort(names)
		if len(names) == 0 {
			l.Told = c.appendTold(nil, kind, word, nil)
			return l
		}
	}
	for _, name := range names {
		if sub := c.subs[kind][name]; sub != nil {
			l.fences = c.removeLocked(sub, l.fences)
		}
		l.Told = c.appendTold(l.Told, kind, word, &name)
	}
	return l
}

// Pending reports whether nodes have something to do that others could still see
// undone.
func (l *Leaving) Pending() bool { return len(l.fences) > 0 }

// Wait waits until they have done it, or ctx ends.
func (l *Leaving) Wait(ctx context.Context) {
	for _, fence := range l.fences {
		select {
		case <-fence:
		case <-ctx.Done():
			return
		}
	}
}

// Reset ends all subscriptions in silence.
func (c *Client) Reset() {
	h := c.hub
	h.mu.Lock()
	defer h.unlock()
	c.resetLocked()
}

// Close ends all subscriptions for good, and what Joinings are under way.
func (c *Client) Close() {
	h := c.hub
	h.mu.Lock()
	defer h.unlock()
	c.closed = true
	c.resetLocked()
}

func (c *Client) resetLocked() {
	for kind := range c.subs {
		for _, sub := range c.subs[kind] {
			c.removeLocked(sub, nil)
		}
		c.subs[kind] = nil
	}
}
