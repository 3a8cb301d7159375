package slots

import (
	"fmt"
)

// nodeReply is a node in a reply of CLUSTER SHARDS.
type nodeReply struct {
	id, addr      string
	replica, down bool
}

// parseShards reads a reply of CLUSTER SHARDS in the generic shapes of RESP2 (flat arrays) and RESP3 (maps). askedHost stands in
// for endpoints that are not given. Source: page "CLUSTER SHARDS" in the Redis docs.
func parseShards(reply any, askedHost string) (*Table, error) {
	list, ok := reply.([]any)
	if !ok {
		return nil, fmt.Errorf("CLUSTER SHARDS: reply is %T, not an array", reply)
	}
	t := NewTable(Hash)
	for i, entry := range list {
		fields, ok := replyFields(entry)
		if !ok {
			return nil, fmt.Errorf("CLUSTER SHARDS: shard %d is %T, not a map", i, entry)
		}
		ranges, err := parseRanges(fields["slots"])
		if err != nil {
			return nil, fmt.Errorf("CLUSTER SHARDS: shard %d: %w", i, err)
		}
		nodes, err := parseShardNodes(fields["nodes"], askedHost)
		if err != nil {
			return nil, fmt.Errorf("CLUSTER SHARDS: shard %d: %w", i, err)
		}
		t.addShard(makeShard(nodes), ranges)
	}
	t.arrange()
	return t, nil
}

// parseRanges reads pairs of first and last slot.
func parseRanges(v any) ([][2]int64, error) {
	list, ok := v.([]any)
	if !ok || len(list)%2 != 0 {
		return nil, fmt.Errorf("slots are %T of odd shape, not pairs", v)
	}
	ranges := make([][2]int64, 0, len(list)/2)
	for i := 0; i < len(list); i += 2 {
		first, ok1 := list[i].(int64)
		last, ok2 := list[i+1].(int64)
		if !ok1 || !ok2 || first < 0 || first > last || last >= NumSlots {
			return nil, fmt.Errorf("slot range %v-%v is invalid", list[i], list[i+1])
		}
		ranges = append(ranges, [2]int64{first, last})
	}
	return ranges, nil
}

func parseShardNodes(v any, askedHost string) ([]nodeReply, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("nodes are %T, not an array", v)
	}
	nodes := make([]nodeReply, 0, len(list))
	for i, entry := range list {
		f, ok := replyFields(entry)
		if !ok {
			return nil, fmt.Errorf("node %d is %T, not a map", i, entry)
		}
		port, _ := f["port"].(int64)
		if port <= 0 || port > 65535 {
			continue // it takes no plain connections, or has no address yet
		}
		ip, _ := f["ip"].(string)
		n := nodeReply{addr: joinAddr(endpointHost(f["endpoint"], ip, askedHost), port)}
		n.id, _ = f["id"].(string)
		role, _ := f["role"].(string)
		n.replica = role == "replica" || role == "slave"
		health, given := f["health"].(string)
		n.down = given && health != "online" // loading, fail, failed, fail?
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// makeShard picks the primary. Servers that know shards by an id list two masters for a while after a failover, the failed one
// still among them: a living one is the primary, the other goes with the replicas. See also nodeFlags.promote.
func makeShard(nodes []nodeReply) *Shard {
	s := &Shard{}
	primary := -1
	for i, n := range nodes {
		if !n.replica && (primary < 0 || nodes[primary].down && !n.down) {
			primary = i
		}
	}
	for i, n := range nodes {
		node := &Node{ID: n.id, Addr: n.addr, Healthy: !n.down}
		if i == primary {
			s.Primary = node
		} else {
			s.Replicas = append(s.Replicas, node)
		}
	}
	return s
}

// replyFields makes a map of a RESP3 map or of a RESP2 array of names and values.
func replyFields(v any) (map[string]any, bool) {
	switch v := v.(type) {
	case map[any]any:
		m := make(map[string]any, len(v))
		for k, val := range v {
			if name, ok := k.(string); ok {
				m[name] = val
			}
		}
		return m, true
	case map[string]any:
		return v, true
	case []any:
		if len(v)%2 != 0 {
			return nil, false
		}
		m := make(map[string]any, len(v)/2)
		for i := 0; i < len(v); i += 2 {
			name, ok := v[i].(string)
			if !ok {
				return nil, false
			}
			m[name] = v[i+1]
		}
		return m, true
	}
	return nil, false
}
