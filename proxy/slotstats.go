package proxy

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// slotStats answers CLUSTER SLOT-STATS for all slots with what the primaries say of
// theirs: https://redis.io/docs/latest/commands/cluster-slot-stats/.
func (s *session) slotStats(row *command.Row, cmd *resp.Command) verdict {
	args, proto := resp.CloneArgs(cmd.Args), s.proto()
	return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
		e.Limit(s.srv.mergedLimit())
		replies, err := e.AskShards(ctx, args...)
		if err != nil {
			return errorReply(err)
		}
		return orderOf(args).apply(dispatcher.Combine(row, proto, replies))
	})
}

// slotOrder is how the slots are to be ordered: by a metric, or by themselves.
type slotOrder struct {
	metric     string // "": none
	descending bool
	limit      int // of slots; negative: none
}

// orderOf reads what nodes accept; what they do not needs no order.
func orderOf(args [][]byte) slotOrder {
	o := slotOrder{limit: -1}
	if !bytes.EqualFold(args[2], []byte("ORDERBY")) {
		return o
	}
	o.metric, o.descending = string(bytes.ToLower(args[3])), true
	for i := 4; i < len(args); i++ {
		switch string(bytes.ToLower(args[i])) {
		case "asc":
			o.descending = false
		case "limit":
			if n, ok := integer(args[min(i+1, len(args)-1)]); ok {
				o.limit = int(n)
			}
		}
	}
	return o
}

// slotStat is what is said of one slot.
type slotStat struct {
	slot, by int64
	raw      []byte
}

// apply orders the entries of all nodes, and leaves out what is too much. What is no
// list of them it returns as it is.
func (o slotOrder) apply(reply []byte) []byte {
	kind, n, at, ok := resp.Header(reply)
	if !ok || kind != '*' {
		return reply
	}
	entries := make([]slotStat, 0, n)
	for range n {
		v, size, err := resp.ReadValue(reply[at:])
		if err != nil || size == 0 || len(v.Elems) != 2 {
			return reply
		}
		entry := slotStat{slot: v.Elems[0].Int, raw: reply[at : at+size]}
		for stats := v.Elems[1].Elems; len(stats) > 1; stats = stats[2:] {
			if stats[0].Str == o.metric {
				entry.by = stats[1].Int
			}
		}
		entries = append(entries, entry)
		at += size
	}
	slices.SortFunc(entries, func(a, b slotStat) int {
		if o.descending {
			return cmp.Or(cmp.Compare(b.by, a.by), cmp.Compare(a.slot, b.slot))
		}
		return cmp.Or(cmp.Compare(a.by, b.by), cmp.Compare(a.slot, b.slot))
	})
	if o.limit >= 0 {
		entries = entries[:min(o.limit, len(entries))]
	}
	b := resp.AppendArrayHeader(make([]byte, 0, len(reply)), len(entries))
	for _, entry := range entries {
		b = append(b, entry.raw...)
	}
	return b
}
