package e2e

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

// setKeys sets keys to "v" through the proxy.
func setKeys(t *testing.T, d *proxytest.Dialog, keys []string) {
	t.Helper()
	for some := range slices.Chunk(keys, 500) {
		args := []string{"MSET"}
		for _, key := range some {
			args = append(args, key, "v")
		}
		if v := d.Do(args...); v.Str != "OK" {
			t.Fatalf("MSET: %+v", v)
		}
	}
}

// scanAll scans everything, each call by another of the clients, and returns how often each key was told and how many calls
// it took.
func scanAll(clients []*proxytest.Client, options ...string) (seen map[string]int, calls int, err error) {
	seen = map[string]int{}
	for cursor := "0"; ; {
		v, err := clients[calls%len(clients)].Do(append([]string{"SCAN", cursor}, options...)...)
		if err != nil {
			return nil, 0, err
		}
		if len(v.Elems) != 2 || v.Elems[0].Kind != '$' || v.Elems[1].Kind != '*' {
			return nil, 0, fmt.Errorf("SCAN %s %q: %+v", cursor, options, v)
		}
		if n, err := strconv.ParseInt(v.Elems[0].Str, 10, 64); err != nil || n < 0 || n >= 1<<53 {
			return nil, 0, fmt.Errorf("cursor %q", v.Elems[0].Str)
		}
		for _, e := range v.Elems[1].Elems {
			seen[e.Str]++
		}
		cursor = v.Elems[0].Str
		if calls++; cursor == "0" {
			return seen, calls, nil
		}
	}
}

func (p *scanPlan) mustScan(t *testing.T, d *proxytest.Dialog) (seen map[string]int, calls int) {
	t.Helper()
	seen, calls, err := scanAll([]*proxytest.Client{d.Client}, strings.Fields(p.options)...)
	if err != nil {
		t.Fatal(err)
	}
	return seen, calls
}

// scanPlan is a scan with what it should tell.
type scanPlan struct {
	options string
	has     func(i int, key string) bool
	calls   int // at most
}

