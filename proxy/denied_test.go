package proxy_test

import (
	"strconv"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
)

// deniedLines are requests that are denied by default, with the flag's words that allow them.
var deniedLines = []struct{ line, flag string }{
	{"SHUTDOWN", "shutdown"}, {"SHUTDOWN NOSAVE", "shutdown"}, {"FAILOVER", "failover"},
	{"REPLICAOF NO ONE", "replicaof"}, {"SLAVEOF NO ONE", "slaveof"},
	{"SAVE", "save"}, {"BGSAVE", "bgsave"}, {"BGSAVE SCHEDULE", "bgsave"}, {"BGREWRITEAOF", "bgrewriteaof"},
	{"DEBUG SLEEP 100", "debug"}, {"DEBUG SEGFAULT", "debug"}, {"debug object k", "debug"}, {"DEBUG HELP", "debug"},
	{"MODULE LOAD x", "module|load"}, {"MODULE LOADEX x", "module|loadex"}, {"MODULE UNLOAD x", "module|unload"},
	{"PFDEBUG GETREG k", "pfdebug"}, {"PFSELFTEST", "pfselftest"},
	{"CLUSTER ADDSLOTS 1", "cluster|addslots"}, {"CLUSTER ADDSLOTSRANGE 1 2", "cluster|addslotsrange"},
	{"CLUSTER DELSLOTS 1", "cluster|delslots"}, {"CLUSTER DELSLOTSRANGE 1 2", "cluster|delslotsrange"},
	{"CLUSTER FLUSHSLOTS", "cluster|flushslots"}, {"CLUSTER FAILOVER", "cluster|failover"}, {"CLUSTER FORGET x", "cluster|forget"},
	{"CLUSTER MEET 127.0.0.1 1", "cluster|meet"}, {"CLUSTER REPLICATE x", "cluster|replicate"}, {"CLUSTER RESET HARD", "cluster|reset"},
	{"CLUSTER SAVECONFIG", "cluster|saveconfig"}, {"CLUSTER SET-CONFIG-EPOCH 9", "cluster|set-config-epoch"},
	{"CLUSTER SETSLOT 1 STABLE", "cluster|setslot"},
}

// unpassableLines are requests that nothing allows.
var unpassableLines = []string{"SYNC", "PSYNC ? -1", "REPLCONF", "REPLCONF ACK 1"}

func TestDeniedByDefault(t *testing.T) {
	d := connect(t)
	for _, tt := range deniedLines {
		v := d.Do(strings.Fields(tt.line)...)
		if v.Kind != '-' || !strings.HasPrefix(v.Str, "ERR '"+tt.flag+"' command not allowed: ") ||
			!strings.HasSuffix(v.Str, "The proxy's -admin-commands="+tt.flag+" allows it") {
			t.Errorf("%s: %+v", tt.line, v)
		}
	}
}

func TestUnpassable(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.AdminCommands = []string{"all", "sync", "psync"}
	d := proxytest.Connect(t, start(t, cfg).Addr)
	for _, line := range unpassableLines {
		if v := d.Do(strings.Fields(line)...); v.Kind != '-' || !strings.Contains(v.Str, "' command not allowed: it makes its connection a replica's") {
			t.Errorf("%s: %+v", line, v)
		}
	}
}

// TestAllowedByFlag: with -admin-commands=all each denied request reaches nodes. They refuse it, for the user may not do
// anything dangerous, and would have done it else.
func TestAllowedByFlag(t *testing.T) {
	for _, n := range cluster.Get(t).Nodes() {
		if err := n.Client().Do(t.Context(), "ACL", "SETUSER", "rig", "on", ">rig", "~*", "&*", "+@all", "-@dangerous").Err(); err != nil {
			t.Fatal(err)
		}
	}
	cfg := proxytest.Config{}
	cfg.Proxy.AdminCommands = []string{"all"}
	d := proxytest.Connect(t, start(t, cfg).Addr)
	if v := d.Do("AUTH", "rig", "rig"); v.Str != "OK" {
		t.Fatalf("AUTH: %+v", v)
	}
	for _, tt := range deniedLines {
		want := "NOPERM this user has no permissions to run the '" + tt.flag + "' command"
		if strings.HasPrefix(tt.flag, "module|") { // a server looks at its redis.conf first
			want = "ERR MODULE command not allowed. If the enable-module-command option is set to"
		}
		if v := d.Do(strings.Fields(tt.line)...); v.Kind != '-' || !strings.HasPrefix(v.Str, want) {
			t.Errorf("%s: %+v, want %s", tt.line, v, want)
		}
	}
}

