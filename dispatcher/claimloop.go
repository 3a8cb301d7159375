package dispatcher

import (
	"context"
	"time"

	"redis-cluster-proxy/backend"
)

const (
	// claimTick is how often the claimLoop looks for what is to be asked again.
	claimTick = 10 * time.Millisecond
	// probeInterval is how often a key of each awaited slot is asked for, to learn
	// that the slot has moved or begins to: of a key that does not exist a node does
	// not tell when it goes elsewhere.
	probeInterval = 250 * time.Millisecond
	// maxProbes bounds how many slots are asked for at a time. Which ones is left
	// to chance.
	maxProbes = 256
	// lookoutIdle is how long a connection over which nothing is awaited is kept.
	lookoutIdle = time.Minute
)

// hurry wakes the claimLoop.
func (s *claimSet) hurry() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// dueLocked puts a key on the list of those that are to be asked for again.
func (s *claimSet) dueLocked(k *awaited) { s.due[k] = struct{}{} }

// claimLoop asks again for keys that had no reply, and now and then for one of
// each slot. It sleeps while nobody waits and no lookout is connected.
func (s *claimSet) claimLoop(ctx context.Context) {
	tick := time.NewTicker(claimTick)
	defer tick.Stop()
	probeAt := int64(0)
	for {
		now := backend.Now()
		probe := now >= probeAt
		if probe {
			probeAt = now + int64(probeInterval)
		}
		if idle := s.look(now, probe); idle {
			select {
			case <-ctx.Done():
			case <-s.wake:
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look does what the time has come for. idle: there is nothing to come back for.
func (s *claimSet) look(now int64, probe bool) (idle bool) {
	var after aftermath
	s.mu.Lock()
	for k := range s.due {
		if now >= k.retryAt {
			delete(s.due, k)
			if k.retryAt != 0 {
				s.askLocked(k, &after)
			}
		}
	}
	if probe {
		s.probeSlotsLocked(&after)
		s.sweepLocked(now)
	}
	idle = len(s.keys) == 0 && len(s.lookouts) == 0
	s.mu.Unlock()
	after.settle(s.d)
	return idle
}

// probeSlotsLocked asks for a key of each slot, and for all of those that move.
func (s *claimSet) probeSlotsLocked(after *aftermath) {
	probes := 0
	for slot, keys := range s.slots {
		if probes++; probes > maxProbes {
			return
		}
		moving := s.d.moving.is(slot)
		for k := range keys {
			if k.at != nil && k.asking == nil {
				s.probeLocked(k, after)
			}
			if !moving {
				break
			}
		}
	}
}

// sweepLocked closes the connections over which nothing was asked for long.
func (s *claimSet) sweepLocked(now int64) {
	for _, l := range s.lookouts {
		if now-l.usedAt > int64(lookoutIdle) && !s.usesLocked(l) {
			l.closeLocked()
		}
	}
	for id, until := range s.refused {
		if now >= until {
			delete(s.refused, id)
		}
	}
}

// usesLocked reports whether a key's node is to tell of changes over l.
func (s *claimSet) usesLocked(l *lookout) bool {
	for _, k := range s.keys {
		if k.at == l || k.asking == l {
			return true
		}
	}
	return false
}

// rerouted asks again for the keys whose slots have other nodes now.
func (s *claimSet) rerouted() {
	var after aftermath
	s.mu.Lock()
	rt := s.d.routes.Load()
	for slot, keys := range s.slots {
		sh := rt.shard(slot)
		if sh == nil || sh.primary == nil {
			continue
		}
		addr := sh.primary.node.Addr
		for k := range keys {
			l := k.at
			if k.asking != nil {
				l = k.asking
			}
			if l == nil || l.id.addr != addr {
				s.askLocked(k, &after)
			}
		}
	}
	s.mu.Unlock()
	after.settle(s.d)
}

// slotMoves asks again for the keys of a slot that begins to move: those that
// come into being will do so elsewhere.
func (s *claimSet) slotMoves(slot uint16) {
	var after aftermath
	s.mu.Lock()
	for k := range s.slots[slot] {
		s.askLocked(k, &after)
	}
	s.mu.Unlock()
	after.settle(s.d)
}
