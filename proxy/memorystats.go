package proxy

import (
	"strconv"

	"redis-cluster-proxy/resp"
)

// gatherMemoryStats merges MEMORY STATS: bytes and counts are added up, and what
// is a quotient is worked out anew.
func gatherMemoryStats(values []nodeValue, proto resp.Proto) []byte {
	maps := make([]resp.Value, len(values))
	for i, v := range values {
		maps[i] = v.Value
	}
	merged := nodeValue{Value: addUpMaps(maps)}
	field := func(name string) float64 {
		if v := merged.entry(name); v != nil {
			return float64(v.Int)
		}
		return 0
	}
	for _, d := range derivedStats {
		v := merged.entry(d.name)
		switch {
		case v == nil:
		case v.Kind == ':':
			v.Int = int64(d.value(field))
		case proto == resp.RESP3:
			v.Kind, v.Float = ',', d.value(field)
		default:
			v.Str = strconv.FormatFloat(d.value(field), 'g', 17, 64)
		}
	}
	return appendValue(nil, &merged.Value)
}

// addUpMaps adds the integers of maps up, entry by entry, also of maps in them.
// Whatever else is in them is that of the first.
func addUpMaps(maps []resp.Value) resp.Value {
	sum := resp.Value{Kind: maps[0].Kind}
	for i, m := range maps {
		for k := 0; k+1 < len(m.Elems); k += 2 {
			name := m.Elems[k].Str
			if (&nodeValue{Value: sum}).entry(name) != nil {
				continue
			}
			var values []resp.Value
			for _, other := range maps[i:] {
				if v := (&nodeValue{Value: other}).entry(name); v != nil {
					values = append(values, *v)
				}
			}
			sum.Elems = append(sum.Elems, m.Elems[k], addUpValues(values))
		}
	}
	return sum
}

func addUpValues(values []resp.Value) resp.Value {
	first := values[0]
	switch first.Kind {
	case '%', '*':
		return addUpMaps(values)
	case ':':
		for _, v := range values[1:] {
			first.Int += v.Int
		}
	}
	return first
}

// derivedStats are the quotients of MEMORY STATS, as getMemoryOverheadData of
// Redis has them.
var derivedStats = []struct {
	name  string
	value func(field func(string) float64) float64
}{
	{"keys.bytes-per-key", func(f func(string) float64) float64 {
		return ratio(f("total.allocated")-f("startup.allocated"), f("keys.count"))
	}},
	{"dataset.percentage", func(f func(string) float64) float64 {
		return 100 * ratio(f("dataset.bytes"), f("total.allocated")-f("startup.allocated"))
	}},
	{"peak.percentage", func(f func(string) float64) float64 {
		return 100 * ratio(f("total.allocated"), f("peak.allocated"))
	}},
	{"allocator-fragmentation.ratio", func(f func(string) float64) float64 {
		return ratio(f("allocator.active"), f("allocator.allocated"))
	}},
	{"allocator-rss.ratio", func(f func(string) float64) float64 {
		return ratio(f("allocator.resident"), f("allocator.active"))
	}},
	{"rss-overhead.ratio", func(f func(string) float64) float64 {
		return ratio(f("allocator.resident")+f("rss-overhead.bytes"), f("allocator.resident"))
	}},
	{"fragmentation", func(f func(string) float64) float64 {
		return ratio(f("total.allocated")+f("fragmentation.bytes"), f("total.allocated"))
	}},
}