// TestAllowedAlone: a name allows what it names and no more.
func TestAllowedAlone(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.AdminCommands = []string{"DEBUG|sleep", "debug|object", "pfselftest", "cluster"}
	d := proxytest.Connect(t, start(t, cfg).Addr)
	for line, want := range map[string]string{
		"DEBUG SLEEP 0": "OK", "debug sleep 0": "OK", "PFSELFTEST": "OK", "CLUSTER SAVECONFIG": "OK",
		"DEBUG OBJECT nosuch":      "ERR no such key",
		"DEBUG JMAP":               "ERR 'debug' command not allowed: ",
		"BGSAVE":                   "ERR 'bgsave' command not allowed: ",
		"PFDEBUG GETREG k":         "ERR 'pfdebug' command not allowed: ",
		"CLUSTER ADDSLOTS 0":       "ERR Slot 0 is already busy",
		"CLUSTER REPLICATE nosuch": "ERR Unknown node nosuch",
	} {
		if v := d.Do(strings.Fields(line)...); !strings.HasPrefix(v.Str, want) {
			t.Errorf("%s: %+v, want %s", line, v, want)
		}
	}
}

// TestAdminCommandsReachEveryPrimary shows by their effect that they do, each node once.
func TestAdminCommandsReachEveryPrimary(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.AdminCommands = []string{"all"}
	for _, hello := range []string{"2", "3"} {
		d := proxytest.Connect(t, start(t, cfg).Addr)
		d.Do("HELLO", hello)
		d.Do("FLUSHALL")
		empty := d.Do("DEBUG", "DIGEST").Str
		for i := range 30 {
			d.Do("SET", "admin:"+strings.Repeat("x", i), "v")
		}
		full := d.Do("DEBUG", "DIGEST").Str
		if len(empty) != 40 || len(full) != 40 || empty == full {
			t.Errorf("DEBUG DIGEST says %q and %q", empty, full)
		}
		if v := d.Do("DEBUG", "OBJECT", "admin:"); !strings.Contains(v.Str, "encoding:embstr") {
			t.Errorf("DEBUG OBJECT says %+v", v)
		}
		for _, line := range []string{"DEBUG SET-ACTIVE-EXPIRE 0", "DEBUG RELOAD", "DEBUG SET-ACTIVE-EXPIRE 1", "DEBUG SLEEP 0.01"} {
			if v := d.Do(strings.Fields(line)...); v.Str != "OK" {
				t.Errorf("%s: %+v", line, v)
			}
		}
		before := calls(t, "pfselftest")
		if v := d.Do("PFSELFTEST"); v.Str != "OK" {
			t.Errorf("PFSELFTEST: %+v", v)
		}
		for addr, n := range calls(t, "pfselftest") {
			if n != before[addr]+1 {
				t.Errorf("%s was asked %d times", addr, n-before[addr])
			}
		}
		if v := d.Do("DEBUG", "DIGEST"); v.Str != full {
			t.Errorf("DEBUG DIGEST says %+v, and %q before", v, full)
		}
	}
}

// calls returns how often each primary of the shared cluster was asked for a command.
func calls(t *testing.T, name string) map[string]int {
	t.Helper()
	n := make(map[string]int)
	for _, node := range cluster.Get(t).Primaries() {
		info, err := node.Client().Info(t.Context(), "commandstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		n[node.Addr] = 0
		if _, rest, ok := strings.Cut(info, "cmdstat_"+name+":calls="); ok {
			count, _, _ := strings.Cut(rest, ",")
			if n[node.Addr], err = strconv.Atoi(count); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(n) != 3 {
		t.Fatalf("the cluster has the primaries %v", n)
	}
	return n
}
