package dispatcher

import (
	"sync/atomic"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/slots"
)

// movingFor is how long after an ASK or TRYAGAIN a slot is taken to be moving
// from one node to another.
const movingFor = 10 * time.Second

// movingSlots remembers which slots are moving.
type movingSlots struct {
	until atomic.Int64                  // by backend.Now; after it, none is
	each  [slots.NumSlots]atomic.Uint32 // likewise, in seconds, rounded up
}

// note says that a node answered ASK or TRYAGAIN for slot. It reports whether that
// is news.
func (m *movingSlots) note(slot uint16) bool {
	if slot == noSlot {
		return false
	}
	fresh := !m.is(slot)
	until := backend.Now() + int64(movingFor)
	m.each[slot].Store(uint32(until/int64(time.Second)) + 1)
	m.until.Store(until)
	return fresh
}

// is reports whether slot has been moving a moment ago.
func (m *movingSlots) is(slot uint16) bool {
	until := m.until.Load()
	if until == 0 || slot == noSlot { // the usual
		return false
	}
	now := backend.Now()
	last := m.each[slot].Load()
	return now <= until && last != 0 && last >= uint32(now/int64(time.Second))
}
