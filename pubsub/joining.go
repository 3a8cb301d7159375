package pubsub

import (
	"context"

	"redis-cluster-proxy/backend"
)

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

// Drop gives the joining up, in the place of Try and Wait.
func (j *Joining) Drop() {
	j.c.hub.mu.Lock()
	defer j.c.hub.unlock()
	j.releaseLocked()
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
