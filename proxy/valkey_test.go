package proxy_test

import (
	"strconv"
	"strings"
	"testing"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/internal/proxytest"
)

// startAsValkey runs a proxy that takes its cluster for one of Valkey 9.1.
func startAsValkey(t *testing.T) *proxytest.Proxy {
	t.Helper()
	cfg := proxytest.Config{}
	cfg.Proxy.SlowerThan = -1 // nothing is slow, however late the machine is
	p := start(t, cfg)
	p.Server.SetServerVersion("valkey 9.1.2")
	p.Server.SetModules([]any{[]any{"name", "lua", "ver", int64(1), "path", "lua", "args", []any{}}})
	p.Server.SetTable(p.Server.Table().Overlay([]command.Info{
		{Name: "multi", Arity: 1, Flags: []string{"noscript", "fast", "no_multi"}},
		{Name: "commandlog", Arity: -2, Subs: []command.Info{
			{Name: "commandlog|get", Arity: 4, Flags: []string{"admin"}},
			{Name: "commandlog|len", Arity: 3, Flags: []string{"admin"}, Tips: []string{"request_policy:all_nodes", "response_policy:agg_sum"}},
			{Name: "commandlog|reset", Arity: 3, Flags: []string{"admin"}},
		}},
		{Name: "client", Arity: -2, Subs: []command.Info{
			{Name: "client|capa", Arity: -3}, {Name: "client|import-source", Arity: 3}, {Name: "client|list", Arity: -2},
			{Name: "client|info", Arity: 2}, {Name: "client|kill", Arity: -3}, {Name: "client|setname", Arity: 3},
			{Name: "client|setinfo", Arity: 4}, {Name: "client|id", Arity: 2},
		}},
	}))
	return p
}

// TestHelloNamesTheServers and their modules.
func TestHelloNamesTheServers(t *testing.T) {
	p := startAsValkey(t)
	d := proxytest.Connect(t, p.Addr)
	for proto, want := range map[string]string{
		"2": "server|$6|valkey|$7|version|$5|9.1.2|$5|proto|:2|$2|id|:1|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*1|*8|$4|name|$3|lua|$3|ver|:1|$4|path|$3|lua|$4|args|*0|",
		"3": "server|$6|valkey|$7|version|$5|9.1.2|$5|proto|:3|$2|id|:1|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*1|%4|$4|name|$3|lua|$3|ver|:1|$4|path|$3|lua|$4|args|*0|",
	} {
		d.Say("HELLO " + proto + "\r\n")
		if got := strings.ReplaceAll(d.Hear(), "\r\n", "|"); !strings.HasSuffix(got, want) {
			t.Errorf("HELLO %s: %s", proto, got)
		}
	}
	p.Server.SetServerVersion("7.2.5")
	p.Server.SetModules(nil)
	d.Say("HELLO 2\r\n")
	if got := strings.ReplaceAll(d.Hear(), "\r\n", "|"); !strings.HasPrefix(got, "*14|$6|server|$5|redis|$7|version|$5|7.2.5|") || !strings.HasSuffix(got, "modules|*0|") {
		t.Errorf("HELLO of Redis: %s", got)
	}
}

// TestClientListOfValkey has Valkey's fields and knows its filters.
func TestClientListOfValkey(t *testing.T) {
	p := startAsValkey(t)
	one, two := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	for _, args := range [][]string{{"CLIENT", "SETNAME", "one"}, {"CLIENT", "SETINFO", "LIB-NAME", "lib"}, {"CLIENT", "CAPA", "redirect", "other"}} {
		if v := one.Do(args...); v.Str != "OK" {
			t.Fatalf("%q: %+v", args, v)
		}
	}
	id := strconv.FormatInt(one.Do("CLIENT", "ID").Int, 10)
	who := map[string]string{id: "one", strconv.FormatInt(two.Do("CLIENT", "ID").Int, 10): "two"}
	two.Do("MULTI")
	names, _ := clientLines(t, one.Do("CLIENT", "INFO"))
	if got := strings.Join(names, " "); !strings.Contains(got, " flags capa db ") || !strings.HasSuffix(got, "lib-name lib-ver tot-net-in tot-net-out tot-cmds") {
		t.Errorf("the fields are %s", got)
	}
	for args, want := range map[string]string{
		"NAME one": "one", "NAME": "error", "NAME two": "", "NOT-NAME one": "two", "NAME one NOT-NAME one": "", "NOT-NAME x": "one two",
		"LIB-NAME lib": "one", "NOT-LIB-NAME lib": "two", "LIB-VER 1": "", "IP 127.0.0.1": "one two", "NOT-IP 127.0.0.1": "", "DB 0": "one two", "NOT-DB 0": "",
		"FLAGS x": "two", "FLAGS N": "one", "NOT-FLAGS x": "one", "FLAGS Nx": "", "CAPA r": "one", "NOT-CAPA r": "two", "IDLE 1000": "", "MAXAGE 1000": "",
		"ID " + id: "one", "ID " + id + " ID 77777": "one", "NOT-ID " + id + " 77777": "two", "NOT-TYPE normal": "", "TYPE primary": "", "NOT-USER default": "",
		"NOT-ADDR 1.2.3.4:5 NOT-LADDR " + p.Addr: "", "USER default": "one two", "USER nobody": "error",
		"FLAGS Q": "error", "CAPA x": "error", "DB 1": "error", "DB x": "error", "IDLE 0": "error", "ID 0": "error", "ID x": "error", "NOT-SKIPME yes": "error",
	} {
		v := one.Do(append([]string{"CLIENT", "LIST"}, strings.Fields(args)...)...)
		var got []string
		switch {
		case v.Kind == '-':
			got = []string{"error"}
		case v.Str != "":
			_, lines := clientLines(t, v)
			for _, line := range lines {
				got = append(got, who[line["id"]])
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("CLIENT LIST %s lists %q, want %q", args, got, want)
		}
	}
	if v := one.Do("CLIENT", "KILL", "FLAGS", "x", "NOT-NAME", "one"); v.Int != 1 {
		t.Errorf("CLIENT KILL FLAGS x: %+v", v)
	}
	two.WantClosed()
}

// TestCommandsOfValkey that the proxy answers itself: not where the servers do not know them.
func TestCommandsOfValkey(t *testing.T) {
	p := startAsValkey(t)
	d := proxytest.Connect(t, p.Addr)
	var told []string
	for _, line := range []string{
		"CLIENT CAPA redirect", "CLIENT IMPORT-SOURCE OFF", "CLIENT IMPORT-SOURCE ON", "COMMANDLOG RESET slow", "COMMANDLOG LEN slow", "COMMANDLOG GET -1 slow",
		"COMMANDLOG GET -2 slow", "MULTI", "MULTI", "EXEC",
	} {
		told = append(told, talk(d, line)...)
	}
	want := []string{
		"+OK\r\n", "+OK\r\n", "-ERR Server is not in import mode\r\n", "+OK\r\n", ":0\r\n", "*0\r\n", "-ERR count should be greater than or equal to -1\r\n",
		"+OK\r\n", "-ERR Command 'multi' not allowed inside a transaction\r\n", execAbort,
	}
	for i := range want {
		if told[i] != want[i] {
			t.Errorf("reply %d is %q, want %q", i, told[i], want[i])
		}
	}
	plain := connect(t)
	for _, line := range []string{"CLIENT CAPA redirect", "COMMANDLOG LEN slow"} {
		if got := talk(plain, line)[0]; !strings.HasPrefix(got, "-ERR unknown ") {
			t.Errorf("%s of Redis 7.0: %q", line, got)
		}
	}
}
