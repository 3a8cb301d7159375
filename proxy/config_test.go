package proxy_test

import (
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// configOf reads CONFIG GET.
func configOf(t *testing.T, d *proxytest.Dialog, patterns ...string) map[string]string {
	t.Helper()
	v := d.Do(append([]string{"CONFIG", "GET"}, patterns...)...)
	if v.Kind != '*' && v.Kind != '%' {
		t.Fatalf("CONFIG GET %q says %+v", patterns, v)
	}
	values := map[string]string{}
	for i := 0; i+1 < len(v.Elems); i += 2 {
		if name := v.Elems[i].Str; values[name] != "" {
			t.Errorf("CONFIG GET %q names %s twice", patterns, name)
		}
		values[v.Elems[i].Str] = v.Elems[i+1].Str
	}
	return values
}

// TestConfigGetHasTheNamesOfRedis, the proxy's own and the servers'.
func TestConfigGetHasTheNamesOfRedis(t *testing.T) {
	p := start(t, proxytest.Config{})
	d, r := proxytest.Connect(t, p.Addr), proxytest.Connect(t, plain.Get(t).Addr)
	for _, patterns := range [][]string{
		{"*"}, {"max*"}, {"MAX*"}, {"[m-n]axclient?"}, {"maxclients", "max*"}, {"*slow*", "time[^x]ut"}, {`max\memory*`}, {"max{memory,clients}"},
		{"maxmemory", "TimeOut", "nosuch"}, {"*-len"}, {"nosuch*"}, {"port"}, {"databases", "save", "appendonly"},
	} {
		for _, hello := range []string{"2", "3"} {
			d.Do("HELLO", hello)
			r.Do("HELLO", hello)
			got, want := configOf(t, d, patterns...), configOf(t, r, patterns...)
			for name := range want {
				if _, ok := got[name]; !ok {
					t.Errorf("CONFIG GET %q lacks %s", patterns, name)
				}
			}
			for name := range got {
				if _, ok := want[name]; !ok {
					t.Errorf("CONFIG GET %q has %s, too", patterns, name)
				}
			}
		}
	}
	_, port, _ := strings.Cut(p.Addr, ":")
	if got := configOf(t, d, "*"); got["port"] != port || got["databases"] != "1" || got["maxmemory-policy"] != "noeviction" {
		t.Errorf("port %s, databases %s, maxmemory-policy %s", got["port"], got["databases"], got["maxmemory-policy"])
	}
}

func TestConfigSetSaysWhatRedisSays(t *testing.T) {
	tw := startTwins(t)
	tw.inBothProtocols(t, []string{
		"CONFIG SET timeout x", "CONFIG SET timeout -1", "CONFIG SET timeout 99999999999", "CONFIG SET maxclients x", "CONFIG SET maxclients -1x",
		"CONFIG SET maxclients 4294967296999", "CONFIG SET timeout 1 TIMEOUT 2", "CONFIG SET nosuch 1", "CONFIG SET timeout 1 nosuch 2",
		"CONFIG SET timeout", "CONFIG SET timeout 1 x", "CONFIG SET databases 3", "CONFIG SET proto-max-bulk-len 1", "CONFIG SET proto-max-bulk-len 2x",
		"CONFIG SET proto-max-bulk-len -1", "CONFIG SET slowlog-log-slower-than -2", "CONFIG SET slowlog-log-slower-than x",
		"CONFIG SET slowlog-max-len -1", "CONFIG SET slowlog-max-len 1.5", "CONFIG SET client-output-buffer-limit x",
		"CONFIG SET maxmemory-samples x", "CONFIG SET maxmemory-samples 0", "CONFIG SET maxmemory-samples 5 nosuch 1", "CONFIG SET maxmemory-samples 5",
		"CONFIG SET slowlog-max-len 128", "CONFIG SET slowlog-max-len 128 maxmemory-samples 5",
	})
	for _, limit := range []string{"", "normal 1 1 1 x", "foo 1 1 1", "normal x 1 1", "normal 1 1 x", "normal 1 1", "normal -1 0 0", "normal 0 0 0"} {
		tw.alike(t, string(resp.AppendCommand(nil, "CONFIG", "SET", "client-output-buffer-limit", limit)))
	}
}

// TestConfigSetChangesTheProxy and no node, and sets at every node what is theirs.
func TestConfigSetChangesTheProxy(t *testing.T) {
	p := start(t, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	nodes := cluster.Get(t).Nodes()
	atNode := func(i int, name string) string {
		return nodes[i].Client().ConfigGet(t.Context(), name).Val()[name]
	}
	before := atNode(0, "maxclients")
	if got := d.Ask(commands("CONFIG SET maxclients 2 maxmemory-samples 7 slowlog-max-len 5")); got != "+OK\r\n" {
		t.Fatalf("CONFIG SET: %q", got)
	}
	if got := configOf(t, d, "maxclients", "maxmemory-samples", "slowlog-max-len"); got["maxclients"] != "2" || got["maxmemory-samples"] != "7" || got["slowlog-max-len"] != "5" {
		t.Errorf("CONFIG GET: %v", got)
	}
	for i := range nodes {
		if m, s, l := atNode(i, "maxclients"), atNode(i, "maxmemory-samples"), atNode(i, "slowlog-max-len"); m != before || s != "7" || l != "128" {
			t.Errorf("node %d has maxclients %s, maxmemory-samples %s, slowlog-max-len %s", i, m, s, l)
		}
	}
	// Nothing is changed if one is wrong, be it the proxy's or the nodes'.
	for _, line := range []string{"CONFIG SET maxmemory-samples 3 timeout x", "CONFIG SET timeout 77 maxmemory-samples x"} {
		if got := d.Ask(commands(line)); got[0] != '-' {
			t.Errorf("%s: %q", line, got)
		}
	}
	if got := configOf(t, d, "maxmemory-samples", "timeout"); got["maxmemory-samples"] != "7" || got["timeout"] != "0" {
		t.Errorf("after faults: %v", got)
	}
	d.Do("CONFIG", "SET", "maxmemory-samples", "5")

	proxytest.Connect(t, p.Addr).Do("PING")
	third := proxytest.Connect(t, p.Addr)
	if got := third.Rest(); got != "-ERR max number of clients reached\r\n" {
		t.Errorf("a third client hears %q", got)
	}
	d.Do("CONFIG", "SET", "maxclients", "3")
	if v := proxytest.Connect(t, p.Addr).Do("PING"); v.Str != "PONG" {
		t.Errorf("a third client after the change: %+v", v)
	}
}

// TestLimitsChangeForThoseWhoAreThere.
func TestLimitsChangeForThoseWhoAreThere(t *testing.T) {
	p := start(t, proxytest.Config{})
	d, big := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	big.Do("PING")
	d.Do("CONFIG", "SET", "proto-max-bulk-len", "1mb")
	if v := big.Do("ECHO", strings.Repeat("x", 1<<20)); len(v.Str) != 1<<20 {
		t.Errorf("1 MiB: %.100q", v.Str)
	}
	// Only the header: the proxy closes, and what it has not read would make that a reset.
	if got := big.Ask("*2\r\n$4\r\nECHO\r\n$1048577\r\n"); got != "-ERR Protocol error: invalid bulk length\r\n" {
		t.Errorf("more than 1 MiB: %q", got)
	}

	d.Do("SET", "large", strings.Repeat("x", 1<<20))
	d.Do("CONFIG", "SET", "client-output-buffer-limit", "normal 4mb 0 0")
	glutton := proxytest.Connect(t, p.Addr)
	glutton.Say(strings.Repeat("GET large\r\n", 100)) // at once: it is closed soon
	eventually(t, "who reads nothing is closed", func() bool { return p.Server.Clients() == 1 })
}

// closeIdle has a client closed because it is idle, and lifts the limit then.
func closeIdle(t *testing.T, p *proxytest.Proxy) {
	t.Helper()
	idle := proxytest.Connect(t, p.Addr)
	if v := idle.Do("CONFIG", "SET", "timeout", "1"); v.Str != "OK" {
		t.Fatalf("CONFIG SET: %+v", v)
	}
	idle.WantClosed()
	eventually(t, "the end of the limit", func() bool { // on a late machine whoever asks for it is idle himself
		v, err := pingOnce(p.Addr, "CONFIG", "SET", "timeout", "0")
		return err == nil && v.Str == "OK"
	})
}

// TestIdleTimeout is that of the configuration.
func TestIdleTimeout(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.IdleTimeout = time.Second
	begun := time.Now()
	proxytest.Connect(t, start(t, cfg).Addr).WantClosed()
	if took := time.Since(begun); took < time.Second {
		t.Errorf("closed after %v", took)
	}
}

// TestIdleClientsAreClosed once there is a timeout, and nobody who does something or waits for it.
func TestIdleClientsAreClosed(t *testing.T) {
	p := start(t, proxytest.Config{})
	idle, busy := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	begun := time.Now()
	idle.Do("PING")
	if v := busy.Do("CONFIG", "SET", "timeout", "2"); v.Str != "OK" {
		t.Fatalf("%+v", v)
	}
	for p.Server.Clients() == 2 && time.Since(begun) < proxytest.Patience {
		if v := busy.Do("PING"); v.Str != "PONG" {
			t.Fatalf("%+v", v)
		}
	}
	if took := time.Since(begun); took < 2*time.Second {
		t.Errorf("closed after %v", took)
	}
	idle.WantClosed()
}
