package redistest

import (
	"fmt"
	"net"
	"strconv"
)

// redirectLocked returns the error with which a node answers commands with these keys that are not its own to serve, "" if
// it serves them. It follows getNodeByQuery of Redis 7 (src/cluster.c). replicaReads: the connection is READONLY and the
// commands only read.
func (n *FakeNode) redirectLocked(keys []string, asking, replicaReads bool) string {
	t := n.topologyLocked()
	slot := Slot(keys[0])
	several := false
	for _, key := range keys[1:] {
		if Slot(key) != slot {
			return "CROSSSLOT Keys in request don't hash to the same slot"
		}
		several = several || key != keys[0]
	}
	owner := t.owner[slot]
	if owner == nil {
		return "CLUSTERDOWN Hash slot not served"
	}
	if n.faults.down {
		return ErrorClusterDown
	}
	present := 0
	for _, key := range keys {
		if _, ok := n.data[key]; ok {
			present++
		}
	}
	missing := len(keys) - present
	m, moving := t.moving[slot]
	switch {
	case moving && owner == n && missing > 0:
		if present > 0 {
			return ErrorTryAgain
		}
		return n.point("ASK", slot, m.to)
	case moving && m.to == n && asking:
		if several && missing > 0 {
			return ErrorTryAgain
		}
		return ""
	case owner == n, replicaReads && t.primaryOf[n] == owner:
		return ""
	}
	return n.point("MOVED", slot, owner)
}

// point is a redirect to a node.
func (n *FakeNode) point(kind string, slot uint16, to *FakeNode) string {
	addr := net.JoinHostPort(n.cluster.announced, strconv.Itoa(to.port))
	if n.cluster.announced == "" {
		addr = ":" + strconv.Itoa(to.port)
	}
	return fmt.Sprintf("%s %d %s", kind, slot, addr)
}
