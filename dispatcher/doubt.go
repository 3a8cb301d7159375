package dispatcher

import "time"

// doubt makes the client forget what it has read, and then, as they come, the
// replies to all that is under way: a node may give them that has lost the slot.
func (p *Pipeline) doubt() {
	p.mu.Lock()
	o := p.own
	if o != nil {
		o.doubtBefore = p.tail
		o.againLocked()
	}
	p.mu.Unlock()
	if o != nil {
		flush(o.Tracker.Doubt(nil))
	}
}

// Doubtful reports whether the client may have read something since the last call
// that was true, for whoever tells another client to forget it. What was under way
// then counts as read since.
func (p *Pipeline) Doubtful() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.own
	if o == nil || !o.Broadcast && p.head == p.tail && o.nullAt == p.head+1 {
		return false
	}
	o.nullAt = p.head + 1
	return true
}

// againLocked has a doubt of this moment told a second time.
func (o *ownLanes) againLocked() {
	if o.Again == 0 || o.ended {
		return
	}
	if o.repeat == nil {
		o.repeat = time.AfterFunc(o.Again, o.again)
	} else {
		o.repeat.Reset(o.Again)
	}
}

// again tells of a doubt a second time, when the client has got all that it is
// about.
func (o *ownLanes) again() {
	p := o.pipe
	p.mu.Lock()
	if o.ended {
		p.mu.Unlock()
		return
	}
	if p.head < o.doubtBefore || len(o.pushes) > 0 {
		o.againLocked()
		p.mu.Unlock()
		return
	}
	o.nullAt = 0
	p.mu.Unlock()
	flush(o.Tracker.Doubt(nil))
}

// noteMoving says that a node answered ASK or TRYAGAIN for slot. A key that was
// read at the one node, and is not there, may come into being at the other, which
// knows of no reader.
func (d *Dispatcher) noteMoving(slot uint16) {
	if d.moving.note(slot) {
		d.tracking.each((*Pipeline).doubt)
		d.claims.slotMoves(slot)
	}
}

// retrack tells those who track of new routes.
func (d *Dispatcher) retrack(old, rt *routes) {
	moved := d.cfg.ReadPrefer != PreferPrimary || movedAny(old, rt)
	d.tracking.each(func(p *Pipeline) {
		if moved {
			p.doubt()
		}
		p.reach()
	})
}

// movedAny reports whether a slot has another primary than before.
func movedAny(old, rt *routes) bool {
	for slot := range uint16(NumSlots) {
		if primaryOf(old.shard(slot)) != primaryOf(rt.shard(slot)) {
			return true
		}
	}
	return false
}

func primaryOf(sh *shardRoute) *member {
	if sh == nil {
		return nil
	}
	return sh.primary
}
