package proxy_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// infoFields reads INFO: the sections, each with the names of its fields, and the values of all.
func infoFields(t *testing.T, v resp.Value) (sections []string, names map[string][]string, values map[string]string) {
	t.Helper()
	names, values = map[string][]string{}, map[string]string{}
	if v.Kind != '$' && v.Kind != '=' {
		t.Fatalf("INFO says %+v", v)
	}
	section, text := "", v.Str
	if text != "" && !strings.HasSuffix(text, "\r\n") {
		t.Errorf("INFO ends with %q", text[max(0, len(text)-20):])
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		name, value, isField := strings.Cut(line, ":")
		switch {
		case strings.HasPrefix(line, "# "):
			section = line[2:]
			sections = append(sections, section)
		case isField:
			values[name] = value
			names[section] = append(names[section], name)
		case line != "":
			t.Errorf("INFO has the line %q", line)
		}
	}
	return sections, names, values
}

// differentInfo are fields that the proxy has and a standalone server has not, or the other way round, with the reason.
var differentInfo = map[string]string{
	"slave0": "the proxy has no replicas, and neither has the server of this test",
}

// TestInfoHasTheFieldsOfRedis, in its order and layout, whatever sections are asked for.
func TestInfoHasTheFieldsOfRedis(t *testing.T) {
	tw := startTwins(t)
	d, r := proxytest.Connect(t, tw.proxy.Addr), proxytest.Connect(t, tw.plain.Addr)
	for _, c := range []*proxytest.Dialog{d, r} {
		c.Do("SET", "info", "1")
		c.Do("LPUSH", "info", "wrong type")
	}
	for _, args := range []string{
		"", "all", "everything", "default", "server", "CLIENTS", "memory", "persistence", "stats", "replication", "cpu", "modules", "errorstats",
		"cluster", "keyspace", "stats server", "nosuch", "nosuch memory", "server server", "default commandstats",
	} {
		for _, hello := range []string{"2", "3"} {
			d.Do("HELLO", hello)
			r.Do("HELLO", hello)
			cmd := append([]string{"INFO"}, strings.Fields(args)...)
			gotReply, wantReply := d.Do(cmd...), r.Do(cmd...)
			got, gotNames, _ := infoFields(t, gotReply)
			want, wantNames, _ := infoFields(t, wantReply)
			if !slices.Equal(got, want) || gotReply.Kind != wantReply.Kind {
				t.Errorf("INFO %s has the sections %q, at redis %q", args, got, want)
			}
			for _, section := range want {
				if prefix := map[string]string{"Commandstats": "cmdstat_", "Latencystats": "latency_percentiles_usec_", "Errorstats": "errorstat_"}[section]; prefix != "" {
					// What is in there depends on what the nodes were asked, by other tests and by the proxy.
					if len(gotNames[section]) == 0 || !strings.HasPrefix(gotNames[section][0], prefix) {
						t.Errorf("INFO %s has in %s %q", args, section, gotNames[section])
					}
					continue
				}
				known := func(name string) bool { return differentInfo[name] != "" }
				if g, w := slices.DeleteFunc(gotNames[section], known), slices.DeleteFunc(wantNames[section], known); !slices.Equal(g, w) {
					t.Errorf("INFO %s, %s\nhas      %q\nat redis %q", args, section, g, w)
				}
			}
		}
	}
}

