package pubsub

import (
	"sync/atomic"

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
	return appendConfirmation(b, c.proto, word, name, c.toldLocked(kind))
}

func appendConfirmation(b []byte, proto resp.Proto, word string, name *string, count int64) []byte {
	b = resp.AppendPushHeader(b, proto, 3)
	b = resp.AppendBulkString(b, word)
	if name == nil {
		b = resp.AppendNull(b, proto)
	} else {
		b = resp.AppendBulkString(b, *name)
	}
	return resp.AppendInt(b, count)
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
