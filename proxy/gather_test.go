package proxy_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// TestRoleAndLastSave are those of one primary without replicas.
func TestRoleAndLastSave(t *testing.T) {
	d := connect(t)
	for _, hello := range []string{"2", "3"} {
		d.Do("HELLO", hello)
		role := d.Do("ROLE")
		if role.Kind != '*' || len(role.Elems) != 3 || role.Elems[0].Str != "master" || role.Elems[1].Kind != ':' || role.Elems[2].Kind != '*' || len(role.Elems[2].Elems) != 0 {
			t.Errorf("ROLE says %+v", role)
		}
		oldest := int64(1 << 62)
		for _, n := range cluster.Get(t).Primaries() {
			oldest = min(oldest, n.Client().LastSave(t.Context()).Val())
		}
		if v := d.Do("LASTSAVE"); v.Kind != ':' || v.Int != oldest {
			t.Errorf("LASTSAVE says %+v, the oldest is %d", v, oldest)
		}
	}
}

// keysOf are the names of a map's entries, also of maps in it, in their order.
func keysOf(v resp.Value) (names []string) {
	for i := 0; i+1 < len(v.Elems); i += 2 {
		names = append(names, v.Elems[i].Str+":"+string(v.Elems[i+1].Kind))
		names = append(names, keysOf(v.Elems[i+1])...)
	}
	return names
}

// TestMemoryStatsHasTheEntriesOfRedis, of the same types, and the sums.
func TestMemoryStats(t *testing.T) {
	tw := startTwins(t)
	d, r := proxytest.Connect(t, tw.proxy.Addr), proxytest.Connect(t, tw.plain.Addr)
	for i := range 100 {
		for _, c := range []*proxytest.Dialog{d, r} {
			c.Do("SET", "key:"+strconv.Itoa(i), "x")
		}
	}
	for _, hello := range []string{"2", "3"} {
		d.Do("HELLO", hello)
		r.Do("HELLO", hello)
		got, want := d.Do("MEMORY", "STATS"), r.Do("MEMORY", "STATS")
		if g, w := keysOf(got), keysOf(want); got.Kind != want.Kind || !slices.Equal(g, w) {
			t.Errorf("MEMORY STATS\nhas      %q\nat redis %q", g, w)
		}
		for i := 0; i+1 < len(got.Elems); i += 2 {
			if got.Elems[i].Str == "keys.count" && got.Elems[i+1].Int != 100 {
				t.Errorf("keys.count is %d", got.Elems[i+1].Int)
			}
			if got.Elems[i].Str == "peak.percentage" {
				value := got.Elems[i+1].Float
				if hello == "2" {
					value, _ = strconv.ParseFloat(got.Elems[i+1].Str, 64)
				}
				if value < 1 || value > 110 {
					t.Errorf("peak.percentage is %+v", got.Elems[i+1])
				}
			}
		}
	}
	for _, line := range []string{"MEMORY DOCTOR", "MEMORY MALLOC-STATS", "LATENCY DOCTOR"} {
		if v := d.Do(strings.Fields(line)...); v.Kind != '=' && v.Kind != '$' || len(v.Str) < 50 {
			t.Errorf("%s: %+v", line, v)
		}
	}
}

// TestLatencyIsGathered from all nodes: each has an event of its own.
func TestLatencyIsGathered(t *testing.T) {
	tw := startTwins(t)
	d := proxytest.Connect(t, tw.proxy.Addr)
	tw.inBothProtocols(t, []string{
		"LATENCY LATEST", "LATENCY HISTORY nosuch", "LATENCY GRAPH nosuch", "LATENCY HISTOGRAM nosuch", "LATENCY RESET nosuch", "LATENCY RESET", "LATENCY HISTORY",
		"LATENCY NOSUCH", "MEMORY NOSUCH", "MEMORY DOCTOR x", "ROLE x", "LASTSAVE x", "FUNCTION STATS x", "FUNCTION STATS", "COPY none nil DB x", "COPY none nil DB 1",
		"COPY {x}none {x}nil DB 0", "COPY none none", "MEMORY PURGE",
	})
	d.Do("CONFIG", "SET", "latency-monitor-threshold", "1")
	defer func() { // what was slow meanwhile is forgotten, too
		d.Do("CONFIG", "SET", "latency-monitor-threshold", "0")
		d.Do("LATENCY", "RESET")
	}()
	keys := []string{"{a}", "{b}", "{c}"} // three shards
	owners := map[string]bool{}
	for _, key := range keys {
		owners[cluster.Get(t).OwnerOf(slotOf(t, key)).Addr] = true
		if v := d.Do("EVAL", busyFor("0.005"), "1", key); v.Str != "done" {
			t.Fatalf("EVAL: %+v", v)
		}
	}
	if len(owners) != 3 {
		t.Fatalf("the keys are at %d nodes", len(owners))
	}
	var commandEvents []resp.Value // a slow machine may have others
	for _, event := range d.Do("LATENCY", "LATEST").Elems {
		if event.Elems[0].Str == "command" {
			commandEvents = append(commandEvents, event)
		}
	}
	if len(commandEvents) != 1 || commandEvents[0].Elems[3].Int < 5 {
		t.Errorf("LATENCY LATEST: %+v", commandEvents)
	}
	history := d.Do("LATENCY", "HISTORY", "command")
	if len(history.Elems) < 3 || !slices.IsSortedFunc(history.Elems, func(a, b resp.Value) int { return int(a.Elems[0].Int - b.Elems[0].Int) }) {
		t.Errorf("LATENCY HISTORY: %+v", history)
	}
	if v := d.Do("LATENCY", "GRAPH", "command"); !strings.Contains(v.Str, "command - high ") {
		t.Errorf("LATENCY GRAPH: %+v", v)
	}
	if v := d.Do("LATENCY", "RESET", "command"); v.Int < 3 { // more if a replica was slow, too
		t.Errorf("LATENCY RESET: %+v", v)
	}
	d.Do("CONFIG", "RESETSTAT")
	for range 10 {
		for _, key := range keys {
			d.Do("GET", key)
		}
	}
	v := d.Do("LATENCY", "HISTOGRAM", "get")
	if len(v.Elems) != 2 || v.Elems[0].Str != "get" || len(v.Elems[1].Elems) != 4 || v.Elems[1].Elems[1].Int != 30 {
		t.Fatalf("LATENCY HISTOGRAM: %+v", v)
	}
	buckets := v.Elems[1].Elems[3].Elems
	if last := buckets[len(buckets)-1]; last.Int != 30 {
		t.Errorf("LATENCY HISTOGRAM: the last bucket has %d calls", last.Int)
	}
	for i := 2; i < len(buckets); i += 2 {
		if buckets[i].Int <= buckets[i-2].Int || buckets[i+1].Int < buckets[i-1].Int {
			t.Errorf("LATENCY HISTOGRAM: %+v", buckets)
		}
	}
}

// slotOf asks a node for a key's slot.
func slotOf(t *testing.T, key string) uint16 {
	t.Helper()
	n, err := cluster.Get(t).Node(0).Client().ClusterKeySlot(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	return uint16(n)
}
