package pubsub

import "context"

// Audience returns who gets a message of a channel through this Hub: the
// subscriptions of its own at the node at addr, each of which the node counts as a
// receiver, and the clients that get the message in their place.
func (h *Hub) Audience(addr string, shard bool, channel []byte) (own, clients int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	add := func(same []*topic) {
		for _, t := range same {
			if !t.published.Load() { // others read it at the same time
				t.published.Store(true)
			}
			if l := t.legAt(addr); l != nil && l.up {
				own++
			}
			clients += len(t.subs)
		}
	}
	if shard {
		add(h.topics[Shard][string(channel)])
		return own, clients
	}
	add(h.topics[Channel][string(channel)])
	for pattern, same := range h.topics[Pattern] {
		if h.cluster.Match([]byte(pattern), channel) {
			add(same)
		}
	}
	return own, clients
}

// Names returns what clients of the Hub subscribe to.
func (h *Hub) Names(kind Kind) []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var names []string
	for name, same := range h.topics[kind] {
		for _, t := range same {
			if len(t.subs) > 0 {
				names = append(names, name)
				break
			}
		}
	}
	return names
}

// Clients returns how many clients subscribe to something, and how many
// subscriptions the nodes count in their place.
func (h *Hub) Clients(kind Kind, name string) (own, clients int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, t := range h.topics[kind][name] {
		for _, l := range t.legs {
			if l.up {
				own++
			}
		}
		clients += len(t.subs)
	}
	return own, clients
}

// Distinct returns how many different names of a kind there are, and how many the
// nodes count for them: at each node, each once.
func (h *Hub) Distinct(kind Kind) (own, names int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, same := range h.topics[kind] {
		at := make(map[string]bool)
		wanted := false
		for _, t := range same {
			for _, l := range t.legs {
				if l.up {
					at[l.trunk.addr] = true
				}
			}
			wanted = wanted || len(t.subs) > 0
		}
		own += len(at)
		if wanted {
			names++
		}
	}
	return own, names
}

// Stats are a Hub's figures.
type Stats struct {
	// Subscriptions is how many clients have, by Kind.
	Subscriptions [NumKinds]int
	// Topics is how many different ones those are, a user's each.
	Topics [NumKinds]int
	// Trunks is how many connections to nodes carry them.
	Trunks int
	// Delivered counts messages to clients.
	Delivered uint64
}

// Stats returns the figures of now.
func (h *Hub) Stats() Stats {
	h.mu.RLock()
	defer h.mu.RUnlock()
	s := Stats{Trunks: len(h.trunks), Delivered: h.delivered.Load()}
	for kind, named := range h.topics {
		for _, same := range named {
			for _, t := range same {
				s.Topics[kind]++
				s.Subscriptions[kind] += len(t.subs)
			}
		}
	}
	return s
}

// AwaitEnds waits until the nodes have ended the subscriptions that the Hub has
// given up so far, or ctx ends. Until then they count them.
func (h *Hub) AwaitEnds(ctx context.Context) {
	var ends []<-chan struct{}
	h.mu.RLock()
	for _, t := range h.trunks {
		for _, q := range t.asked {
			if q.fence != nil {
				ends = append(ends, q.fence)
			}
		}
	}
	h.mu.RUnlock()
	await(ctx, ends)
}
