package pubsub

import (
	"context"
	"slices"
)

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
