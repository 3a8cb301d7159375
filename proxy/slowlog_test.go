package proxy_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// slowArgs are the arguments of the slow log's entries.
func slowArgs(v resp.Value) (list []string) {
	for _, e := range v.Elems {
		var words []string
		for _, a := range e.Elems[3].Elems {
			words = append(words, a.Str)
		}
		list = append(list, strings.Join(words, " "))
	}
	return list
}

// TestSlowLogIsThatOfRedis has all requests be slow, at a server and at the proxy.
func TestSlowLogIsThatOfRedis(t *testing.T) {
	tw := startTwins(t)
	tw.inBothProtocols(t, []string{
		"SLOWLOG GET x", "SLOWLOG GET -2", "SLOWLOG GET 1 2", "SLOWLOG LEN x", "SLOWLOG RESET x", "SLOWLOG", "SLOWLOG GET 0", "SLOWLOG NOSUCH", "SLOWLOG HELP",
	})
	d, r := proxytest.Connect(t, tw.proxy.Addr), proxytest.Connect(t, tw.plain.Addr)
	many := []string{"MSET"}
	for i := range 40 {
		many = append(many, "key:"+strings.Repeat("x", i*10), strings.Repeat("y", 3*i))
	}
	requests := [][]string{
		{"SET", "slow", strings.Repeat("z", 200)}, {"get", "slow"}, many, {"MGET", "slow", "slow:2", "slow:3"},
		append([]string{"DEL"}, strings.Fields(strings.Repeat("a ", 30))...), append([]string{"DEL"}, strings.Fields(strings.Repeat("a ", 31))...),
		append([]string{"DEL"}, strings.Fields(strings.Repeat("a ", 32))...), {"LPUSH", "slow", "wrong type"}, {"SET", "large", strings.Repeat("v", 100_000)},
	}
	var replies []resp.Value
	for _, c := range []*proxytest.Dialog{d, r} {
		c.Do("CLIENT", "SETNAME", "slowly")
		c.Do("CONFIG", "SET", "slowlog-log-slower-than", "0")
		c.Do("SLOWLOG", "RESET")
		for _, args := range requests {
			c.Do(args...)
		}
		c.Do("CONFIG", "SET", "slowlog-log-slower-than", "-1")
		replies = append(replies, c.Do("SLOWLOG", "GET", "100"))
	}
	// The server knows its own commands, too.
	var got, want []string
	for i, list := range [][]string{slowArgs(replies[0]), slowArgs(replies[1])} {
		for _, args := range list {
			if name, _, _ := strings.Cut(args, " "); name != "SLOWLOG" && name != "CONFIG" && name != "CLIENT" {
				if i == 0 {
					got = append(got, args)
				} else {
					want = append(want, args)
				}
			}
		}
	}
	if len(want) != len(requests) || len(got) != len(want) {
		t.Fatalf("%d requests, %d at the server, %d at the proxy", len(requests), len(want), len(got))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("entry %d\n proxy says %.300q\n redis says %.300q", i, got[i], want[i])
		}
	}
	entry := replies[0].Elems[0]
	if len(entry.Elems) != 6 || entry.Elems[0].Kind != ':' || entry.Elems[1].Kind != ':' || entry.Elems[2].Kind != ':' || entry.Elems[3].Kind != '*' {
		t.Fatalf("an entry is %+v", entry)
	}
	if age := time.Since(time.Unix(entry.Elems[1].Int, 0)); age < -time.Second || age > proxytest.Patience {
		t.Errorf("an entry is %v old", age)
	}
	if took := entry.Elems[2].Int; took < 0 || took > int64(proxytest.Patience/time.Microsecond) {
		t.Errorf("an entry took %d µs", took)
	}
	if addr, name := entry.Elems[4].Str, entry.Elems[5].Str; addr != d.NetConn().LocalAddr().String() || name != "slowly" {
		t.Errorf("an entry is of client %s %s", addr, name)
	}
	if v, all := d.Do("SLOWLOG", "GET"), d.Do("SLOWLOG", "LEN"); len(v.Elems) != 10 || all.Int < 10 {
		t.Errorf("SLOWLOG GET has %d entries of %d", len(v.Elems), all.Int)
	}
	detail := d.Do("PROXY", "SLOWLOG", "-1")
	for _, e := range detail.Elems {
		entry := map[string]resp.Value{}
		for i := 0; i+1 < len(e.Elems); i += 2 {
			entry[e.Elems[i].Str] = e.Elems[i+1]
		}
		args := entry["args"].Elems
		switch {
		case len(entry) != 9 || len(args) == 0:
			t.Errorf("PROXY SLOWLOG has the entry %+v", e)
		case args[0].Str == "get" && (entry["parts"].Int != 1 || entry["node"].Str == "" || entry["node-usec"].Int > entry["total-usec"].Int):
			t.Errorf("PROXY SLOWLOG says of GET %+v", e)
		case args[0].Str == "MGET" && entry["parts"].Int != 3:
			t.Errorf("PROXY SLOWLOG says of MGET %+v", e)
		}
	}
	if len(detail.Elems) == 0 {
		t.Error("PROXY SLOWLOG is empty")
	}
	ids := int64(math.MaxInt64)
	for _, e := range d.Do("SLOWLOG", "GET", "-1").Elems {
		if e.Elems[0].Int >= ids {
			t.Errorf("id %d behind %d", e.Elems[0].Int, ids)
		}
		ids = e.Elems[0].Int
	}
	r.Do("CONFIG", "SET", "slowlog-log-slower-than", "10000")
}

// busyFor is a script that keeps its node busy for so many seconds. Since Redis 7.2 the clock of TIME stands still in a
// script, and before there was no os.clock.
func busyFor(seconds string) string {
	return `local ok, clock = pcall(function() return os.clock end)
		if not ok then clock = function() local t = redis.call('TIME') return t[1] + t[2] / 1000000 end end
		local begun = clock() repeat until clock() - begun > ` + seconds + ` return 'done'`
}

// TestOnlySlowRequestsAreLogged: with the default only what takes 10 ms.
func TestOnlySlowRequestsAreLogged(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.SlowerThan = 100 * time.Millisecond
	d := proxytest.Connect(t, start(t, cfg).Addr)
	if v := d.Do("EVAL", busyFor("0.15"), "1", "any"); v.Str != "done" {
		t.Fatalf("EVAL: %+v", v)
	}
	d.Do("GET", "quick")
	d.Do("CONFIG", "SET", "slowlog-log-slower-than", "-1") // on a late machine what asks for the log would get into it
	v := d.Do("SLOWLOG", "GET")
	if n := d.Do("SLOWLOG", "LEN").Int; n != int64(len(v.Elems)) {
		t.Errorf("SLOWLOG LEN says %d, SLOWLOG GET has %d", n, len(v.Elems))
	}
	found := 0
	for i, args := range slowArgs(v) {
		if took := v.Elems[i].Elems[2].Int; took < 100_000 {
			t.Errorf("%s took %d µs", args, took)
		}
		if strings.HasPrefix(args, "EVAL local ok") {
			found++
		}
	}
	if found != 1 {
		t.Errorf("the slow script is in the log %d times: %v", found, slowArgs(v))
	}
}
