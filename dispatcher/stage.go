package dispatcher

import "redis-cluster-proxy/backend"

// stage is what the reader has for one lane.
type stage struct {
	lane   *backend.TaskRunner
	losses uint32 // of the lane, when the stage was begun
	tasks  backend.TaskList
}

// touch returns the reader's stage for a lane, which it will flush. To stage a
// task it is called under the lock that the holds were looked at under, so that
// what comes back later is known to come back.
func (p *Pipeline) touch(lane *backend.TaskRunner) *stage {
	for i := range p.touched {
		if p.touched[i].lane == lane {
			return &p.touched[i]
		}
	}
	p.touched = append(p.touched, stage{lane: lane, losses: lane.Losses()})
	return &p.touched[len(p.touched)-1]
}

// Flush sends on what was dispatched and answered since the last time.
func (p *Pipeline) Flush() {
	for i := range p.touched {
		st := &p.touched[i]
		if !st.lane.EnqueueAll(&st.tasks, st.losses) {
			p.refused(st)
		}
		st.lane.Flush()
		*st = stage{}
	}
	p.touched = p.touched[:0]
	p.mu.Lock()
	p.seen = p.intake
	p.unlockAndSend(p.unstageLocked())
}

// unlockAndSend unlocks mu and sends what was made under it: requests over
// lanes, replies to the client.
func (p *Pipeline) unlockAndSend(lanes []*backend.TaskRunner) {
	dirty := p.commitLocked()
	p.mu.Unlock()
	for _, lane := range lanes {
		lane.Flush()
	}
	if dirty {
		p.sink.Flush()
	}
}

// unstageLocked notes that all parts are at their lanes, and sends what has been
// held back for that. It returns the lanes to flush.
func (p *Pipeline) unstageLocked() (lanes []*backend.TaskRunner) {
	p.stagedFrom = p.tail
	if len(p.holds) == 0 { // the usual
		return nil
	}
	held := make([]uint16, len(p.holds))
	for i, h := range p.holds {
		held[i] = h.slot
	}
	for _, slot := range held {
		lanes = p.advanceLocked(slot, lanes)
	}
	return lanes
}

// refused deals with tasks whose lane has closed, or has lost its connection,
// since they were staged.
func (p *Pipeline) refused(st *stage) {
	for t := st.tasks.Pop(); t != nil; t = st.tasks.Pop() {
		lost := &backend.LostError{Addr: st.lane.Node().Addr, Err: backend.ErrClosed}
		if f := t.Handler.Failed(t, lost); f != nil {
			f.Flush()
		}
	}
}
