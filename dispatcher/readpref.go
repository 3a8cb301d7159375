package dispatcher

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

// String is the choice in the words of the flag.
func (r ReadPrefer) String() string { return [...]string{"primary", "replica", "replica-idc"}[r] }

// reader returns the member that answers a read of this shard: the one with the
// fewest reads in flight among the best kind that is fit. seed breaks ties. Now and
// then it is one whose connection was lost, to find out whether it is back.
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
		if near && !m.near {
			continue
		}
		if m.probe() {
			return m
		}
		if !m.fit() {
			continue
		}
		if best == nil || m.reads.Load() < best.reads.Load() {
			best = m
		}
	}
	return best
}
