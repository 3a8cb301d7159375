package proxy

import (
	"strings"
	"testing"
)

// TestMergeInfo has a rule of each kind.
func TestMergeInfo(t *testing.T) {
	info := func(addr, text string) nodeInfo {
		return nodeInfo{addr, parseInfo(strings.ReplaceAll(text, "\n", "\r\n"))}
	}
	got := mergeInfo([]nodeInfo{
		info("10.0.0.1:7000", `# Memory
used_memory:1048576
used_memory_human:1.00M
used_memory_rss:2097152
used_memory_peak:2000000
used_memory_peak_perc:50.00%
total_system_memory:1000
maxmemory:100
maxmemory_policy:allkeys-lru
mem_fragmentation_ratio:2.00

# Persistence
loading:0
rdb_last_save_time:20
rdb_last_bgsave_status:ok

# Replication
role:master
connected_slaves:1
slave0:ip=10.0.0.9,port=7000,state=online,offset=5,lag=0
master_repl_offset:5

# CPU
used_cpu_sys:0.250000

# Modules
module:name=one,ver=1
module:name=two,ver=2

# Commandstats
cmdstat_get:calls=2,usec=10,usec_per_call=5.00,rejected_calls=0,failed_calls=1

# Errorstats
errorstat_ERR:count=2

# Latencystats
latency_percentiles_usec_get:p50=1.003,p99=9.023

# Keyspace
db0:keys=3,expires=1,avg_ttl=100
`),
		info("10.0.0.1:7001", `# Memory
used_memory:1048576
used_memory_human:1.00M
used_memory_rss:1048576
used_memory_peak:2194304
used_memory_peak_perc:50.00%
total_system_memory:1000
maxmemory:200
maxmemory_policy:noeviction
mem_fragmentation_ratio:1.00

# Persistence
loading:1
loading_start_time:7
rdb_last_save_time:10
rdb_last_bgsave_status:err

# Replication
role:master
connected_slaves:0
master_repl_offset:7

# CPU
used_cpu_sys:0.500001

# Modules
module:name=one,ver=1

# Commandstats
cmdstat_get:calls=2,usec=30,usec_per_call=15.00,rejected_calls=0,failed_calls=0
cmdstat_set:calls=1,usec=1,usec_per_call=1.00,rejected_calls=0,failed_calls=0

# Errorstats
errorstat_ERR:count=1
errorstat_WRONGTYPE:count=4

# Latencystats
latency_percentiles_usec_get:p50=2.003,p99=8.023

# Keyspace
db0:keys=5,expires=3,avg_ttl=200
`),
		info("10.0.0.2:7000", "# Memory\ntotal_system_memory:500\nmaxmemory:300\nused_memory:0\n# Keyspace\n# Newest\nthing:5\n"),
	})
	got.derive()
	const want = `# Memory
used_memory:2097152
used_memory_human:2.00M
used_memory_rss:3145728
used_memory_peak:4194304
used_memory_peak_perc:50.00%
total_system_memory:1500
maxmemory:600
maxmemory_policy:allkeys-lru
mem_fragmentation_ratio:1.50

# Persistence
loading:1
rdb_last_save_time:10
rdb_last_bgsave_status:err
loading_start_time:7

# Replication
role:master
connected_slaves:0
master_repl_offset:12

# CPU
used_cpu_sys:0.750001

# Modules
module:name=one,ver=1
module:name=two,ver=2

# Commandstats
cmdstat_get:calls=4,usec=40,usec_per_call=10.00,rejected_calls=0,failed_calls=1
cmdstat_set:calls=1,usec=1,usec_per_call=1.00,rejected_calls=0,failed_calls=0

# Errorstats
errorstat_ERR:count=3
errorstat_WRONGTYPE:count=4

# Latencystats
latency_percentiles_usec_get:p50=2.003,p99=9.023

# Keyspace
db0:keys=8,expires=4,avg_ttl=175

# Newest
thing:5
`
	if text := strings.ReplaceAll(got.String(), "\r\n", "\n"); text != want {
		t.Errorf("merged to\n%s\nwant\n%s", text, want)
	}
}

func TestSumOf(t *testing.T) {
	for want, texts := range map[string][]string{"3": {"1", "2"}, "1.25": {"1", "0.25"}, "0.75": {"0.5", "0.25"}, "-1": {"1", "-2"}, "": {"1", "x"}} {
		if got, ok := sumOf(texts); got != want || ok != (want != "") {
			t.Errorf("the sum of %q is %q, %t", texts, got, ok)
		}
	}
}

func TestHumanBytes(t *testing.T) {
	for n, want := range map[float64]string{0: "0B", 1023: "1023B", 1024: "1.00K", 1163224: "1.11M", 25276502016: "23.54G", 1 << 41: "2.00T", 1 << 52: "4.00P"} {
		if got := humanBytes(n); got != want {
			t.Errorf("%.0f bytes are %s, want %s", n, got, want)
		}
	}
}

func FuzzParseInfo(f *testing.F) {
	f.Add("# Server\r\nredis_version:7.0.15\r\n\r\n# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n", "a=1,b=")
	f.Fuzz(func(t *testing.T, text, value string) {
		once := parseInfo(text)
		if again := parseInfo(once.String()); again.String() != once.String() {
			t.Errorf("%q is read as %q and then as %q", text, once.String(), again.String())
		}
		if pairs := splitPairs(value); pairs != nil && joinPairs(pairs) != value {
			t.Errorf("%q becomes %q", value, joinPairs(pairs))
		}
		merged := mergeInfo([]nodeInfo{{"a:1", once}, {"b:1", once}})
		merged.derive()
	})
}
