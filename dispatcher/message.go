package dispatcher

import (
	"sync"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
)

// message is what a part publishes: one message, or those of a transaction. It is
// under way from when it is given to a lane until its reply was counted.
type message struct {
	// Set at construction.
	said []publication
	one  [1]publication // memory for said
	unit bool           // they are a transaction's
	pipe *Pipeline      // is told when it may be sent; nil: turn is
	turn chan struct{}  // closed when it may be sent

	patience int64 // until when it waits for shifts, by backend.Now; 0: it did not. Guarded by the Pipeline's mu

	// Guarded by messages.mu.
	addr       string   // the node that it is sent to
	slot       uint16   // of the hold that it waits in
	prev, next *message // those under way beside it; nil: it is not
	behind     *hush    // that it waits for the end of
	awaited    []*Lull  // they wait for its landing
}

// publication is one PUBLISH or SPUBLISH.
type publication struct {
	shard   bool
	channel []byte
	at      int // which command of its unit it is
}

var messagePool = sync.Pool{New: func() any { return new(message) }}

// newMessage makes the message of a part that is one PUBLISH or SPUBLISH.
func newMessage(pt *part, row *command.Row) *message {
	args := wireArgs(pt.task.Wire)
	if len(args) != 3 {
		return nil // a node words the error
	}
	m := messagePool.Get().(*message)
	m.pipe = pt.req.pipe
	m.one[0] = publication{shard: row.Is("spublish"), channel: args[1]}
	m.said = m.one[:]
	return m
}

// newUnitMessage makes the message of a unit; nil if it publishes nothing.
func newUnitMessage(u *unit, p *Pipeline) *message {
	if len(u.published) == 0 {
		return nil
	}
	m := messagePool.Get().(*message)
	m.pipe, m.said, m.unit = p, u.published, true
	return m
}

// recycle gives the message back. It is not under way, and waits for nothing.
func (m *message) recycle() {
	if m == nil {
		return
	}
	*m = message{awaited: m.awaited[:0]}
	messagePool.Put(m)
}

// messages is those under way, and the names for which there are to be none.
type messages struct {
	// Set at construction.
	d *Dispatcher

	mu sync.Mutex
	// Guarded by mu, which comes after the Pipelines' locks.
	match    func(pattern, channel []byte) bool
	underWay message // the ring's root
	hushed   [numScopes]map[string]*hush
	recent   recentMessages // that were sent to their channels' nodes

	recentUnits recentMessages // those of transactions
}

func (ms *messages) init(d *Dispatcher) {
	ms.d = d
	ms.underWay.prev, ms.underWay.next = &ms.underWay, &ms.underWay
	for scope := range ms.hushed {
		ms.hushed[scope] = make(map[string]*hush)
	}
}

// depart notes that m is about to be sent to the node at addr. If it returns false
// m has to wait, and will be told, in the hold of slot. It may be called with a
// Pipeline's lock held.
func (ms *messages) depart(m *message, addr string, slot uint16) bool {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m.addr, m.slot = addr, slot
	switch {
	case m.next != nil: // it had to wait, and now it is its turn
		return true
	case m.behind != nil:
		return false
	}
	if h := ms.hushOfLocked(m); h != nil {
		h.keepLocked(m)
		return false
	}
	ms.departLocked(m)
	return true
}

func (ms *messages) departLocked(m *message) {
	root := &ms.underWay
	m.prev, m.next = root.prev, root
	m.prev.next, root.prev = m, m
}

// land notes that m is not under way any more, or is not going to be. Likewise.
func (ms *messages) land(m *message) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m.behind != nil {
		m.behind.forgetLocked(m)
	}
	if m.next == nil {
		return
	}
	m.prev.next, m.next.prev = m.next, m.prev
	m.prev, m.next = nil, nil
	if m.unit {
		ms.recentUnits.note(m)
	} else {
		ms.recent.note(m)
	}
	for i, l := range m.awaited {
		m.awaited[i] = nil
		l.landedLocked()
	}
	m.awaited = m.awaited[:0]
}

// hushOfLocked returns a hush that m falls under, nil if there is none.
func (ms *messages) hushOfLocked(m *message) *hush {
	for i := range m.said {
		said := &m.said[i]
		if said.shard {
			if h := ms.hushed[Shards][string(said.channel)]; h != nil {
				return h
			}
			continue
		}
		if h := ms.hushed[Channels][string(said.channel)]; h != nil {
			return h
		}
		for pattern, h := range ms.hushed[Patterns] {
			if ms.match([]byte(pattern), said.channel) {
				return h
			}
		}
	}
	return nil
}

// wakeLocked says that m may be sent.
func (ms *messages) wakeLocked(m *message) {
	if m.turn != nil {
		close(m.turn)
		return
	}
	ms.d.retries.add(m.pipe, m.slot, backend.Now())
}
