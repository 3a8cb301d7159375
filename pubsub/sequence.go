package pubsub

import (
	"context"
	"maps"
	"slices"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// Change is one SUBSCRIBE, or UNSUBSCRIBE, of a Sequence.
type Change struct {
	// Who subscribes.
	Who  backend.ProfileHandle
	Kind Kind
	// Ends says that it is an UNSUBSCRIBE; without Names, of all.
	Ends  bool
	Names []string
}

// Sequence is the Changes inside an EXEC. What the client subscribes to in the end
// begins before the transaction is executed, with Begin, and what it does not
// subscribe to any more ends behind it, with End: nothing is missed that happens in
// between. The use is Await, Begin, and then Undo or End; for each Change in turn
// Tell gives the confirmations.
type Sequence struct {
	c        *Client
	changes  []Change
	joinings []*Joining
	before   resp.Proto
	begun    []*topic                  // by Begin
	ends     [NumKinds][]string        // what there was and will not be
	told     [NumKinds]map[string]bool // what there is behind what was told
}

// Sequence begins to ask nodes for what changes subscribe to in the end.
func (c *Client) Sequence(changes []Change) *Sequence {
	s := &Sequence{c: c, changes: changes}
	last, who := [NumKinds]map[string]bool{}, [NumKinds]map[string]backend.ProfileHandle{}
	c.hub.mu.RLock()
	for kind := range c.subs {
		s.told[kind], last[kind], who[kind] = map[string]bool{}, map[string]bool{}, map[string]backend.ProfileHandle{}
		for name := range c.subs[kind] {
			s.told[kind][name], last[kind][name] = true, true
		}
	}
	c.hub.mu.RUnlock()
	for _, ch := range changes {
		ch.apply(last[ch.Kind], func(name string) { who[ch.Kind][name] = ch.Who })
	}
	for kind := range last {
		for name := range s.told[kind] {
			if !last[kind][name] {
				s.ends[kind] = append(s.ends[kind], name)
			}
		}
		for as, names := range newNames(s.told[kind], last[kind], who[kind]) {
			s.joinings = append(s.joinings, c.Join(as, Kind(kind), names))
		}
	}
	return s
}

// newNames returns the names that come, by who subscribes to them.
func newNames(before, after map[string]bool, who map[string]backend.ProfileHandle) map[backend.ProfileHandle][]string {
	names := make(map[backend.ProfileHandle][]string)
	for name := range after {
		if !before[name] {
			names[who[name]] = append(names[who[name]], name)
		}
	}
	return names
}

// apply makes of what there is what there is afterwards, and calls told with each
// name in turn; false if there is none.
func (ch *Change) apply(there map[string]bool, told func(name string)) (named bool) {
	names := ch.Names
	if ch.Ends && len(names) == 0 {
		names = slices.Sorted(maps.Keys(there))
	}
	for _, name := range names {
		if ch.Ends {
			delete(there, name)
		} else {
			there[name] = true
		}
		told(name)
	}
	return len(names) > 0
}

// Await waits until the nodes have confirmed what is new. With an error, which is a
// Fault or the context's cause, the Sequence has ended.
func (s *Sequence) Await(ctx context.Context) error {
	for i, j := range s.joinings {
		if err := j.ready(ctx); err != nil {
			for _, other := range slices.Delete(s.joinings, i, i+1) {
				other.Drop()
			}
			return err
		}
	}
	return nil
}

// Begin makes the client hear what is new, in the protocol that it will speak in
// the end, from what at says on, which must not block.
func (s *Sequence) Begin(proto resp.Proto, at func()) {
	h := s.c.hub
	h.mu.Lock()
	defer h.unlock()
	s.before, s.c.proto = s.c.proto, proto
	for _, j := range s.joinings {
		if !s.c.closed {
			for _, t := range j.topics {
				s.c.addLocked(t)
				s.begun = append(s.begun, t)
			}
		}
		j.releaseLocked()
	}
	at()
}

// Undo takes back what Begin has done.
func (s *Sequence) Undo(at func()) {
	h := s.c.hub
	h.mu.Lock()
	defer h.unlock()
	s.c.proto = s.before
	for _, t := range s.begun {
		if sub := s.c.subs[t.kind][t.name]; sub != nil {
			s.c.removeLocked(sub, nil)
		}
	}
	at()
}

// End ends what is not subscribed to any more, and waits until others cannot see
// it undone, or ctx ends.
func (s *Sequence) End(ctx context.Context) {
	for kind, names := range s.ends {
		if len(names) > 0 {
			s.c.Leave(Kind(kind), names).Wait(ctx)
		}
	}
}

// Tell returns the confirmations of the next Change, and whether there are any
// subscriptions behind it.
func (s *Sequence) Tell(proto resp.Proto) (told []byte, any bool) {
	ch := s.changes[0]
	s.changes = s.changes[1:]
	word := kindWords[ch.Kind].subscribe
	if ch.Ends {
		word = kindWords[ch.Kind].unsubscribe
	}
	named := ch.apply(s.told[ch.Kind], func(name string) {
		told = appendConfirmation(told, proto, word, &name, s.count(ch.Kind))
	})
	if !named {
		told = appendConfirmation(told, proto, word, nil, s.count(ch.Kind))
	}
	return told, s.count(Channel)+s.count(Shard) > 0
}

// count is the number in a confirmation.
func (s *Sequence) count(kind Kind) int64 {
	if kind == Shard {
		return int64(len(s.told[Shard]))
	}
	return int64(len(s.told[Channel]) + len(s.told[Pattern]))
}
