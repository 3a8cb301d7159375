package dispatcher

import (
	"sync/atomic"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/slots"
)

// When a slot gets another primary, messages of its channels are published there
// from then on, and may reach who listens by a shorter way than those before them: a
// subscription stays at its node, which hears of the others' messages over the
// cluster's bus. So the first ones behind such a shift wait until the last ones before
// it must have been passed on.

// shifts remembers when slots got another primary.
type shifts struct {
	latest atomic.Int64                 // by backend.Now; 0: none did
	each   [slots.NumSlots]atomic.Int64 // likewise, or when a message last landed elsewhere since
}

// shiftFor is for how long after a shift it is looked at where messages land.
const shiftFor = time.Minute

// shifted returns the slots that have another primary in rt than in old.
func shifted(old, rt *routes) (list []uint16) {
	for slot := range uint16(slots.NumSlots) {
		if was := primaryOf(old.shard(slot)); was != nil && was != primaryOf(rt.shard(slot)) {
			list = append(list, slot)
		}
	}
	return list
}

// note notes that slots get another primary. It is called before that counts, and
// again when it does: what lands in between has landed before that.
func (s *shifts) note(shifted []uint16) {
	if len(shifted) == 0 {
		return
	}
	now := backend.Now()
	for _, slot := range shifted {
		s.each[slot].Store(now)
	}
	s.latest.Store(now)
}

// last returns when slot got another primary, or a message last landed elsewhere since,
// by backend.Now; 0: never.
func (s *shifts) last(slot uint16) int64 {
	if s.latest.Load() == 0 || slot == noSlot { // the usual
		return 0
	}
	return s.each[slot].Load()
}

// ordered reports whether a part is one message to a channel that is not sharded.
// Others' order is that of where they are published.
func (pt *part) ordered() bool {
	return pt.message != nil && !pt.message.unit && !pt.message.said[0].shard
}

// awaitShiftLocked reports whether pt is a message that has to wait for the end of a
// shift, and notes until when.
func (p *Pipeline) awaitShiftLocked(pt *part) bool {
	if !pt.ordered() {
		return false
	}
	last := p.d.shifts.last(pt.slot)
	if last == 0 {
		return false
	}
	m, now := pt.message, backend.Now()
	over := last + int64(p.d.cfg.Straggle)
	if over <= now {
		return false
	}
	if m.patience == 0 {
		m.patience = now + int64(p.d.cfg.LullPatience)
	}
	if m.patience <= now {
		return false
	}
	pt.divert()
	pt.notBefore, pt.timed = min(over, m.patience), false
	return true
}

// noteLandingLocked notes that a message has landed at a node that is not its slot's
// primary any more: what the session publishes next waits for that one, too.
func (p *Pipeline) noteLandingLocked(pt *part) {
	s := &p.d.shifts
	latest := s.latest.Load()
	if latest == 0 || pt.slot == noSlot || !pt.ordered() {
		return
	}
	now := backend.Now()
	if now-latest > int64(shiftFor) {
		return
	}
	if m := primaryOf(p.d.routes.Load().shard(pt.slot)); m == nil || m.node != pt.lane.Node() {
		s.each[pt.slot].Store(now)
	}
}
