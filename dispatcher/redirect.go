package dispatcher

import (
	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// bounced deals with a part that a node sent back with an error.
func (p *Pipeline) bounced(pt *part, b bounce, text string) {
	p.d.stats.Bounces[b].Add(1)
	pt.divert()
	from, slot := pt.lane.Node().Addr, pt.slot
	target, asking, ok := "", false, true
	if b == bounceAsk || b == bounceTryAgain {
		p.d.noteMoving(pt.slot)
	}
	switch b {
	case bounceMoved, bounceAsk:
		var of uint16
		of, target, ok = parseRedirect(text, from)
		asking = b == bounceAsk
		if ok && b == bounceMoved {
			p.d.topology.Moved(of, target)
			if of == slot {
				target = "" // by the patched routes
			}
		}
	case bounceTryAgain, bounceNoScript:
		// The node that a slot is moving to says so, too. Asking its owner
		// first would only cost a hop each time.
		target, asking = pt.target, pt.task.Asking
	case bounceLoading, bounceMaster:
		if pt.at != nil {
			pt.at.markUnfit()
		}
		p.d.topology.Refresh(bounceNames[b])
	case bounceDown, bounceReadOnly:
		p.d.topology.Refresh(bounceNames[b])
	}
	if asking && pt.task.Caching == backend.CachingYes {
		p.doubt() // a node cannot be told both
	}
	f := p.again(pt, func() {
		pt.target, pt.task.Asking = target, asking
		if !ok {
			p.failLocked(pt, text)
			return
		}
		if b == bounceTryAgain && pt.attempts > 0 {
			if parts := p.explodeLocked(pt); parts != nil {
				for _, one := range parts {
					p.bounceLocked(one, b, text)
				}
				return
			}
		}
		if b == bounceNoScript {
			pt.dressAgainLocked()
		}
		p.bounceLocked(pt, b, text)
	})
	if f != nil {
		f.Flush()
	}
	if b == bounceNoFunction {
		p.d.functions.want(from, waiter{p, slot})
	}
}

// again takes pt back from its lane, lets f decide what becomes of it, and sends
// what can be sent.
func (p *Pipeline) again(pt *part, f func()) backend.Flusher {
	p.mu.Lock()
	slot := pt.slot
	p.landLocked(pt)
	pt.divert()
	f()
	lanes := p.advanceLocked(slot, nil)
	flusher := p.flusherLocked()
	p.mu.Unlock()
	for _, lane := range lanes {
		lane.Flush()
	}
	return flusher
}

// bounceLocked puts pt in line to be sent again, or answers with text if its
// budget is spent.
func (p *Pipeline) bounceLocked(pt *part, b bounce, text string) {
	if pt.message != nil {
		p.d.messages.land(pt.message)
	}
	pt.divert()
	now := backend.Now()
	if pt.deadline == 0 {
		pt.deadline = now + int64(p.d.cfg.RedirectTimeout)
	}
	pt.attempts++
	if b == bounceMoved || b == bounceAsk {
		pt.hops++
	}
	if now >= pt.deadline {
		p.hastenLocked(pt.slot, now)
	}
	if now >= pt.deadline || pt.hops > max(p.d.cfg.MaxRedirects, 0) || p.closed {
		p.failLocked(pt, text)
		return
	}
	pt.notBefore, pt.timed = 0, false
	if wait := waitAfter(b, pt.attempts); wait > 0 {
		pt.notBefore = min(now+int64(wait), pt.deadline)
	}
	if b == bounceNoFunction {
		pt.notBefore = pt.deadline // or when the functionKeeper has looked
	}
	p.d.stats.Retries.Add(1)
	p.holdLocked(pt)
}

// hastenLocked lets what waits in the hold of slot be tried once more and no
// longer: the part that it waited for has used up the time for all of them. Else
// each would begin a budget of its own when the one before it has failed.
func (p *Pipeline) hastenLocked(slot uint16, now int64) {
	h := p.holdOf(slot)
	if h == nil {
		return
	}
	for _, pt := range h.waiting {
		if pt.deadline == 0 {
			pt.deadline = now
		}
	}
}

// failLocked answers pt with an error.
func (p *Pipeline) failLocked(pt *part, text string) {
	if total := backend.Now() - pt.task.Start; total >= p.d.pool.Slow() {
		pt.task.Total = total
		p.noteSlowLocked(pt)
	}
	p.finishPartLocked(pt, resp.AppendError(nil, text), nil)
}
