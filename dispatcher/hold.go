package dispatcher

import (
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
)

// hold keeps parts of one slot of one session back, in request order: those
// that bounced and those that came after. Its first part is sent as soon as it
// may be tried again and nothing older of the slot flies elsewhere.
type hold struct {
	slot    uint16
	waiting []*part
}

func (p *Pipeline) holdOf(slot uint16) *hold {
	for _, h := range p.holds {
		if h.slot == slot {
			return h
		}
	}
	return nil
}

// holdLocked puts pt into the hold of its slot, before all younger parts.
func (p *Pipeline) holdLocked(pt *part) {
	h := p.holdOf(pt.slot)
	if h == nil {
		h = &hold{slot: pt.slot}
		p.holds = append(p.holds, h)
	}
	pt.state = partHeld
	pt.divert()
	i := len(h.waiting)
	for i > 0 && h.waiting[i-1].req.seq > pt.req.seq {
		i--
	}
	h.waiting = append(h.waiting, nil)
	copy(h.waiting[i+1:], h.waiting[i:])
	h.waiting[i] = pt
}

// sendLocked stages a part for its lane, for the first time, or holds it. Only
// the session's reader calls it.
func (p *Pipeline) sendLocked(pt *part) {
	if rt := p.d.routes.Load(); rt != p.routes {
		// What is under way went by other routes and may be on another
		// lane than this part will be.
		p.routes, p.scanBefore = rt, pt.req.seq
	}
	if len(p.holds) > 0 && p.holdOf(pt.slot) != nil {
		p.holdLocked(pt)
		return
	}
	lane, at := p.pickLocked(pt, p.routes)
	careful := p.head < p.scanBefore || p.d.cfg.ReadPrefer != PreferPrimary || p.d.moving.is(pt.slot)
	if lane == nil || careful && p.overtakesLocked(pt, lane, p.tail) || pt.message != nil && p.awaitShiftLocked(pt) {
		p.holdLocked(pt)
		for _, lane := range p.advanceLocked(pt.slot, nil) {
			p.touch(lane)
		}
		return
	}
	if pt.message != nil && !p.d.messages.depart(pt.message, lane.Node().Addr, pt.slot) {
		p.holdLocked(pt)
		return
	}
	pt.takeOffLocked(lane, at)
	p.touch(lane).tasks.Push(&pt.task)
}

// takeOffLocked notes that pt is on its way to lane.
func (pt *part) takeOffLocked(lane *backend.TaskRunner, at *member) {
	pt.state, pt.lane, pt.at = partFlying, lane, at
	if pt.script != nil {
		pt.req.pipe.dressLocked(pt)
	}
	if at != nil {
		at.reads.Add(1)
		pt.task.Brief = pt.req.row.Flags.Has(command.FlagFast)
	}
}

// pickLocked chooses the lane for pt by these routes; nil if there is none.
func (p *Pipeline) pickLocked(pt *part, rt *routes) (*backend.TaskRunner, *member) {
	hops, attempts := 0, 0
	if pt.detour != nil {
		if pt.target != "" {
			return p.laneLocked(p.d.member(pt.target).node, p.profile), nil
		}
		hops, attempts = pt.hops, pt.attempts
	}
	if pt.slot == noSlot {
		if n := p.d.AnyNode(p.seed + uint32(attempts)); n != nil {
			return p.laneLocked(n, p.profile), nil
		}
		return nil, nil
	}
	sh := rt.shard(pt.slot)
	if sh == nil || sh.primary == nil {
		return nil, nil
	}
	// A read that was redirected goes to the primary: the replica may know less
	// of the cluster than the routes do, and would send it back and forth. So does
	// one of a slot that moves: a replica does not say ASK for a key that has left
	// its primary, it says that there is no such key.
	if pt.readOnly && p.d.cfg.ReadPrefer != PreferPrimary && hops == 0 && !p.d.moving.is(pt.slot) && !p.wroteLocked(pt) {
		if m := p.d.reader(sh, p.seed); m != sh.primary {
			return p.laneLocked(m.node, p.readProfile), m
		}
	}
	if sh.primary.unhealthy.Load() {
		// It may accept connections and never answer; its replica will be
		// the primary soon.
		return nil, nil
	}
	return p.laneLocked(sh.primary.node, p.profile), nil
}

// flyLocked gives pt to the lane; false if the lane takes nothing now.
func (p *Pipeline) flyLocked(pt *part, lane *backend.TaskRunner, at *member) bool {
	pt.takeOffLocked(lane, at)
	if lane.Enqueue(&pt.task) {
		return true
	}
	p.landLocked(pt)
	pt.state = partHeld
	return false
}

