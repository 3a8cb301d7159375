package backend

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// tenancy is what a leased TaskRunner has besides: the wishes of its holder.
type tenancy struct {
	// Set at construction.
	profile ProfileHandle
	ctx     context.Context // of the dial
	cancel  context.CancelFunc

	asked  bool  // see Identify; the holder's
	rested int64 // when it became idle, by Now; guarded by the leaseSet's mu

	id     atomic.Int64 // the server's number of the connection; 0: not known
	budget atomic.Pointer[Budget]
	push   atomic.Pointer[func([]byte)]
	flow   atomic.Pointer[Flow] // whose reply is the next; nil: of none
}

// admit counts n bytes that have arrived; false if they are too many, or those
// will be that are missing of an incomplete reply.
func (t *tenancy) admit(n, missing int) bool {
	b := t.budget.Load()
	return b == nil || b.left.Add(int64(-n)) >= int64(missing)
}

// leaseSet is the leased connections of a node. The zero value is ready.
type leaseSet struct {
	heldLeases

	mu sync.Mutex
	// Guarded by mu, which comes before the runners'.
	all  map[*TaskRunner]struct{} // with a holder, or idle
	idle []*TaskRunner            // the one used last at the end
	gone LaneStats                // of those that ended
	trim *time.Timer              // nil: there are not too many idle ones
}

// take returns an idle runner of the profile, or a new one.
func (s *leaseSet) take(n *Node, profile ProfileHandle) *TaskRunner {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.idle) - 1; i >= 0; i-- {
		if r := s.idle[i]; r.tenant.profile == profile {
			s.idle = slices.Delete(s.idle, i, i+1)
			if r.resting() {
				return r
			}
		}
	}
	r := &TaskRunner{node: n, profile: profile.Value(), tenant: &tenancy{profile: profile}}
	r.tenant.ctx, r.tenant.cancel = context.WithCancel(n.pool.ctx)
	if n.dropped.Load() || n.pool.ctx.Err() != nil {
		r.state = stateClosed
		r.tenant.cancel()
		return r
	}
	if limit := n.pool.cfg.MaxLeases; limit > 0 && len(s.all) >= limit && len(s.idle) > 0 {
		s.idle[0].Close(false) // of another profile
		s.idle = slices.Delete(s.idle, 0, 1)
	}
	if s.all == nil {
		s.all = make(map[*TaskRunner]struct{})
	}
	s.all[r] = struct{}{}
	return r
}

// put takes r back if it is fit for the next holder.
func (s *leaseSet) put(r *TaskRunner, cfg *Config) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.all[r]; !known || !r.resting() {
		return false
	}
	r.tenant.rested = Now()
	s.idle = append(s.idle, r)
	if len(s.idle) > cfg.IdleLeases && s.trim == nil {
		s.trimLocked(cfg)
	}
	return true
}

// trimLocked closes the idle ones that are too many, those first that were used
// longest ago, when they have been idle for LeaseLinger: a client that waits for one
// thing after the other needs its connection again and again.
func (s *leaseSet) trimLocked(cfg *Config) {
	s.trim = nil
	long := Now() - int64(cfg.LeaseLinger)
	excess := 0
	for excess < len(s.idle)-cfg.IdleLeases && s.idle[excess].tenant.rested <= long {
		s.idle[excess].Close(false)
		excess++
	}
	s.idle = slices.Delete(s.idle, 0, excess)
	if len(s.idle) > cfg.IdleLeases {
		wait := time.Duration(s.idle[0].tenant.rested - long)
		s.trim = time.AfterFunc(max(wait, cfg.LeaseLinger/10), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.trimLocked(cfg)
		})
	}
}

// forget drops r, which has ended.
func (s *leaseSet) forget(r *TaskRunner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.all[r]; !known {
		return
	}
	delete(s.all, r)
	if i := slices.Index(s.idle, r); i >= 0 {
		s.idle = slices.Delete(s.idle, i, i+1)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.gone.Add(&r.stats)
	r.tenant.cancel()
}

// forgetUnused drops r if it has closed without ever having connected, so that
// there is no serveLoop to do it.
func (s *leaseSet) forgetUnused(r *TaskRunner) {
	r.mu.Lock()
	unused := r.state == stateClosed
	r.mu.Unlock()
	if unused {
		s.forget(r)
	}
}

// resting reports whether the runner is connected and owes nothing.
func (r *TaskRunner) resting() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state == stateUp && r.queue.size == 0 && !r.draining
}
