package slots

import (
	"slices"
	"strconv"
	"strings"
)

// clusterInfo is what matters of CLUSTER INFO. Source: page "CLUSTER INFO" in the Redis docs.
type clusterInfo struct {
	ok       bool   // cluster_state:ok; a node that does not see the majority of the primaries says fail
	epoch    uint64 // cluster_current_epoch
	assigned int    // cluster_slots_assigned
}

func parseClusterInfo(text string) clusterInfo {
	var info clusterInfo
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		switch name {
		case "cluster_state":
			info.ok = value == "ok"
		case "cluster_current_epoch":
			info.epoch, _ = strconv.ParseUint(value, 10, 64)
		case "cluster_slots_assigned":
			info.assigned, _ = strconv.Atoi(value)
		}
	}
	return info
}

// nodeFlags are the flags of CLUSTER NODES by node id: myself, master, slave, fail?, fail, handshake, noaddr ... and flagServes.
// Source: page "CLUSTER NODES" in the Redis docs.
type nodeFlags map[string][]string

// flagServes is added for a node that has slots.
const flagServes = "serves"

func parseNodeFlags(text string) nodeFlags {
	flags := nodeFlags{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) >= 3 {
			flags[f[0]] = strings.Split(f[2], ",")
			if len(f) > 8 && !strings.HasPrefix(f[8], "[") { // the first is no migration
				flags[f[0]] = append(flags[f[0]], flagServes)
			}
		}
	}
	return flags
}

func (f nodeFlags) has(id, flag string) bool {
	return slices.Contains(f[id], flag)
}

// myself returns the id of the node that answered, or "".
func (f nodeFlags) myself() string {
	for id := range f {
		if f.has(id, "myself") {
			return id
		}
	}
	return ""
}

// apply marks what the flags say about the nodes of a table that is not published yet, and takes out nodes without an address.
// A suspicion ("fail?") is one node's opinion: enough to spare a replica, not to give up a primary.
func (f nodeFlags) apply(t *Table) {
	for _, s := range t.Shards {
		f.promote(s)
		if s.Primary != nil && f.has(s.Primary.ID, "fail") {
			s.Primary.Healthy = false
		}
		if s.Primary != nil && f.has(s.Primary.ID, "noaddr") {
			s.Primary = nil // its endpoint was empty, which here does not mean the node asked
		}
		kept := s.Replicas[:0]
		for _, n := range s.Replicas {
			if f.has(n.ID, "noaddr") || f.has(n.ID, "handshake") {
				continue
			}
			if f.has(n.ID, "fail") || f.has(n.ID, "fail?") {
				n.Healthy = false
			}
			kept = append(kept, n)
		}
		s.Replicas = kept
	}
}

// promote makes the node the primary that has the slots. Valkey lists two living masters in a shard for a moment of a planned
// failover, in no order that would tell.
func (f nodeFlags) promote(s *Shard) {
	if s.Primary == nil || f.has(s.Primary.ID, flagServes) {
		return
	}
	i := slices.IndexFunc(s.Replicas, func(n *Node) bool { return f.has(n.ID, flagServes) && !f.has(n.ID, "fail") })
	if i >= 0 {
		s.Primary, s.Replicas[i] = s.Replicas[i], s.Primary
		s.sortReplicas()
	}
}