// landLocked undoes flyLocked when pt has come back.
func (p *Pipeline) landLocked(pt *part) {
	pt.state = partDone
	if pt.message != nil {
		p.noteLandingLocked(pt)
		p.d.messages.land(pt.message)
	}
	if pt.at != nil {
		pt.at.reads.Add(-1)
		pt.at = nil
	}
}

// wroteLocked reports whether the session has a write to pt's slot under way,
// or had one not long ago, so that pt must read from the primary.
func (p *Pipeline) wroteLocked(pt *part) bool {
	if p.writes.within(pt.slot, int64(p.d.cfg.ReadYourWrites)) {
		return true
	}
	return p.olderLocked(pt, func(old *part) bool { return !old.readOnly })
}

// overtakesLocked reports whether pt, given to lane now, could be executed
// before an older command of its slot: one that is under way on another lane, one
// from stagedFrom on, which may not have been given to its lane yet, or, while the
// slot moves, one with several keys: a node that has only some of them sends it
// back, and would execute pt on a key that it has.
func (p *Pipeline) overtakesLocked(pt *part, lane *backend.TaskRunner, stagedFrom uint64) bool {
	moving := p.d.moving.is(pt.slot)
	return p.olderLocked(pt, func(old *part) bool {
		return old.state == partFlying && !(old.readOnly && pt.readOnly) &&
			(old.lane != lane || old.req.seq >= stagedFrom || moving && old.several)
	})
}

// olderLocked reports whether match holds for a part of pt's slot that is not
// done and belongs to an older request.
func (p *Pipeline) olderLocked(pt *part, match func(*part) bool) bool {
	if pt.slot == noSlot {
		return false
	}
	for seq := p.head; seq < pt.req.seq; seq++ {
		r := p.atLocked(seq)
		if r.done {
			continue
		}
		found := false
		r.each(func(old *part) {
			found = found || old.slot == pt.slot && old.state != partDone && match(old)
		})
		if found {
			return true
		}
	}
	return false
}

// advanceLocked sends what it can of the hold of slot, if there is one, and
// appends the lanes to flush to lanes.
func (p *Pipeline) advanceLocked(slot uint16, lanes []*backend.TaskRunner) []*backend.TaskRunner {
	for {
		h := p.holdOf(slot)
		if h == nil {
			return lanes
		}
		pt := h.waiting[0]
		if pt.notBefore > backend.Now() {
			if !pt.timed {
				pt.timed = true
				p.d.retries.add(p, slot, pt.notBefore)
			}
			return lanes
		}
		lane, at := p.pickLocked(pt, p.d.routes.Load())
		switch {
		case lane == nil:
			p.takeLocked(h)
			p.bounceLocked(pt, bounceDown, errNotServed)
		case p.overtakesLocked(pt, lane, p.stagedFrom):
			return lanes // what it waits for advances the hold when it lands, or Flush does
		case pt.message != nil && p.awaitShiftLocked(pt): // until its notBefore
		case pt.message != nil && !p.d.messages.depart(pt.message, lane.Node().Addr, pt.slot):
			return lanes // it will be told
		case p.flyLocked(pt, lane, at):
			// It may be on another lane than younger parts of the slot.
			p.scanBefore = max(p.scanBefore, pt.req.seq+1)
			p.takeLocked(h)
			lanes = appendLane(lanes, lane)
		case !lane.Closed(): // it has just lost its connection
			pt.notBefore, pt.timed = backend.Now()+int64(lostDelay), false
		default: // closed this moment: its node has left
			p.takeLocked(h)
			pt.target, pt.task.Asking = "", false
			p.bounceLocked(pt, bounceLost, "CLUSTERDOWN node "+lane.Node().Addr+" has left the cluster")
		}
	}
}

// lostDelay is how long to wait for a lane that is telling its tasks of the
// loss of their connection.
const lostDelay = time.Millisecond

// takeLocked takes the first part out of h, and h out of the Pipeline when it
// was the last.
func (p *Pipeline) takeLocked(h *hold) {
	h.waiting[0] = nil
	h.waiting = h.waiting[1:]
	if len(h.waiting) > 0 {
		return
	}
	for i, other := range p.holds {
		if other == h {
			last := len(p.holds) - 1
			p.holds[i], p.holds[last] = p.holds[last], nil
			p.holds = p.holds[:last]
			return
		}
	}
}

func appendLane(lanes []*backend.TaskRunner, lane *backend.TaskRunner) []*backend.TaskRunner {
	for _, l := range lanes {
		if l == lane {
			return lanes
		}
	}
	return append(lanes, lane)
}
