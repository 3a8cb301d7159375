package dispatcher

import "redis-cluster-proxy/backend"

// recentWrites remembers, for one session, when it wrote to which slot. It is
// kept only where reads may go to replicas. The zero value is ready.
type recentWrites struct {
	at      map[uint16]int64 // by backend.Now
	sweepAt int              // how many there must be to look for old ones
}

// minSweep is the least number of writes among which old ones are looked for.
const minSweep = 1024

func (w *recentWrites) note(slot uint16, window int64) {
	now := backend.Now()
	if w.at == nil {
		w.at, w.sweepAt = make(map[uint16]int64), minSweep
	}
	if len(w.at) >= w.sweepAt {
		for s, at := range w.at {
			if now-at > window {
				delete(w.at, s)
			}
		}
		w.sweepAt = max(minSweep, 2*len(w.at)) // a constant part of each write
	}
	w.at[slot] = now
}

func (w *recentWrites) within(slot uint16, window int64) bool {
	at, ok := w.at[slot]
	return ok && backend.Now()-at <= window
}

// noteWriteLocked remembers that pt, if it is a write, may have been executed.
func (p *Pipeline) noteWriteLocked(pt *part) {
	if !pt.readOnly {
		p.rememberWriteLocked(pt.slot, pt.lane.Node())
	}
}

// noteWrite remembers that a write that is no part may have been executed.
func (p *Pipeline) noteWrite(slot uint16, at *backend.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rememberWriteLocked(slot, at)
}

func (p *Pipeline) rememberWriteLocked(slot uint16, at *backend.Node) {
	p.wrote.note(at)
	if p.d.cfg.ReadPrefer != PreferPrimary && slot != noSlot {
		p.writes.note(slot, int64(p.d.cfg.ReadYourWrites))
	}
}
