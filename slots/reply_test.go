package slots

import (
	"fmt"
	"strings"
	"testing"
)

type list = []any

// shardNode is a node of CLUSTER SHARDS as RESP2 has it.
func shardNode(id string, port int64, endpoint any, ip, role, health string) list {
	return list{"id", id, "port", port, "ip", ip, "endpoint", endpoint, "role", role, "replication-offset", int64(14), "health", health}
}

// format writes a table so that a test can state it: shards in order, "!" behind nodes that are not healthy.
func format(t *Table) string {
	var b strings.Builder
	for i, s := range t.Shards {
		fmt.Fprintf(&b, "%s:", ranges(t, uint16(i)))
		if s.Primary == nil {
			b.WriteString(" none")
		}
		for _, n := range s.all() {
			b.WriteString(" " + n.ID + "=" + n.Addr)
			if !n.Healthy {
				b.WriteString("!")
			}
		}
		b.WriteString("\n")
	}
	return strings.TrimSpace(b.String())
}

func ranges(t *Table, shard uint16) string {
	var parts []string
	for slot := 0; slot < NumSlots; slot++ {
		if t.Slot[slot] != shard {
			continue
		}
		last := slot
		for last+1 < NumSlots && t.Slot[last+1] == shard {
			last++
		}
		parts = append(parts, fmt.Sprintf("%d-%d", slot, last))
		slot = last
	}
	return strings.Join(parts, ",")
}