// TestScan: of a cluster where nothing happens, all keys, each once, in as many calls as COUNT promises.
func TestScan(t *testing.T) {
	const n = 30_000
	p := start(t, cluster.Get(t), proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	d.Do("FLUSHALL")
	keys := make([]string, n)
	for i := range keys {
		if keys[i] = fmt.Sprintf("scan:%d", i); i >= n-3000 { // many of one slot
			keys[i] = fmt.Sprintf("{scan}:%d", i)
		}
	}
	setKeys(t, d, keys)
	for i := range 100 {
		d.Do("DEL", keys[i])
		d.Do("RPUSH", keys[i], "x")
	}
	for i := 100; i < 200; i++ {
		d.Do("PEXPIRE", keys[i], "1")
	}
	all := func(i int, _ string) bool { return i < 100 || i >= 200 }
	for _, hello := range []string{"2", "3"} {
		d.Do("HELLO", hello)
		for _, tt := range []scanPlan{
			{"COUNT 1000", all, n/1000 + 5},
			{"COUNT 100", all, n / 100 * 2},
			{"COUNT 1000000", all, 5},
			{"COUNT 1000 TYPE list", func(i int, _ string) bool { return i < 100 }, n/1000 + 5},
			{"COUNT 1000 MATCH *7", func(i int, key string) bool { return all(i, key) && strings.HasSuffix(key, "7") }, n/1000 + 5},
			{"COUNT 500 MATCH {scan}:*", func(_ int, key string) bool { return strings.HasPrefix(key, "{scan}") }, 10},
			{"MATCH scan:5000", func(_ int, key string) bool { return key == "scan:5000" }, 3},
			{"MATCH nothing:*", func(int, string) bool { return false }, n},
		} {
			seen, calls := tt.mustScan(t, d)
			want := 0
			for i, key := range keys {
				if tt.has(i, key) {
					want++
					if seen[key] != 1 {
						t.Errorf("SCAN %s: %s was told %d times", tt.options, key, seen[key])
						break
					}
				}
			}
			if len(seen) != want {
				t.Errorf("SCAN %s: %d keys, want %d", tt.options, len(seen), want)
			}
			if calls > tt.calls {
				t.Errorf("SCAN %s: %d calls", tt.options, calls)
			}
		}
	}
	d.Do("FLUSHALL")
	if got, want := d.Ask("SCAN 0\r\n"), "*2\r\n$1\r\n0\r\n*0\r\n"; got != want {
		t.Errorf("SCAN of nothing: %q", got)
	}
}

// TestScanErrors: what is wrong with a SCAN is said in the server's words.
func TestScanErrors(t *testing.T) {
	c := cluster.Get(t)
	d, node := proxytest.Connect(t, start(t, c, proxytest.Config{}).Addr), proxytest.Connect(t, c.Node(0).Addr)
	for _, line := range []string{"SCAN x", "SCAN 1x", "SCAN 99999999999999999999", "SCAN 0 COUNT", "SCAN 0 COUNT 0", "SCAN 0 COUNT -1", "SCAN 0 COUNT x",
		"SCAN 0 MATCH", "SCAN 0 TYPE", "SCAN 0 NOVALUES", "SCAN 0 MATCH a b", "SCAN", "SCAN 0 COUNT 1.5", "SCAN 0 COUNT 99999999999999999999", "RANDOMKEY x"} {
		if got, want := d.Ask(line+"\r\n"), node.Ask(line+"\r\n"); got != want || got[0] != '-' {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if v, want := d.Do("SCAN", ""), node.Do("SCAN", ""); v.Kind != want.Kind { // Redis takes it up to 7.2
		t.Errorf("SCAN of an empty cursor: %+v", v)
	}
}

// TestScanOfAnotherAccount: who may not SCAN is told so, and who may needs nothing else.
func TestScanOfAnotherAccount(t *testing.T) {
	c := cluster.Get(t)
	d := proxytest.Connect(t, start(t, c, proxytest.Config{}).Addr)
	d.Do("FLUSHALL")
	d.Do("ACL", "SETUSER", "scanner", "on", ">secret", "+scan", "+randomkey", "~none:*")
	d.Do("ACL", "SETUSER", "getter", "on", ">secret", "+get", "~*")
	defer func() {
		d := proxytest.Connect(t, start(t, c, proxytest.Config{}).Addr)
		d.Do("ACL", "DELUSER", "scanner", "getter")
	}()
	d.Do("SET", "a", "v")
	d.Do("AUTH", "scanner", "secret")
	if got, want := d.Ask("SCAN 0\r\n"), "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"; got != want {
		t.Errorf("SCAN: %q", got)
	}
	if got := d.Do("RANDOMKEY"); got.Str != "a" {
		t.Errorf("RANDOMKEY: %+v", got)
	}
	d.Do("AUTH", "getter", "secret")
	for _, line := range []string{"SCAN 0", "RANDOMKEY"} {
		if v := d.Do(strings.Fields(line)...); !strings.HasPrefix(v.Str, "NOPERM ") {
			t.Errorf("%s: %+v", line, v)
		}
	}
}

// TestPatternsAsServers: a pattern of MATCH means what it means to a server.
func TestPatternsAsServers(t *testing.T) {
	c := cluster.Get(t)
	d, node := proxytest.Connect(t, start(t, c, proxytest.Config{}).Addr), proxytest.Connect(t, c.OwnerOf(redistest.Slot("{glob}")).Addr)
	d.Do("FLUSHALL")
	keys := []string{"", "a", "ab", "abc", "aXc", "^", "]", "[", "-", `\`, "*", "?", "a-", "\xff", "\x00", "aab", "hello"}
	for _, key := range keys {
		d.Do("SET", "{glob}"+key, "v")
	}
	fill := make([]string, 1100) // so many that the node's own SCAN is not used
	for i := range fill {
		fill[i] = fmt.Sprintf("{glob}fill%d", i)
	}
	setKeys(t, d, fill)
	for _, pattern := range []string{"", "*", "?", "a*", "*a", "a?c", "[a-c]*", "[c-a]*", "[^a]", "[^a", "[", "[]", "[]]", `[\]]`, `\`, `\*`, `\\`, `a\`, "[a-", "[-a]", "**", "*b*", "[\x80-\xff]", "[a\\", "*[", "h*l*o", "[^", "a[^b]*", "*[^b]"} {
		seen, _, err := scanAll([]*proxytest.Client{d.Client}, "MATCH", "{glob}"+pattern)
		if err != nil {
			t.Fatal(err)
		}
		want := keysOf(node.Do("KEYS", "{glob}"+pattern).Elems)
		for _, key := range want {
			if seen[key] == 0 {
				t.Errorf("MATCH %q: not %q", pattern, key)
			}
			delete(seen, key)
		}
		for key := range seen {
			t.Errorf("MATCH %q: %q", pattern, key)
		}
	}
}

// TestRandomKey: each key comes up, about as often as any other, however few a shard has.
func TestRandomKey(t *testing.T) {
	p := start(t, cluster.Get(t), proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	for _, hello := range []string{"2", "3"} {
		d.Do("HELLO", hello)
		d.Do("FLUSHALL")
		if got, want := d.Ask("RANDOMKEY\r\n"), string(resp.AppendNull(nil, resp.Proto(hello[0]-'0'))); got != want {
			t.Errorf("RANDOMKEY of nothing: %q, want %q", got, want)
		}
		keys := []string{"{a}"} // alone in its shard
		for i := range 9 {
			keys = append(keys, fmt.Sprintf("{b}%d", i))
		}
		setKeys(t, d, keys)
		seen := map[string]int{}
		for range 1000 {
			seen[d.Do("RANDOMKEY").Str]++
		}
		for _, key := range keys {
			if n := seen[key]; n < 30 || n > 300 { // of 100
				t.Errorf("%s came up %d times of 1000", key, n)
			}
		}
		if len(seen) != len(keys) {
			t.Errorf("came up: %v", seen)
		}
	}
}
