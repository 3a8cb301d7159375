package slots

import "testing"

// tree builds a generic reply out of bytes: numbers, the words that replies are made of, lists and maps.
func tree(data []byte, depth int) (any, []byte) {
	words := []string{"slots", "nodes", "id", "port", "ip", "endpoint", "role", "health", "master", "online", "fail", "", "?", "::1"}
	if len(data) < 2 {
		return nil, nil
	}
	kind, n, rest := data[0]%5, int(data[1]), data[2:]
	switch {
	case kind == 0:
		return int64(n)*257 - 300, rest
	case kind == 1 || depth > 8:
		return words[n%len(words)], rest
	case kind == 2:
		return nil, rest
	}
	elems := make(list, n%8)
	for i := range elems {
		elems[i], rest = tree(rest, depth+1)
	}
	if kind == 3 {
		return elems, rest
	}
	m := map[any]any{}
	for i := 0; i+1 < len(elems); i += 2 {
		if name, ok := elems[i].(string); ok {
			m[name] = elems[i+1]
		}
	}
	return m, rest
}

func FuzzReplies(f *testing.F) {
	f.Add([]byte{3, 1, 3, 4, 1, 0, 3, 2, 0, 2, 0, 5, 1, 1, 3, 1, 3, 4, 1, 3, 0, 5, 1, 5, 1, 13}, "")
	f.Add([]byte{3, 1, 3, 3, 0, 2, 0, 5, 3, 3, 1, 13, 0, 9, 1, 2}, "a h:1@2 myself,master - 0 0 1 connected 0-1\n")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		reply, _ := tree(data, 0)
		parseClusterInfo(text)
		flags := parseNodeFlags(text)
		for _, parse := range []func(any, string) (*Table, error){parseShards, parseSlots} {
			table, err := parse(reply, "h")
			if (table == nil) != (err != nil) {
				t.Fatalf("got %v, %v", table, err)
			}
			if err != nil {
				continue
			}
			flags.apply(table)
			for slot := range uint16(NumSlots) {
				table.ShardOf(slot) // every index is valid
			}
			if !sameLayout(table, table.WithMoved(0, table.primaryAddr(0))) {
				t.Error("a table differs from itself")
			}
		}
	})
}
