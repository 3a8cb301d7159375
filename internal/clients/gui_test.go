package clients

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// step is a command of a program and what it must be answered, as a regular expression of the whole reply, which shown writes
// down. In both, @ stands for the beginning of the test's keys.
type step struct{ command, want string }

const (
	infoText   = `(?s)# Server.*\r\nredis_version:[678]\..*\r\nredis_mode:standalone\r\n.*# Clients.*\r\nconnected_clients:[1-9].*# Memory.*\r\nused_memory:[1-9].*# Stats.*# Keyspace\r\ndb0:keys=[1-9]\d*,.*`
	number     = `[1-9]\d*`
	unknown    = `-ERR unknown command .*`
	clientList = `(?s)id=\d+ addr=.*`
	scanned    = `(?s)\[\d+ \[.*\]\]`
)

// browsing is what every one of them asks of a key before it shows it, and then of the value, page by page.
var browsing = []step{
	{"TYPE @hash", "hash"},
	{"TTL @hash", "-1"},
	{"MEMORY USAGE @hash", number},
	{"MEMORY USAGE @hash SAMPLES 0", number},
	{"OBJECT ENCODING @hash", "listpack|ziplist"},
	{"HLEN @hash", "1"},
	{"HSCAN @hash 0 MATCH * COUNT 500", `\[0 \[f v\]\]`},
	{"TYPE @string", "string"},
	{"TTL @string", number},
	{"OBJECT ENCODING @string", "int"},
	{"OBJECT IDLETIME @string", `\d+`},
	{"OBJECT REFCOUNT @string", number},
	{"STRLEN @string", "2"},
	{"GETRANGE @string 0 4999", "42"},
	{"TYPE @list", "list"},
	{"LLEN @list", "2"},
	{"LRANGE @list 0 499", `\[a b\]`},
	{"SSCAN @set 0 MATCH * COUNT 500", `\[0 \[m\]\]`},
	{"SCARD @set", "1"},
	{"ZRANGE @zset 0 499 WITHSCORES", `\[m 1\.5\]`},
	{"ZSCAN @zset 0 COUNT 500", `\[0 \[m 1\.5\]\]`},
	{"ZCARD @zset", "1"},
	{"XLEN @stream", "1"},
	{"XINFO STREAM @stream", `\[length 1 .*\]`},
	{"XREVRANGE @stream + - COUNT 500", `\[\[1-1 \[f v\]\]\]`},
	{"TYPE @none", "none"},
	{"TTL @none", "-2"},
	{"MEMORY USAGE @none", `\(nil\)`},
	{"OBJECT ENCODING @none", `\(nil\)`},
}

// guis are what well-known programs send when they connect and list the keys, in their order.
var guis = map[string][]step{
	"RedisInsight": {
		{"CLIENT SETINFO LIB-NAME node-redis", "OK"},
		{"CLIENT SETINFO LIB-VER 4.6.14", "OK"},
		{"CLIENT SETNAME redisinsight-common-8d7cbb29", "OK"},
		{"CLIENT GETNAME", "redisinsight-common-8d7cbb29"},
		{"SENTINEL MASTERS", unknown},
		{"CLUSTER INFO", `(?s)cluster_enabled:1\r\ncluster_state:ok\r\n.*|(?s)cluster_state:ok\r\n.*`},
		{"INFO", infoText},
		{"INFO server", `(?s)# Server\r\nredis_version:.*`},
		{"COMMAND", `(?s)\[.*\[get 2 .*`},
		{"COMMAND COUNT", number},
		{"MODULE LIST", `\[\]`},
		{"FT._LIST", unknown},
		{"ACL WHOAMI", "default"},
		{"ACL DRYRUN default GET key", "OK"},
		{"CONFIG GET databases", `\[databases 1\]`},
		{"CONFIG GET maxmemory-policy", `\[maxmemory-policy noeviction\]`},
		{"DBSIZE", number},
		{"INFO keyspace", `# Keyspace\r\ndb0:keys=[1-9]\d*,expires=[1-9]\d*,avg_ttl=\d+.*\r\n`},
		{"SCAN 0 MATCH * COUNT 10000", scanned},
		{"SCAN 0 MATCH @* COUNT 10000 TYPE hash", `\[\d+ \[(@hash)?\]\]`},
		{"SLOWLOG GET 50", `(?s)\[.*\]`},
		{"SLOWLOG LEN", `\d+`},
		{"CONFIG GET slowlog*", `\[slowlog-\S+ \d+ slowlog-\S+ \d+\]`},
		{"MEMORY DOCTOR", `(?s).+`},
		{"CLIENT LIST", clientList},
		{"TIME", `\[\d+ \d+\]`},
	},
	"Redis Commander": {
		{"INFO", infoText},
		{"CLIENT SETNAME redis-commander", "OK"},
		{"CONFIG GET databases", `\[databases 1\]`},
		{"SELECT 0", "OK"},
		{"COMMAND", `(?s)\[.*\[set -3 .*`},
		{"INFO", infoText},
		{"DBSIZE", number},
		{"SCAN 0 MATCH @* COUNT 100", `\[\d+ \[(@\S+ ?)*\]\]`},
		{"KEYS @h*", `\[@hash\]`},
		{"SELECT 1", `-ERR DB index is out of range`},
	},
	"Another Redis Desktop Manager": {
		{"INFO", infoText},
		{"CLIENT SETNAME AnotherRedisDesktopManager", "OK"},
		{"SELECT 0", "OK"},
		{"CONFIG GET databases", `\[databases 1\]`},
		{"CLUSTER INFO", `(?s).*cluster_state:ok\r\n.*`},
		{"CLUSTER NODES", `\w{40} 127\.0\.0\.1:\d+.\d+ myself,master - 0 \d+ \d+ connected 0-16383\n`},
		{"INFO Keyspace", `# Keyspace\r\ndb0:keys=[1-9]\d*,.*\r\n`},
		{"DBSIZE", number},
		{"SCAN 0 MATCH * COUNT 500", scanned},
		{"CONFIG GET slowlog-log-slower-than", `\[slowlog-log-slower-than \d+\]`},
		{"CONFIG GET slowlog-max-len", `\[slowlog-max-len \d+\]`},
		{"SLOWLOG GET 100", `(?s)\[.*\]`},
		{"CLIENT LIST", clientList},
		{"MEMORY STATS", `(?s)\[peak.allocated .*\]`},
		{"LATENCY LATEST", `\[.*\]`},
	},
}

