package slots

import "fmt"

// parseSlots reads a reply of CLUSTER SLOTS, which servers before Redis 7 have in place of CLUSTER SHARDS: ranges of slots, each
// with its primary and its replicas. Failed replicas are missing in it, a failed primary is not marked; CLUSTER NODES tells.
// Source: page "CLUSTER SLOTS" in the Redis docs.
func parseSlots(reply any, askedHost string) (*Table, error) {
	list, ok := reply.([]any)
	if !ok {
		return nil, fmt.Errorf("CLUSTER SLOTS: reply is %T, not an array", reply)
	}
	t := NewTable(Hash)
	byAddr := map[string]*Shard{} // by primary; one primary may have many ranges
	ranges := map[*Shard][][2]int64{}
	var order []*Shard
	for i, entry := range list {
		e, ok := entry.([]any)
		if !ok || len(e) < 2 {
			return nil, fmt.Errorf("CLUSTER SLOTS: entry %d is not an array of a range and nodes", i)
		}
		r, err := parseRanges(e[:2])
		if err != nil {
			return nil, fmt.Errorf("CLUSTER SLOTS: entry %d: %w", i, err)
		}
		nodes, err := parseSlotsNodes(e[2:], askedHost)
		if err != nil {
			return nil, fmt.Errorf("CLUSTER SLOTS: entry %d: %w", i, err)
		}
		if len(nodes) == 0 {
			continue
		}
		s := byAddr[nodes[0].addr]
		if s == nil {
			s = makeShard(nodes)
			byAddr[nodes[0].addr] = s
			order = append(order, s)
		}
		ranges[s] = append(ranges[s], r...)
	}
	for _, s := range order {
		t.addShard(s, ranges[s])
	}
	t.arrange()
	return t, nil
}

// parseSlotsNodes reads nodes of an entry: endpoint, port, and since Redis 4 the id, since Redis 7 a map of further names.
func parseSlotsNodes(list []any, askedHost string) ([]nodeReply, error) {
	nodes := make([]nodeReply, 0, len(list))
	for i, entry := range list {
		e, ok := entry.([]any)
		if !ok || len(e) < 2 {
			return nil, fmt.Errorf("node %d is not an array of endpoint and port", i)
		}
		port, _ := e[1].(int64)
		if port <= 0 || port > 65535 {
			if i == 0 {
				return nil, nil // without its primary the entry cannot be routed
			}
			continue
		}
		n := nodeReply{replica: i > 0}
		ip := ""
		if len(e) > 2 {
			n.id, _ = e[2].(string)
		}
		if len(e) > 3 {
			if meta, ok := replyFields(e[3]); ok {
				ip, _ = meta["ip"].(string)
			}
		}
		n.addr = joinAddr(endpointHost(e[0], ip, askedHost), port)
		nodes = append(nodes, n)
	}
	return nodes, nil
}