func TestInfoIsAboutTheProxyAndTheWholeCluster(t *testing.T) {
	p := start(t, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	d.Do("FLUSHALL")
	for i := range 100 {
		if i < 30 {
			d.Do("SET", fmt.Sprint("key:", i), "x", "EX", "1000")
		} else {
			d.Do("SET", fmt.Sprint("key:", i), "x")
		}
	}
	_, _, got := infoFields(t, d.Do("INFO", "everything"))
	_, port, _ := strings.Cut(p.Addr, ":")
	for name, want := range map[string]string{
		"redis_version": "7.0.15", "redis_mode": "standalone", "tcp_port": port, "connected_clients": "1", "role": "master", "connected_slaves": "0",
		"loading": "0", "cluster_enabled": "1", "maxclients": "0", "rejected_connections": "0", "config_file": "", "rdb_last_bgsave_status": "ok", "maxmemory": "0",
		"maxmemory_human": "0B", "maxmemory_policy": "noeviction", "master_failover_state": "no-failover",
	} {
		if got[name] != want {
			t.Errorf("INFO has %s:%s, want %s", name, got[name], want)
		}
	}
	if keys := got["db0"]; !strings.HasPrefix(keys, "keys=100,expires=30,avg_ttl=") {
		t.Errorf("INFO has db0:%s", keys)
	}
	memory, set := 0, 0
	for _, n := range cluster.Get(t).Primaries() {
		_, _, of := infoFields(t, resp.Value{Kind: '$', Str: n.Client().Info(t.Context(), "everything").Val()})
		used, _ := strconv.Atoi(of["used_memory"])
		memory += used
		for pair := range strings.SplitSeq(of["cmdstat_set"], ",") {
			if calls, ok := strings.CutPrefix(pair, "calls="); ok {
				count, _ := strconv.Atoi(calls)
				set += count
			}
		}
	}
	used, _ := strconv.Atoi(got["used_memory"])
	if used < memory/2 || used > 2*memory {
		t.Errorf("used_memory is %d, and %d at all nodes", used, memory)
	}
	if !strings.HasPrefix(got["cmdstat_set"], fmt.Sprintf("calls=%d,usec=", set)) || !strings.Contains(got["cmdstat_set"], ",usec_per_call=") {
		t.Errorf("cmdstat_set is %s, of %d", got["cmdstat_set"], set)
	}
	if human := got["used_memory_human"]; !strings.HasSuffix(human, "M") {
		t.Errorf("used_memory_human is %s", human)
	}
	if len(got["run_id"]) != 40 {
		t.Errorf("run_id is %s", got["run_id"])
	}
}

// infoNumber is a number in INFO.
func infoNumber(t *testing.T, d *proxytest.Dialog, name string) int {
	t.Helper()
	_, _, values := infoFields(t, d.Do("INFO", "stats"))
	n, err := strconv.Atoi(values[name])
	if err != nil {
		t.Fatalf("INFO has %s:%s", name, values[name])
	}
	return n
}

// TestInfoCountsWhatClientsDo, since the start or CONFIG RESETSTAT.
func TestInfoCountsWhatClientsDo(t *testing.T) {
	p := start(t, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	proxytest.Connect(t, p.Addr).Do("PING")
	if n := infoNumber(t, d, "total_connections_received"); n != 2 {
		t.Errorf("%d connections", n)
	}
	before := infoNumber(t, d, "total_commands_processed")
	d.Do("ECHO", "x")
	d.Do("NOSUCH")
	if after := infoNumber(t, d, "total_commands_processed"); after < before+1 || after > before+3 {
		t.Errorf("%d commands processed after %d", after, before)
	}
	if n := infoNumber(t, d, "total_error_replies"); n != 1 {
		t.Errorf("%d errors", n)
	}
	in, out := infoNumber(t, d, "total_net_input_bytes"), infoNumber(t, d, "total_net_output_bytes")
	d.Do("ECHO", strings.Repeat("x", 100_000))
	if n := infoNumber(t, d, "total_net_input_bytes") - in; n < 100_000 || n > 101_000 {
		t.Errorf("%d bytes came", n)
	}
	if n := infoNumber(t, d, "total_net_output_bytes") - out; n < 100_000 || n > 120_000 {
		t.Errorf("%d bytes left", n)
	}
	if v := d.Do("CONFIG", "RESETSTAT"); v.Str != "OK" {
		t.Fatalf("CONFIG RESETSTAT: %+v", v)
	}
	if n := infoNumber(t, d, "total_net_input_bytes"); n > 1000 {
		t.Errorf("%d bytes came since CONFIG RESETSTAT", n)
	}
	if n := infoNumber(t, d, "total_connections_received"); n != 0 {
		t.Errorf("%d connections since CONFIG RESETSTAT", n)
	}
	if n := infoNumber(t, d, "total_error_replies"); n != 0 {
		t.Errorf("%d errors since CONFIG RESETSTAT", n)
	}
}

// TestInfoOfTheProxyAndItsNodes comes when it is asked for.
func TestInfoOfTheProxyAndItsNodes(t *testing.T) {
	d := connect(t)
	d.Do("SET", "info", "1")
	sections, names, values := infoFields(t, d.Do("INFO", "proxy", "keyspace", "NODES"))
	if want := []string{"Keyspace", "Proxy", "Nodes"}; !slices.Equal(sections, want) {
		t.Errorf("sections %q, want %q", sections, want)
	}
	if values["slots_covered"] != "16384" || values["nodes"] != "6" || values["clients"] != "1" {
		t.Errorf("INFO proxy: %v", values)
	}
	roles, slots := map[string]int{}, 0
	for i, name := range names["Nodes"] {
		if want := fmt.Sprint("node", i); name != want {
			t.Errorf("a node is called %s, want %s", name, want)
		}
		fields := map[string]string{}
		for pair := range strings.SplitSeq(values[name], ",") {
			field, value, _ := strings.Cut(pair, "=")
			fields[field] = value
		}
		roles[fields["role"]]++
		n, _ := strconv.Atoi(fields["slots"])
		slots += n
	}
	if roles["master"] != 3 || roles["slave"] != 3 || slots != 16384 {
		t.Errorf("roles %v, %d slots", roles, slots)
	}
	if sections, _, _ := infoFields(t, d.Do("INFO", "nodes")); !slices.Equal(sections, []string{"Nodes"}) {
		t.Errorf("INFO nodes has the sections %q", sections)
	}
}

// TestInfoWithoutANode: INFO is answered while a node is silent, is gone, or is called failed, and says what it lacks.
func TestInfoWithoutANode(t *testing.T) {
	for name, trouble := range map[string]func(n *redistest.FakeNode){
		"silent": (*redistest.FakeNode).HoldReplies,
		"gone":   (*redistest.FakeNode).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			c, p := startBeforeFake(t, proxytest.Config{})
			d := proxytest.Connect(t, p.Addr)
			bad := c.Primaries()[1]
			for _, n := range c.Primaries() {
				n.Put(fmt.Sprintf("key-of-%s", n.Addr), "")
			}
			_, _, whole := infoFields(t, d.Do("INFO"))
			trouble(bad)
			defer bad.ReleaseReplies()
			sections, _, values := infoFields(t, d.Do("INFO", "keyspace"))
			if sections[len(sections)-1] != "Missing" || values["missing_nodes"] != bad.Addr || values["missing_slots"] != "5461" {
				t.Errorf("%q, missing %q, %s slots", sections, values["missing_nodes"], values["missing_slots"])
			}
			if !strings.HasPrefix(whole["db0"], "keys=3,") || !strings.HasPrefix(values["db0"], "keys=2,") || whole["missing_nodes"] != "" {
				t.Errorf("db0: %s with all, %s without one", whole["db0"], values["db0"])
			}
			for _, n := range c.Primaries() {
				trouble(n)
				defer n.ReleaseReplies()
			}
			if got := d.Do("INFO"); got.Kind != '-' || !strings.HasPrefix(got.Str, "ERR no reply from ") && !strings.HasPrefix(got.Str, "CLUSTERDOWN ") {
				t.Errorf("without any node: %.200q", got.Str)
			}
		})
	}
}
