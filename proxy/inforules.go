package proxy

import (
	"fmt"
	"strconv"
	"strings"
)

// sectionRules are for sections whose fields are alike.
var sectionRules = map[string]infoRule{
	"server":       same, // and much of it is the proxy's own
	"commandstats": commandStat,
	"latencystats": largestOfEach, // percentiles cannot be added: the slowest node's
	"replication":  same,
	"cluster":      drop,
	"cluster info": drop, // Valkey 9; none of it without a cluster
	"keyspace":     keyspace,
}

// prefixRules are for fields that are numbered. A standalone has none of them.
var prefixRules = []struct {
	prefix string
	rule   infoRule
}{
	{"slave", drop}, // a replica each; the proxy has none
	{"listener", drop},
	{"io_thread_", drop},
}

// fieldRules are for fields that are not merged like the rest of their section.
// Whatever is neither here nor in a section above is added up if it is a number,
// and the first primary's if not.
var fieldRules = map[string]infoRule{
	"io_thread_0":     addUp,
	"lru_clock":       largest,
	"cluster_enabled": same, // its section's only one of a standalone

	// Clients: those of the nodes are the proxies' connections; see ownFields.
	"client_recent_max_input_buffer": largest, "client_recent_max_output_buffer": largest,

	// Memory. What is a quotient is worked out below.
	"maxmemory": addUpLimits, "total_system_memory": addUpHosts,
	"mem_allocator": same, "maxmemory_policy": same, "active_defrag_running": largest,
	"number_of_cached_scripts": largest, "number_of_functions": largest, "number_of_libraries": largest,

	// Persistence: of what can be under way, that it is somewhere; of times, the worst.
	"loading": largest, "async_loading": largest,
	"loading_start_time": smallest, "loading_eta_seconds": largest, "loading_loaded_perc": smallest,
	"rdb_bgsave_in_progress": largest, "rdb_last_save_time": smallest, "rdb_last_bgsave_status": worst,
	"rdb_last_bgsave_time_sec": largest, "rdb_current_bgsave_time_sec": largest, "current_fork_perc": largest,
	"current_cow_size_age": largest, "aof_enabled": smallest, "aof_rewrite_in_progress": largest, "aof_rewrite_scheduled": largest,
	"aof_last_rewrite_time_sec": largest, "aof_current_rewrite_time_sec": largest, "aof_last_bgrewrite_status": worst,
	"aof_last_write_status": worst, "aof_pending_rewrite": largest, "module_fork_in_progress": largest,

	// Stats.
	"latest_fork_usec": largest, "expired_stale_perc": largest, "current_eviction_exceeded_time": largest,
	"current_active_defrag_time": largest, "slave_expires_tracked_keys": addUp,

	// Replication: one primary without replicas.
	"role":               func([]infoValue) string { return "master" },
	"connected_slaves":   func([]infoValue) string { return "0" },
	"master_repl_offset": addUp,
	"repl_backlog_size":  same, "repl_backlog_histlen": addUp, "repl_backlog_active": largest,
}

// derivedFields follow from merged ones.
var derivedFields = []struct {
	name   string
	format string
	value  func(field func(string) float64) float64
}{
	{"used_memory_peak_perc", "%.2f%%", func(f func(string) float64) float64 {
		return 100 * ratio(f("used_memory"), f("used_memory_peak"))
	}},
	{"used_memory_dataset_perc", "%.2f%%", func(f func(string) float64) float64 {
		return 100 * ratio(f("used_memory_dataset"), f("used_memory")-f("used_memory_startup"))
	}},
	{"allocator_frag_ratio", "%.2f", func(f func(string) float64) float64 {
		return ratio(f("allocator_active"), f("allocator_allocated"))
	}},
	{"allocator_rss_ratio", "%.2f", func(f func(string) float64) float64 {
		return ratio(f("allocator_resident"), f("allocator_active"))
	}},
	{"rss_overhead_ratio", "%.2f", func(f func(string) float64) float64 {
		return ratio(f("used_memory_rss"), f("allocator_resident"))
	}},
	{"mem_fragmentation_ratio", "%.2f", func(f func(string) float64) float64 {
		return ratio(f("used_memory_rss"), f("used_memory"))
	}},
}

// derive works out the fields that follow from others.
func (t infoText) derive() {
	for i := range t {
		section := &t[i]
		field := func(name string) float64 {
			text, _ := section.value(name)
			return number(text)
		}
		for k := range section.fields {
			f := &section.fields[k]
			if base, ok := strings.CutSuffix(f.name, "_human"); ok {
				if _, known := section.value(base); known {
					f.value = humanBytes(field(base))
				}
			}
			for _, d := range derivedFields {
				if d.name == f.name {
					f.value = fmt.Sprintf(d.format, d.value(field))
				}
			}
		}
	}
}

// humanBytes writes a number of bytes as bytesToHuman of Redis does.
func humanBytes(n float64) string {
	if n < 1024 {
		return strconv.FormatFloat(n, 'f', 0, 64) + "B"
	}
	unit := 0
	for n >= 1024 && unit < len("KMGTP") {
		n /= 1024
		unit++
	}
	return fmt.Sprintf("%.2f%c", n, "KMGTP"[unit-1])
}
