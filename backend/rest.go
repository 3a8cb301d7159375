package backend

// A lane of a user who has gone would keep its connection for ever, at every node
// and for every user there was. So lanes rest: the connection of one over which
// nothing is said is given up, while the lane stays what its sessions have, and
// connects again for the next task.

// restsPerLinger is how often idle lanes are looked for in the time after which
// they rest.
const restsPerLinger = 4

// restIdle has the lanes rest that have heard nothing since limit, by Now.
func (p *Pool) restIdle(limit int64) {
	for _, n := range p.Nodes() {
		n.restIdle(limit)
	}
}

func (n *Node) restIdle(limit int64) {
	sets := n.lanes.Load()
	if sets == nil {
		return
	}
	rested := false
	for _, s := range *sets {
		if s.profile.Value().sameUser(n.pool.cfg.Own) {
			continue
		}
		for _, r := range s.lanes {
			rested = r.rest(limit) || rested
		}
	}
	if rested && !n.connected() {
		n.losses.Add(1) // nobody is left who would notice that it restarts
	}
}

// connected reports whether a lane has a connection.
func (n *Node) connected() (yes bool) {
	n.eachLane(func(r *TaskRunner) {
		r.mu.Lock()
		defer r.mu.Unlock()
		yes = yes || r.state == stateUp
	})
	return yes
}

// rest gives up the connection if it owes nothing and has heard nothing since
// limit, by Now. A task that comes at this very moment is either there before, and
// the connection stays, or makes the next one: it is never lost or refused.
func (r *TaskRunner) rest(limit int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != stateUp || r.draining || r.fault != nil || r.queue.size > 0 || r.heard > limit {
		return false
	}
	l := r.link
	r.state, r.link = stateDown, nil // from now on the link is nobody's: see end and take
	l.conn.Abort()
	return true
}
