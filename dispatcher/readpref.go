package dispatcher

import "redis-cluster-proxy/backend"

// ReadPrefer says which nodes answer commands that only read.
type ReadPrefer uint8

const (
	// PreferPrimary reads from primaries.
	PreferPrimary ReadPrefer = iota
	// PreferReplica reads from replicas, and from the primary if none is fit.
	PreferReplica
	// PreferReplicaIDC reads from replicas in the proxy's own data centre; if
	// none is fit from the primary if it is there, then from other replicas,
	// then from the primary.
	PreferReplicaIDC
)

// reader returns the member that answers a read of this shard: the one with the
// fewest reads in flight among the best kind that is fit. seed breaks ties.
func (d *Dispatcher) reader(sh *shardRoute, seed uint32) *member {
	if d.cfg.ReadPrefer == PreferReplicaIDC {
		if m := leastBusy(sh.replicas, seed, true); m != nil {
			return m
		}
		if p := sh.primary; p != nil && p.near && p.fit() {
			return p
		}
	}
	if m := leastBusy(sh.replicas, seed, false); m != nil {
		return m
	}
	return sh.primary
}

func leastBusy(members []*member, seed uint32, near bool) (best *member) {
	for i := range members {
		m := members[(uint32(i)+seed)%uint32(len(members))]
		if near && !m.near || !m.fit() {
			continue
		}
		if best == nil || m.reads.Load() < best.reads.Load() {
			best = m
		}
	}
	return best
}

// recentWrites remembers, for one session, when it wrote to which slot. It is
// kept only where reads may go to replicas.
type recentWrites map[uint16]int64

// maxRecentWrites bounds the memory of a session that writes everywhere; past
// it, the oldest are looked for and dropped.
const maxRecentWrites = 1024

func (w *recentWrites) note(slot uint16, window int64) {
	now := backend.Now()
	if *w == nil {
		*w = make(recentWrites)
	}
	if len(*w) >= maxRecentWrites {
		for s, at := range *w {
			if now-at > window {
				delete(*w, s)
			}
		}
	}
	(*w)[slot] = now
}

func (w recentWrites) within(slot uint16, window int64) bool {
	at, ok := w[slot]
	return ok && backend.Now()-at <= window
}
