package proxy

import (
	"strings"
	"testing"

	"redis-cluster-proxy/resp"
)

// TestSlotStatsAreOrdered: what several nodes say becomes what one would say that has all their slots.
func TestSlotStatsAreOrdered(t *testing.T) {
	stats := func(proto resp.Proto, slots ...int64) []byte {
		b := resp.AppendArrayHeader(nil, len(slots))
		for _, slot := range slots {
			b = resp.AppendInt(resp.AppendArrayHeader(b, 2), slot)
			b = resp.AppendBulkString(resp.AppendMapHeader(b, proto, 2), "key-count")
			b = resp.AppendBulkString(resp.AppendInt(b, slot%3), "cpu-usec")
			b = resp.AppendInt(b, -slot)
		}
		return b
	}
	for request, want := range map[string][]int64{
		"SLOTSRANGE 0 16383":                    {1, 2, 3, 4, 5, 6},
		"slotsrange 0 16383":                    {1, 2, 3, 4, 5, 6},
		"ORDERBY key-count":                     {2, 5, 1, 4, 3, 6},
		"ORDERBY KEY-COUNT LIMIT 3":             {2, 5, 1},
		"orderby key-count asc":                 {3, 6, 1, 4, 2, 5},
		"ORDERBY key-count ASC LIMIT 2":         {3, 6},
		"ORDERBY key-count LIMIT 2 ASC":         {3, 6},
		"ORDERBY cpu-usec limit 100 desc":       {1, 2, 3, 4, 5, 6},
		"ORDERBY cpu-usec LIMIT 1 ASC":          {6},
		"ORDERBY network-bytes-in LIMIT 2 DESC": {1, 2},
		"ORDERBY key-count LIMIT":               {2, 5, 1, 4, 3, 6},
		"ORDERBY key-count LIMIT x":             {2, 5, 1, 4, 3, 6},
	} {
		var args [][]byte
		for _, word := range strings.Fields("CLUSTER SLOT-STATS " + request) {
			args = append(args, []byte(word))
		}
		for _, proto := range []resp.Proto{resp.RESP2, resp.RESP3} {
			if got := orderOf(args).apply(stats(proto, 5, 2, 6, 1, 3, 4)); string(got) != string(stats(proto, want...)) {
				t.Errorf("%s: %q", request, got)
			}
		}
	}
	for _, reply := range []string{"-ERR syntax error\r\n", "*0\r\n", "*1\r\n:1\r\n", "*2\r\n*1\r\n:1\r\n:2\r\n"} {
		if got := (slotOrder{limit: -1}).apply([]byte(reply)); string(got) != reply {
			t.Errorf("%q became %q", reply, got)
		}
	}
}