// TestGUIs: none of these programs is given an answer on which it gives up, or shows nothing.
func TestGUIs(t *testing.T) {
	p := start(t)
	for name, startup := range guis {
		t.Run(name, func(t *testing.T) {
			d := proxytest.Connect(t, p.Addr)
			first := fmt.Sprintf("{gui}:%d:", len(name))
			for _, fill := range []string{
				"HSET @hash f v", "SET @string 42 EX 1000", "DEL @list", "RPUSH @list a b", "SADD @set m", "ZADD @zset 1.5 m",
				"DEL @stream", "XADD @stream 1-1 f v",
			} {
				take(t, d, first, step{fill, "OK|[0-9-]+"})
			}
			for _, s := range append(startup, browsing...) {
				take(t, d, first, s)
			}
			if got := scanAll(t, d, first); len(got) != 6 {
				t.Errorf("walks by SCAN for each type find %v, want 6 keys", got)
			}
		})
	}
}

// take sends the command and compares.
func take(t *testing.T, d *proxytest.Dialog, key string, s step) {
	t.Helper()
	words := strings.Fields(strings.ReplaceAll(s.command, "@", key))
	got := shown(d.Do(words...))
	want := strings.ReplaceAll(s.want, "@", regexp.QuoteMeta(key))
	if !regexp.MustCompile("^(?:" + want + ")$").MatchString(got) {
		t.Errorf("%s: %.1000q, want %q", strings.Join(words, " "), got, want)
	}
}

// scanAll walks as a program does that lists keys by their type.
func scanAll(t *testing.T, d *proxytest.Dialog, key string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, kind := range []string{"string", "hash", "list", "set", "zset", "stream"} {
		for cursor, done := "0", false; !done; done = cursor == "0" {
			reply := d.Do("SCAN", cursor, "MATCH", key+"*", "COUNT", "100", "TYPE", kind)
			if len(reply.Elems) != 2 {
				t.Fatalf("SCAN %s TYPE %s: %s", cursor, kind, shown(reply))
			}
			for _, k := range reply.Elems[1].Elems {
				found[k.Str] = true
			}
			cursor = reply.Elems[0].Str
		}
	}
	return found
}

// shown is a reply on one line: the text of a scalar, an error with its dash, elements between brackets.
func shown(v resp.Value) string {
	switch {
	case v.Null:
		return "(nil)"
	case v.Kind == '-' || v.Kind == '!':
		return "-" + v.Str
	case strings.IndexByte("*~%>", v.Kind) >= 0:
		elems := make([]string, len(v.Elems))
		for i, e := range v.Elems {
			elems[i] = shown(e)
		}
		return "[" + strings.Join(elems, " ") + "]"
	}
	return v.Str
}
