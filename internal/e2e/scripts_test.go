package e2e

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// digest is the name of a script.
func digest(body string) string {
	sum := sha1.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

// onAllNodes runs a command on all nodes of a cluster, not through the proxy.
func onAllNodes(t *testing.T, c *redistest.Cluster, args ...any) {
	t.Helper()
	for _, n := range c.Nodes() {
		if err := n.Client().Do(testContext(t), args...).Err(); err != nil {
			t.Fatalf("%s: %v: %v", n.Addr, args, err)
		}
	}
}

// spread are keys of many slots, in all shards.
func spread(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("spread:%d", i))
	}
	return keys
}

// TestScripts: what one node has run, all can, as if they were one.
func TestScripts(t *testing.T) {
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	for _, hello := range []string{"2", "3"} {
		t.Run("RESP"+hello, func(t *testing.T) {
			d := proxytest.Connect(t, p.Addr)
			d.Do("HELLO", hello)
			body := "return {KEYS[1], ARGV[1], " + hello + "}"
			sha := digest(body)
			want := func(reply string, args ...string) {
				t.Helper()
				if got := d.Ask(string(resp.AppendCommand(nil, args...))); got != reply {
					t.Errorf("%q: %.200q, want %q", args, got, reply)
				}
			}
			const noScript = "-NOSCRIPT No matching script. Please use EVAL.\r\n"
			answer := func(key string) string {
				return fmt.Sprintf("*3\r\n$%d\r\n%s\r\n$1\r\nx\r\n:%s\r\n", len(key), key, hello)
			}
			want("+OK\r\n", "SCRIPT", "FLUSH")
			want(noScript, "EVALSHA", sha, "1", "k", "x")
			want(answer("k"), "EVAL", body, "1", "k", "x")
			want("*2\r\n:1\r\n:0\r\n", "SCRIPT", "EXISTS", sha, digest("another"))
			for _, key := range spread(30) {
				want(answer(key), "EVALSHA", sha, "1", key, "x")
				want(answer(key), "evalsha_ro", strings.ToUpper(sha), "1", key, "x")
			}
			onAllNodes(t, c, "SCRIPT", "FLUSH") // behind the proxy's back
			for _, key := range spread(30) {
				want(answer(key), "EVALSHA", sha, "1", key, "x")
			}
			onAllNodes(t, c, "SCRIPT", "FLUSH")
			for _, key := range spread(30) {
				want(answer(key), "EVALSHA_RO", sha, "1", key, "x")
			}
			want("+OK\r\n", "SCRIPT", "FLUSH")
			for _, key := range spread(30) {
				want(noScript, "EVALSHA", sha, "1", key, "x")
			}
			want("$40\r\n"+sha+"\r\n", "SCRIPT", "LOAD", body)
			onAllNodes(t, c, "SCRIPT", "FLUSH")
			for _, key := range spread(30) {
				want(answer(key), "EVALSHA", sha, "1", key, "x")
			}
			long := strings.Repeat("y", 100_000)
			onAllNodes(t, c, "SCRIPT", "FLUSH")
			want("*3\r\n$1\r\nk\r\n$100000\r\n"+long+"\r\n:"+hello+"\r\n", "EVALSHA", sha, "1", "k", long)
			want("*0\r\n", "EVALSHA", sha, "0", "x") // nil, where there is no key, ends the list
		})
	}
}

// TestScriptsThatFail are told as the node tells them, and one that does not compile is not remembered.
func TestScriptsThatFail(t *testing.T) {
	p := start(t, cluster.Get(t), proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	if v := d.Do("EVAL", "this is no Lua", "1", "k"); !strings.HasPrefix(v.Str, "ERR Error compiling script") {
		t.Errorf("%+v", v)
	}
	if v := d.Do("EVALSHA", digest("this is no Lua"), "1", "k"); !strings.HasPrefix(v.Str, "NOSCRIPT ") {
		t.Errorf("%+v", v)
	}
	const body = "return redis.error_reply('MINE is mine')"
	for range 3 {
		if v := d.Do("EVAL", body, "1", "k"); v.Kind != '-' || v.Str != "MINE is mine" {
			t.Errorf("%+v", v)
		}
		if v := d.Do("EVALSHA", digest(body), "1", "j"); v.Kind != '-' || v.Str != "MINE is mine" {
			t.Errorf("%+v", v)
		}
	}
}

// TestScriptsInOrder: a script that nodes have to be given is executed in its place.
func TestScriptsInOrder(t *testing.T) {
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	d.Do("FLUSHALL")
	body := "return redis.call('APPEND', KEYS[1], ARGV[1])"
	d.Do("EVAL", body, "1", "elsewhere", "x")
	var input []byte
	for _, key := range spread(30) {
		for i := range 4 {
			input = resp.AppendCommand(input, "EVALSHA", digest(body), "1", key, fmt.Sprint(2*i))
			input = resp.AppendCommand(input, "APPEND", key, fmt.Sprint(2*i+1))
		}
		input = resp.AppendCommand(input, "GET", key)
	}
	d.Say(string(input))
	for _, key := range spread(30) {
		for i := range 8 {
			if got := d.Hear(); got != fmt.Sprintf(":%d\r\n", i+1) {
				t.Fatalf("%s: reply %d is %q", key, i, got)
			}
		}
		if got := d.Hear(); got != "$8\r\n01234567\r\n" {
			t.Fatalf("%s: %q", key, got)
		}
	}
}

// TestScriptsOfUsers: one who may not EVAL runs by digest what the node has.
func TestScriptsOfUsers(t *testing.T) {
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	d.Do("ACL", "SETUSER", "runner", "reset", "on", ">pw", "~*", "+evalsha", "+get")
	defer d.Do("ACL", "DELUSER", "runner")
	const body = "return 'ran'"
	d.Do("SCRIPT", "FLUSH")
	d.Do("SCRIPT", "LOAD", body)
	r := proxytest.Connect(t, p.Addr)
	r.Do("AUTH", "runner", "pw")
	for _, key := range spread(20) {
		if v := r.Do("EVALSHA", digest(body), "1", key); v.Str != "ran" {
			t.Fatalf("%+v", v)
		}
	}
	onAllNodes(t, c, "SCRIPT", "FLUSH")
	if v := r.Do("EVALSHA", digest(body), "1", "k"); !strings.HasPrefix(v.Str, "NOSCRIPT ") {
		t.Errorf("%+v", v)
	}
}

// TestFunctions: a primary that lacks a library is given it when it is needed.
func TestFunctions(t *testing.T) {
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	d.Do("FUNCTION", "FLUSH")
	defer d.Do("FUNCTION", "FLUSH")
	const code = "#!lua name=mylib\nredis.register_function('who', function(keys) return keys[1] end)"
	if v := d.Do("FUNCTION", "LOAD", code); v.Str != "mylib" {
		t.Fatalf("%+v", v)
	}
	for round, n := range c.Primaries() {
		if err := n.Client().FunctionFlush(testContext(t)).Err(); err != nil {
			t.Fatal(err)
		}
		for _, key := range spread(30) {
			if v := d.Do("FCALL", "who", "1", key); v.Str != key {
				t.Fatalf("round %d, FCALL who 1 %s: %+v", round, key, v)
			}
		}
	}
	for _, key := range spread(30) {
		if v := d.Do("FCALL", "nobody", "1", key); v.Str != "ERR Function not found" {
			t.Errorf("%+v", v)
		}
		if v := d.Do("FCALL", "nobody", "0"); v.Str != "ERR Function not found" {
			t.Errorf("%+v", v)
		}
	}
}