func TestParseShards(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply any
		want  string
	}{
		{"empty", list{}, ""},
		{"primary and replica, RESP2", list{
			list{"slots", list{int64(8192), int64(16383)}, "nodes", list{
				shardNode("c", 7003, "10.0.0.3", "10.0.0.3", "replica", "online"),
				shardNode("b", 7002, "10.0.0.2", "10.0.0.2", "master", "online")}},
			list{"slots", list{int64(0), int64(8000), int64(8100), int64(8191)}, "nodes", list{
				shardNode("a", 7001, "10.0.0.1", "10.0.0.1", "master", "online")}},
		}, "0-8000,8100-8191: a=10.0.0.1:7001\n8192-16383: b=10.0.0.2:7002 c=10.0.0.3:7003"},
		{"RESP3", list{
			map[any]any{"slots": list{int64(0), int64(16383)}, "nodes": list{
				map[any]any{"id": "a", "port": int64(7001), "ip": "10.0.0.1", "endpoint": "10.0.0.1", "role": "master", "health": "online"}}},
		}, "0-16383: a=10.0.0.1:7001"},
		{"IPv6", list{list{"slots", list{int64(0), int64(1)}, "nodes", list{
			shardNode("a", 7001, "2001:db8::1", "2001:db8::1", "master", "online")}}},
			"0-1: a=[2001:db8::1]:7001"},
		{"hostname preferred", list{list{"slots", list{int64(0), int64(1)}, "nodes", list{
			append(shardNode("a", 7001, "redis-1.example", "10.0.0.1", "master", "online"), "hostname", "redis-1.example")}}},
			"0-1: a=redis-1.example:7001"},
		{"unknown endpoints are at the host asked", list{list{"slots", list{int64(0), int64(1)}, "nodes", list{
			shardNode("a", 7001, nil, "10.0.0.1", "master", "online"),
			shardNode("b", 7002, "", "10.0.0.2", "replica", "online")}}},
			"0-1: a=asked.example:7001 b=asked.example:7002"},
		{"hostname preferred but not set", list{list{"slots", list{int64(0), int64(1)}, "nodes", list{
			shardNode("a", 7001, "?", "10.0.0.1", "master", "online"),
			shardNode("b", 7002, "?", "", "replica", "online")}}},
			"0-1: a=10.0.0.1:7001 b=asked.example:7002"},
		{"health", list{list{"slots", list{int64(0), int64(1)}, "nodes", list{
			shardNode("a", 7001, "h", "h", "master", "failed"),
			shardNode("b", 7002, "h", "h", "replica", "loading"),
			shardNode("c", 7003, "h", "h", "replica", "fail"),
			shardNode("d", 7004, "h", "h", "replica", "fail?"),
			shardNode("e", 7005, "h", "h", "replica", "online")}}},
			"0-1: a=h:7001! b=h:7002! c=h:7003! d=h:7004! e=h:7005"},
		{"two masters while the failed one is still listed", list{list{"slots", list{int64(0), int64(1)}, "nodes", list{
			shardNode("a", 7001, "h", "h", "master", "fail"),
			shardNode("b", 7002, "h", "h", "master", "online"),
			shardNode("c", 7003, "h", "h", "replica", "online")}}},
			"0-1: b=h:7002 a=h:7001! c=h:7003"},
		{"two living masters", list{list{"slots", list{int64(0), int64(1)}, "nodes", list{
			shardNode("a", 7001, "h", "h", "master", "online"),
			shardNode("b", 7002, "h", "h", "master", "online")}}},
			"0-1: a=h:7001 b=h:7002"},
		{"no slots: kept if it lives", list{
			list{"slots", list{}, "nodes", list{shardNode("a", 7001, "h", "h", "master", "fail")}},
			list{"slots", list{}, "nodes", list{shardNode("b", 7002, "h", "h", "master", "online")}}},
			": b=h:7002"},
		{"a node without a plain port", list{list{"slots", list{int64(0), int64(1)}, "nodes", list{
			list{"id", "a", "tls-port", int64(7001), "ip", "h", "endpoint", "h", "role", "master", "health", "online"},
			shardNode("b", 7002, "h", "h", "replica", "online")}}},
			"0-1: none b=h:7002"},
		{"unknown fields, no health", list{list{"id", "shard-id", "slots", list{int64(0), int64(1)}, "nodes", list{
			list{"id", "a", "port", int64(7001), "endpoint", "h", "role", "master", "news", list{}}}}},
			"0-1: a=h:7001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, err := parseShards(tt.reply, "asked.example")
			if err != nil {
				t.Fatal(err)
			}
			if got := format(table); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestParseShardsRefusesNonsense(t *testing.T) {
	for name, reply := range map[string]any{
		"nil":                nil,
		"a string":           "OK",
		"a number in it":     list{int64(1)},
		"odd fields":         list{list{"slots"}},
		"a name no string":   list{list{int64(1), int64(2)}},
		"no slots":           list{list{"nodes", list{}}},
		"odd slots":          list{list{"slots", list{int64(1)}, "nodes", list{}}},
		"slots no numbers":   list{list{"slots", list{"0", "1"}, "nodes", list{}}},
		"slot too high":      list{list{"slots", list{int64(0), int64(16384)}, "nodes", list{}}},
		"slot negative":      list{list{"slots", list{int64(-1), int64(1)}, "nodes", list{}}},
		"range upside down":  list{list{"slots", list{int64(2), int64(1)}, "nodes", list{}}},
		"no nodes":           list{list{"slots", list{}}},
		"node of odd fields": list{list{"slots", list{}, "nodes", list{list{"id"}}}},
	} {
		if table, err := parseShards(reply, "h"); err == nil {
			t.Errorf("%s: no error, got %s", name, format(table))
		}
	}
}

func TestParseSlots(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply any
		want  string
	}{
		{"empty", list{}, ""},
		{"ranges of one primary", list{
			list{int64(100), int64(200), list{"10.0.0.2", int64(7002), "b"}},
			list{int64(0), int64(99), list{"10.0.0.1", int64(7001), "a"}, list{"10.0.0.3", int64(7003), "c"}},
			list{int64(300), int64(400), list{"10.0.0.1", int64(7001), "a"}, list{"10.0.0.3", int64(7003), "c"}},
		}, "0-99,300-400: a=10.0.0.1:7001 c=10.0.0.3:7003\n100-200: b=10.0.0.2:7002"},
		{"no ids before Redis 4", list{list{int64(0), int64(1), list{"10.0.0.1", int64(7001)}}}, "0-1: =10.0.0.1:7001"},
		{"IPv6 and hostname", list{
			list{int64(0), int64(1), list{"::1", int64(7001), "a", list{"hostname", "x"}}, list{"x.example", int64(7002), "b", list{"ip", "10.0.0.2"}}},
		}, "0-1: a=[::1]:7001 b=x.example:7002"},
		{"unknown endpoint", list{
			list{int64(0), int64(1), list{nil, int64(7001), "a", list{"ip", "10.0.0.1"}}, list{"", int64(7002), "b", list{}}},
		}, "0-1: a=asked.example:7001 b=asked.example:7002"},
		{"hostname missing", list{
			list{int64(0), int64(1), list{"?", int64(7001), "a", list{"ip", "10.0.0.1"}}, list{"?", int64(7002), "b", list{}}},
		}, "0-1: a=10.0.0.1:7001 b=asked.example:7002"},
		{"RESP3 metadata", list{
			list{int64(0), int64(1), list{"?", int64(7001), "a", map[any]any{"ip": "10.0.0.1"}}},
		}, "0-1: a=10.0.0.1:7001"},
		{"primary without a port", list{
			list{int64(0), int64(1), list{"h", int64(0), "a"}, list{"h", int64(7002), "b"}},
			list{int64(2), int64(3), list{"h", int64(7003), "c"}, list{"h", int64(0), "d"}},
		}, "2-3: c=h:7003"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, err := parseSlots(tt.reply, "asked.example")
			if err != nil {
				t.Fatal(err)
			}
			if got := format(table); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestParseSlotsRefusesNonsense(t *testing.T) {
	for name, reply := range map[string]any{
		"nil":            nil,
		"a string":       "OK",
		"short entry":    list{list{int64(1)}},
		"bad range":      list{list{int64(1), "x", list{"h", int64(1)}}},
		"node a text":    list{list{int64(1), int64(2), "h:1"}},
		"node too short": list{list{int64(1), int64(2), list{"h"}}},
	} {
		if table, err := parseSlots(reply, "h"); err == nil {
			t.Errorf("%s: no error, got %s", name, format(table))
		}
	}
}

func TestNodeFlags(t *testing.T) {
	table, err := parseShards(list{list{"slots", list{int64(0), int64(1)}, "nodes", list{
		shardNode("a", 7001, "h", "h", "master", "online"),
		shardNode("b", 7002, "h", "h", "replica", "online"),
		shardNode("c", 7003, "h", "h", "replica", "online"),
		shardNode("d", 7004, "", "", "replica", "online"),
		shardNode("e", 7005, "h", "h", "replica", "online"),
		shardNode("f", 7006, "h", "h", "replica", "loading")}},
		list{"slots", list{int64(2), int64(3)}, "nodes", list{shardNode("g", 7007, "h", "h", "master", "online")}},
		list{"slots", list{int64(4), int64(5)}, "nodes", list{shardNode("i", 7009, "", "", "master", "online")}},
		list{"slots", list{int64(6), int64(7)}, "nodes", list{
			shardNode("j", 7010, "h", "h", "master", "online"),
			shardNode("k", 7011, "h", "h", "master", "online"),
			shardNode("l", 7012, "h", "h", "replica", "online")}},
		list{"slots", list{int64(8), int64(9)}, "nodes", list{
			shardNode("m", 7013, "h", "h", "master", "online"),
			shardNode("n", 7014, "h", "h", "master", "fail")}},
	}, "h")
	if err != nil {
		t.Fatal(err)
	}
	flags := parseNodeFlags(`a h:7001@17001 master,fail? - 0 0 1 connected 0-1
b h:7002@17002,name slave,fail a 0 0 1 disconnected
c h:7003@17003 slave,fail? a 0 0 1 connected
d :0@0 slave,noaddr a 0 0 1 disconnected
e h:7005@17005 myself,slave a 0 0 1 connected
f h:7006@17006 slave a 0 0 1 connected
g h:7007@17007 master,fail - 0 0 1 disconnected 2-3
i :0@0 master,fail,noaddr - 0 0 1 disconnected 4-5
j h:7010@17010 master - 0 0 1 connected [6->-a]
k h:7011@17011 master - 0 0 2 connected 6-7
l h:7012@17012 slave k 0 0 2 connected
m h:7013@17013 master - 0 0 2 connected
n h:7014@17014 master,fail - 0 0 1 disconnected 8-9
`)
	flags.apply(table)
	want := "0-1: a=h:7001 b=h:7002! c=h:7003! e=h:7005 f=h:7006!\n2-3: g=h:7007!\n4-5: none\n" +
		"6-7: k=h:7011 j=h:7010 l=h:7012\n8-9: m=h:7013 n=h:7014!"
	if got := format(table); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := flags.myself(); got != "e" {
		t.Errorf("myself is %q, want e", got)
	}
}

func TestParseClusterInfo(t *testing.T) {
	text := "cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_known_nodes:6\r\ncluster_current_epoch:12\r\ncluster_my_epoch:3\r\n"
	if got, want := parseClusterInfo(text), (clusterInfo{ok: true, epoch: 12, assigned: 16384}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := parseClusterInfo("cluster_state:fail\r\n"); got.ok {
		t.Error("state fail is ok")
	}
}

func TestParseVersion(t *testing.T) {
	for info, want := range map[string]string{
		"# Server\r\nredis_version:7.0.15\r\nredis_git_sha1:0\r\n":                                  "redis 7.0.15",
		"# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\nos:x\r\n": "valkey 8.1.0",
		"": "",
	} {
		if got, err := parseVersion(info); got != want || (err != nil) != (want == "") {
			t.Errorf("parseVersion(%q) = %q, %v; want %q", info, got, err, want)
		}
	}
}
