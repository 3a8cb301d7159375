package proxy

import (
	"slices"
	"strings"

	"redis-cluster-proxy/resp"
)

// gatherLatest merges LATENCY LATEST: for each event the latest spike of all
// nodes, and the worst one. What newer servers have behind these are sums.
func gatherLatest(values []nodeValue, _ resp.Proto) []byte {
	var events []resp.Value
	for _, v := range values {
		for _, e := range v.Elems {
			if len(e.Elems) < 4 {
				continue
			}
			i := slices.IndexFunc(events, func(have resp.Value) bool { return have.Elems[0].Str == e.Elems[0].Str })
			if i < 0 {
				events = append(events, e)
				continue
			}
			have := events[i].Elems
			if e.Elems[1].Int > have[1].Int {
				have[1], have[2] = e.Elems[1], e.Elems[2]
			}
			have[3].Int = max(have[3].Int, e.Elems[3].Int)
			for k := 4; k < min(len(have), len(e.Elems)); k++ {
				have[k].Int += e.Elems[k].Int
			}
		}
	}
	return appendValue(nil, &resp.Value{Kind: '*', Elems: events})
}

// latencySamples is how many samples a server keeps of an event
// (LATENCY_TS_LEN).
const latencySamples = 160

// gatherHistory merges LATENCY HISTORY in the order of time.
func gatherHistory(values []nodeValue, _ resp.Proto) []byte {
	var samples []resp.Value
	for _, v := range values {
		for _, e := range v.Elems {
			if len(e.Elems) == 2 {
				samples = append(samples, e)
			}
		}
	}
	slices.SortStableFunc(samples, func(a, b resp.Value) int { return int(a.Elems[0].Int - b.Elems[0].Int) })
	samples = samples[max(len(samples)-latencySamples, 0):]
	return appendValue(nil, &resp.Value{Kind: '*', Elems: samples})
}

// cumulative is a histogram of LATENCY HISTOGRAM: how many calls took at most so
// many microseconds.
type cumulative struct {
	name  string
	calls int64
	nodes [][]resp.Value // bound and count in turn, of each node
}

// gatherHistograms merges LATENCY HISTOGRAM. A server leaves out buckets in
// which nothing falls, so a bound that only one node names has at another the count
// of the bound before it.
func gatherHistograms(values []nodeValue, proto resp.Proto) []byte {
	var all []*cumulative
	for _, v := range values {
		for i := 0; i+1 < len(v.Elems); i += 2 {
			name := v.Elems[i].Str
			at := slices.IndexFunc(all, func(h *cumulative) bool { return h.name == name })
			if at < 0 {
				at = len(all)
				all = append(all, &cumulative{name: name})
			}
			all[at].add(nodeValue{v.addr, v.Elems[i+1]})
		}
	}
	slices.SortFunc(all, func(a, b *cumulative) int { return strings.Compare(a.name, b.name) })
	b := resp.AppendMapHeader(nil, proto, len(all))
	for _, h := range all {
		b = resp.AppendBulkString(b, h.name)
		b = h.append(b, proto)
	}
	return b
}

// add adds a node's.
func (h *cumulative) add(v nodeValue) {
	if calls := v.entry("calls"); calls != nil {
		h.calls += calls.Int
	}
	if buckets := v.entry("histogram_usec"); buckets != nil {
		h.nodes = append(h.nodes, buckets.Elems)
	}
}

func (h *cumulative) append(b []byte, proto resp.Proto) []byte {
	var bounds []int64
	for _, buckets := range h.nodes {
		for i := 0; i+1 < len(buckets); i += 2 {
			bounds = append(bounds, buckets[i].Int)
		}
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	b = resp.AppendMapHeader(b, proto, 2)
	b = resp.AppendBulkString(b, "calls")
	b = resp.AppendInt(b, h.calls)
	b = resp.AppendBulkString(b, "histogram_usec")
	b = resp.AppendMapHeader(b, proto, len(bounds))
	for _, bound := range bounds {
		b = resp.AppendInt(b, bound)
		b = resp.AppendInt(b, h.within(bound))
	}
	return b
}

// within returns how many calls took at most so many microseconds.
func (h *cumulative) within(bound int64) (sum int64) {
	for _, buckets := range h.nodes {
		count := int64(0)
		for i := 0; i+1 < len(buckets) && buckets[i].Int <= bound; i += 2 {
			count = buckets[i+1].Int
		}
		sum += count
	}
	return sum
}
