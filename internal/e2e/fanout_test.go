package e2e

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// TestFanOut: what concerns all nodes is asked of all of them, and their replies become one, in both protocols.
func TestFanOut(t *testing.T) {
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	for _, hello := range []string{"2", "3"} {
		d := proxytest.Connect(t, p.Addr)
		d.Do("HELLO", hello)
		want := func(reply string, args ...string) {
			t.Helper()
			if got := d.Ask(string(resp.AppendCommand(nil, args...))); got != reply {
				t.Errorf("RESP%s %q: %.200q, want %q", hello, args, got, reply)
			}
		}
		const ok = "+OK\r\n"
		want(ok, "FLUSHALL")
		want(":0\r\n", "DBSIZE")
		want("*0\r\n", "KEYS", "*")
		for i := range 100 {
			want(ok, "SET", fmt.Sprintf("key:%d", i), "v")
		}
		want(":100\r\n", "dbsize")
		if got := keysOf(d.Do("KEYS", "*").Elems); len(got) != 100 || got[0] != "key:0" || got[99] != "key:99" {
			t.Errorf("KEYS *: %q", got)
		}
		want(ok, "MSET", "{a}1", "v", "{a}2", "v")
		if got := keysOf(d.Do("KEYS", "{a}*").Elems); !slices.Equal(got, []string{"{a}1", "{a}2"}) {
			t.Errorf("KEYS {a}*: %q", got)
		}
		want(ok, "FLUSHDB", "ASYNC")
		want(":0\r\n", "DBSIZE")
		want(ok, "FLUSHALL", "SYNC")
		want("-ERR syntax error\r\n", "FLUSHALL", "NOW")

		const script, sha = "return 7", "59b6ab2fbe0ee4b25733de0f62e6cda4899ef8e9"
		want("$40\r\n"+sha+"\r\n", "SCRIPT", "LOAD", script)
		want("*2\r\n:1\r\n:0\r\n", "SCRIPT", "EXISTS", sha, strings.Repeat("0", 40))
		want(ok, "SCRIPT", "FLUSH", "SYNC")
		want("*1\r\n:0\r\n", "SCRIPT", "EXISTS", sha)
		want("-NOTBUSY No scripts in execution right now.\r\n", "SCRIPT", "KILL")
		if got := d.Do("SCRIPT", "LOAD", "if").Str; !strings.HasPrefix(got, "ERR Error compiling script") {
			t.Errorf("SCRIPT LOAD of nonsense: %q", got)
		}

		want("$3\r\nlib\r\n", "FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
		want("-ERR Library 'lib' already exists\r\n", "FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
		want(":1\r\n", "FCALL", "f", "1", "a")
		dump := d.Do("FUNCTION", "DUMP").Str
		want(ok, "FUNCTION", "DELETE", "lib")
		want(ok, "FUNCTION", "RESTORE", dump)
		want(":1\r\n", "FCALL", "f", "1", "b")
		want(ok, "FUNCTION", "FLUSH")
		want("*0\r\n", "FUNCTION", "LIST")
		want("-NOTBUSY No scripts in execution right now.\r\n", "FUNCTION", "KILL")

		want(ok, "CONFIG", "SET", "hash-max-listpack-entries", "77")
		for _, n := range c.Nodes() {
			if v := n.Client().ConfigGet(testContext(t), "hash-max-listpack-entries").Val(); v["hash-max-listpack-entries"] != "77" {
				t.Errorf("%s: %v", n.Addr, v)
			}
		}
		want(ok, "CONFIG", "SET", "hash-max-listpack-entries", "128")
		want(ok, "CONFIG", "RESETSTAT")
		want(ok, "CONFIG", "REWRITE")
		want(ok, "CONFIG", "SET", "slowlog-log-slower-than", "-1") // on a late machine SLOWLOG RESET itself is slow
		want(ok, "SLOWLOG", "RESET")
		want(":0\r\n", "SLOWLOG", "LEN")
		want("*0\r\n", "SLOWLOG", "GET")
		want(ok, "CONFIG", "SET", "slowlog-log-slower-than", "10000")
		want(":0\r\n", "LATENCY", "RESET")
		want(ok, "MEMORY", "PURGE")
		want(ok, "ACL", "SETUSER", "somebody", "on", "nopass", "+@all", "~*")
		for _, n := range c.Nodes() {
			if users := n.Client().Do(testContext(t), "ACL", "USERS").String(); !strings.Contains(users, "somebody") {
				t.Errorf("%s: %s", n.Addr, users)
			}
		}
		want(":1\r\n", "ACL", "DELUSER", "somebody")
		want(":0\r\n", "ACL", "DELUSER", "somebody")
		want("$7\r\ndefault\r\n", "ACL", "WHOAMI")
	}
}

// keysOf returns the texts of a reply's elements, in order of their length and then alphabetical.
func keysOf(elems []resp.Value) []string {
	var keys []string
	for _, e := range elems {
		keys = append(keys, e.Str)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return keys
}

// TestFanOutKeepsTheOrder: in a pipeline, what concerns all nodes sees all that came before and nothing that comes after.
func TestFanOutKeepsTheOrder(t *testing.T) {
	p := start(t, cluster.Get(t), proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	d.Do("FLUSHALL")
	const rounds, keys = 50, 10
	var input []byte
	for round := range rounds {
		for k := range keys {
			input = resp.AppendCommand(input, "SET", fmt.Sprintf("%d:%d", round, k), "v")
		}
		input = resp.AppendCommand(input, "DBSIZE")
		for k := range keys {
			input = resp.AppendCommand(input, "DEL", fmt.Sprintf("%d:%d", round, k))
		}
		input = resp.AppendCommand(input, "KEYS", "*")
	}
	d.Say(string(input))
	for round := range rounds {
		for range keys {
			d.Hear()
		}
		if got := d.Hear(); got != fmt.Sprintf(":%d\r\n", keys) {
			t.Fatalf("round %d: DBSIZE %q", round, got)
		}
		for range keys {
			if got := d.Hear(); got != ":1\r\n" {
				t.Fatalf("round %d: DEL %q", round, got)
			}
		}
		if got := d.Hear(); got != "*0\r\n" {
			t.Fatalf("round %d: KEYS %q", round, got)
		}
	}
}

// TestMergedIsBounded: of what must be kept to become one, what is longer than -max-merged-bytes is an error; of what is
// passed on as it comes, what has an element that long. The session goes on.
func TestMergedIsBounded(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.MaxMergedBytes = 1000
	p := start(t, cluster.Get(t), cfg)
	d := proxytest.Connect(t, p.Addr)
	d.Do("FLUSHALL")
	defer d.Do("FLUSHALL")
	for i := range 100 {
		d.Do("SET", fmt.Sprintf("{foo}key:%09d", i), "")
	}
	for _, ask := range []string{"KEYS *", "KEYS {foo}*", "CLUSTER GETKEYSINSLOT 12182 1000"} {
		if got := d.Do(strings.Fields(ask)...); len(got.Elems) != 100 {
			t.Errorf("%s: %d keys, %.100q", ask, len(got.Elems), got.Str)
		}
	}
	d.Do("SET", "{foo}"+strings.Repeat("x", 100_000), "")
	for _, ask := range []string{"MEMORY MALLOC-STATS", "KEYS *", "KEYS {foo}*"} {
		if got := d.Do(strings.Fields(ask)...); got.Kind != '-' || !strings.Contains(got.Str, "-max-merged-bytes") {
			t.Errorf("%s: %d elements, %.100q", ask, len(got.Elems), got.Str)
		}
	}
	if got := d.Do("DBSIZE"); got.Int != 101 {
		t.Errorf("DBSIZE: %+v", got)
	}
}

// TestWhatIsPastTheBoundIsNotKept counts what is set aside for a reply that is many times as long as allowed.
func TestWhatIsPastTheBoundIsNotKept(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.MaxMergedBytes = 1 << 20
	p := start(t, cluster.Get(t), cfg)
	d := proxytest.Connect(t, p.Addr)
	d.Do("FLUSHALL")
	defer d.Do("FLUSHALL")
	d.Do("SET", strings.Repeat("x", 32<<20), "")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if got := d.Do("KEYS", "*"); got.Kind != '-' || !strings.Contains(got.Str, "-max-merged-bytes") {
		t.Errorf("%d keys, %.100q", len(got.Elems), got.Str)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
		t.Errorf("%d bytes were set aside for a reply of at most %d", took, cfg.Proxy.MaxMergedBytes)
	}
}
