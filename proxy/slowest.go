package proxy

import (
	"slices"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// defaultSlow is how many entries SLOWLOG GET returns that is given no number.
const defaultSlow = 10

// latestSlow puts the entries of all nodes' slow logs into one order, the latest
// first, and returns as many as were asked for. The entries' numbers are their
// nodes' own.
func latestSlow(_ *dispatcher.Dispatcher, args [][]byte, reply dispatcher.Reply) dispatcher.Reply {
	wanted := int64(defaultSlow)
	if len(args) > 2 {
		if n, ok := integer(args[2]); ok {
			wanted = n
		}
	}
	raw := reply.Bytes()
	kind, count, at, ok := resp.Header(raw)
	if !ok || kind != '*' {
		return reply
	}
	type entry struct {
		at  int64 // in seconds
		raw []byte
	}
	entries := make([]entry, 0, count)
	for rest := raw[at:]; len(rest) > 0; {
		v, n, err := resp.ReadValue(rest)
		if err != nil || n == 0 || len(v.Elems) < 2 {
			return reply
		}
		entries = append(entries, entry{v.Elems[1].Int, rest[:n]})
		rest = rest[n:]
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return int(b.at - a.at) })
	if wanted >= 0 && int64(len(entries)) > wanted {
		entries = entries[:wanted]
	}
	b := resp.AppendArrayHeader(nil, len(entries))
	for _, e := range entries {
		b = append(b, e.raw...)
	}
	return dispatcher.Whole(b)
}
