package proxy_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// clientLines are the lines of CLIENT LIST, field by field.
func clientLines(t *testing.T, v resp.Value) (names []string, lines []map[string]string) {
	t.Helper()
	if v.Kind != '$' && v.Kind != '=' {
		t.Fatalf("CLIENT LIST says %+v", v)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(v.Str, "\n"), "\n") {
		fields := map[string]string{}
		names = nil
		for f := range strings.SplitSeq(line, " ") {
			name, value, ok := strings.Cut(f, "=")
			if !ok {
				t.Errorf("the line %q has the field %q", line, f)
			}
			fields[name] = value
			names = append(names, name)
		}
		lines = append(lines, fields)
	}
	return names, lines
}

// TestClientListHasTheFieldsOfRedis, in its order. Behind them is what the proxy knows in any version.
func TestClientListHasTheFieldsOfRedis(t *testing.T) {
	d, r := connect(t), proxytest.Connect(t, plain.Get(t).Addr)
	for _, sub := range []string{"LIST", "INFO"} {
		got, _ := clientLines(t, d.Do("CLIENT", sub))
		want, _ := clientLines(t, r.Do("CLIENT", sub))
		if !slices.Equal(got, append(want, "lib-name", "lib-ver")) {
			t.Errorf("CLIENT %s\nof the proxy has %q\nof redis     has %q", sub, got, want)
		}
	}
}

func TestClientListTellsTheTruth(t *testing.T) {
	p := start(t, proxytest.Config{})
	one, two, three := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	one.Do("CLIENT", "SETNAME", "one")
	one.Do("CLIENT", "SETINFO", "LIB-NAME", "some")
	one.Do("CLIENT", "NO-EVICT", "ON")
	two.Do("HELLO", "3", "SETNAME", "two")
	two.Do("GET", "none")
	half := "*2\r\n$3\r\nGET\r\n$5\r\nab"
	three.Say("PING\r\n" + half)
	three.Hear()
	id := one.Do("CLIENT", "ID").Int
	var lines []map[string]string
	eventually(t, "half a command is in the list", func() bool {
		_, lines = clientLines(t, one.Do("CLIENT", "LIST"))
		return len(lines) == 3 && lines[2]["qbuf"] == strconv.Itoa(len(half)) && lines[2]["omem"] == "0" && lines[0]["idle"] == "0"
	})
	for i, want := range []map[string]string{
		{"id": strconv.FormatInt(id, 10), "name": "one", "addr": one.NetConn().LocalAddr().String(), "laddr": p.Addr, "resp": "2", "user": "default",
			"cmd": "client|list", "flags": "e", "lib-name": "some", "lib-ver": "", "qbuf": "26", "db": "0", "idle": "0"},
		{"id": strconv.FormatInt(id+1, 10), "name": "two", "addr": two.NetConn().LocalAddr().String(), "resp": "3", "cmd": "get", "flags": "N"},
		{"id": strconv.FormatInt(id+2, 10), "name": "", "cmd": "ping", "omem": "0"},
	} {
		for name, value := range want {
			if lines[i][name] != value {
				t.Errorf("client %d has %s=%s, want %s", i, name, lines[i][name], value)
			}
		}
		if fd, err := strconv.Atoi(lines[i]["fd"]); err != nil || fd < 3 && fd != -1 { // a Poller knows its sockets by other numbers
			t.Errorf("client %d has fd=%s", i, lines[i]["fd"])
		}
	}
	if _, lines := clientLines(t, one.Do("CLIENT", "LIST", "ID", strconv.FormatInt(id+2, 10), "77777", strconv.FormatInt(id, 10))); len(lines) != 2 || lines[0]["name"] != "one" {
		t.Errorf("two ids: %v", lines)
	}
	for args, want := range map[string]int{
		"TYPE normal": 3, "TYPE PUBSUB": 0, "USER default": 3, "USER nobody": 0, "ADDR " + two.NetConn().LocalAddr().String(): 1,
		"SKIPME yes": 2, "MAXAGE 100000": 0, "LADDR " + p.Addr + " SKIPME yes": 2, "ID 77777": 0,
	} {
		v := one.Do(append([]string{"CLIENT", "LIST"}, strings.Fields(args)...)...)
		if got := strings.Count(v.Str, "\n"); got != want || v.Kind != '$' {
			t.Errorf("CLIENT LIST %s: %+v, want %d", args, v, want)
		}
	}
}

// TestOptionsOfClientCommands: what Redis says to right and to wrong ones.
func TestOptionsOfClientCommands(t *testing.T) {
	startTwins(t).inBothProtocols(t, []string{
		"CLIENT LIST TYPE x", "CLIENT LIST ID x", "CLIENT LIST ID", "CLIENT LIST TYPE", "CLIENT LIST FOO", "CLIENT LIST TYPE normal x",
		"CLIENT LIST TYPE master", "CLIENT LIST TYPE replica", "CLIENT LIST TYPE slave", "CLIENT LIST TYPE pubsub", "CLIENT LIST ID 77777 88888",
		"CLIENT KILL", "CLIENT KILL a b", "CLIENT KILL ID 0", "CLIENT KILL ID x", "CLIENT KILL ID 77777", "CLIENT KILL TYPE x", "CLIENT KILL TYPE",
		"CLIENT KILL SKIPME maybe", "CLIENT KILL ID 77777 SKIPME no ADDR", "CLIENT KILL 1.2.3.4:5", `CLIENT KILL ""`, `CLIENT KILL ADDR ""`, `CLIENT KILL LADDR "" SKIPME no`,
		"CLIENT KILL ADDR 1.2.3.4:5",
		"CLIENT KILL LADDR 1.2.3.4:5", "CLIENT KILL TYPE master", "CLIENT KILL TYPE pubsub SKIPME no", "CLIENT KILL USER default ADDR 1.2.3.4:5", "CLIENT KILL USER nobody",
		"CLIENT UNBLOCK x", "CLIENT UNBLOCK 77777", "CLIENT UNBLOCK 77777 x", "CLIENT UNBLOCK x x", "CLIENT UNBLOCK 77777 ERROR x",
		"CLIENT UNBLOCK 77777 timeout", "CLIENT UNBLOCK 77777 ERROR", "CLIENT UNBLOCK",
		"CLIENT PAUSE x", "CLIENT PAUSE -1", "CLIENT PAUSE 1 x", "CLIENT PAUSE 1 ALL x", "CLIENT PAUSE", "CLIENT PAUSE 0",
		"CLIENT PAUSE 99999999999999999999", "CLIENT PAUSE 1.5", "CLIENT UNPAUSE", "CLIENT UNPAUSE x",
		"CLIENT TRACKINGINFO", "CLIENT TRACKINGINFO x", "CLIENT TRACKING OFF", "CLIENT TRACKING", "CLIENT TRACKING x",
		"CLIENT CACHING YES", "CLIENT CACHING x", "CLIENT CACHING", "CLIENT GETREDIR", "CLIENT GETREDIR x",
	})
}

// TestClientKillKillsWhomItSays and nobody else.
func TestClientKillKillsWhomItSays(t *testing.T) {
	p := start(t, proxytest.Config{})
	killer := proxytest.Connect(t, p.Addr)
	for _, tt := range []struct {
		args   string
		killed int64
		dies   []bool // of three others, of which the second is the victim
	}{
		{"ID <id>", 1, []bool{false, true, false}},
		{"ADDR <addr>", 1, []bool{false, true, false}},
		{"ADDR <addr> ID <id> TYPE normal USER default LADDR <laddr> SKIPME yes", 1, []bool{false, true, false}},
		{"ID <id> MAXAGE 100000", 0, []bool{false, false, false}},
		{"ID <id> TYPE pubsub", 0, []bool{false, false, false}},
		{"TYPE normal", 3, []bool{true, true, true}},
		{"LADDR <laddr>", 3, []bool{true, true, true}},
		{"USER default SKIPME yes", 3, []bool{true, true, true}},
	} {
		var others []*proxytest.Dialog
		for range 3 {
			d := proxytest.Connect(t, p.Addr)
			d.Do("SET", "kept", "1")
			others = append(others, d)
		}
		victim := others[1]
		id, addr := victim.Do("CLIENT", "ID").Int, victim.NetConn().LocalAddr().String()
		args := strings.Fields(strings.NewReplacer("<id>", strconv.FormatInt(id, 10), "<addr>", addr, "<laddr>", p.Addr).Replace(tt.args))
		if v := killer.Do(append([]string{"CLIENT", "KILL"}, args...)...); v.Kind != ':' || v.Int != tt.killed {
			t.Errorf("CLIENT KILL %q: %+v, want %d", args, v, tt.killed)
		}
		if _, lines := clientLines(t, killer.Do("CLIENT", "LIST")); len(lines) != 4-int(tt.killed) {
			t.Errorf("CLIENT KILL %q leaves %v", args, lines)
		}
		for i, d := range others {
			if tt.dies[i] {
				d.WantClosed()
			} else if v := d.Do("GET", "kept"); v.Str != "1" {
				t.Errorf("CLIENT KILL %q: client %d: %+v", args, i, v)
			}
			d.Close()
		}
		eventually(t, "they are gone", func() bool { return p.Server.Clients() == 1 })
	}
}

// TestClientKillsItself gets its reply first, and nothing after it is done.
func TestClientKillsItself(t *testing.T) {
	p := start(t, proxytest.Config{})
	watch := proxytest.Connect(t, p.Addr)
	watch.Do("SET", "suicide", "no")
	for _, tt := range []struct{ args, want string }{
		{"%[1]s", "+OK\r\n"}, {"ADDR %[1]s SKIPME no", ":1\r\n"}, {"ADDR %[1]s SKIPME yes", ":0\r\n"}, {"ADDR %[1]s", ":0\r\n"},
	} {
		d := proxytest.Connect(t, p.Addr)
		d.Say(commands("CLIENT KILL "+fmt.Sprintf(tt.args, d.NetConn().LocalAddr()), "SET suicide "+tt.want[1:2]))
		if got := d.Hear(); got != tt.want {
			t.Errorf("%s: %q", tt.args, got)
		}
		if tt.want == ":0\r\n" {
			if got := d.Hear(); got != "+OK\r\n" {
				t.Errorf("%s: %q", tt.args, got)
			}
			continue
		}
		d.WantClosed()
		if v := watch.Do("GET", "suicide"); v.Str != "no" {
			t.Errorf("%s: what was behind it was done: %+v", tt.args, v)
		}
	}
}

// TestClientCommandsNeedPermission: a user who may not kill at a node may not kill at the proxy.
func TestClientCommandsNeedPermission(t *testing.T) {
	cluster := lockedCluster.Get(t)
	for _, n := range cluster.Nodes() {
		if err := n.Client().Do(t.Context(), "ACL", "SETUSER", "small", "on", ">pw", "~*", "+@all", "-@dangerous", "+client|list").Err(); err != nil {
			t.Fatal(err)
		}
		defer n.Client().Do(context.Background(), "ACL", "DELUSER", "small")
	}
	p := startLocked(t, proxytest.Config{})
	d, full := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	if v := d.Do("AUTH", "small", "pw"); v.Str != "OK" {
		t.Fatalf("AUTH: %+v", v)
	}
	for _, line := range []string{
		"CLIENT KILL SKIPME yes", "CLIENT KILL " + full.NetConn().LocalAddr().String(), "CLIENT PAUSE 100000", "CLIENT UNPAUSE",
		"CONFIG SET maxclients 1", "CONFIG SET maxclients 1 maxmemory-samples 4", "CONFIG GET max*", "SLOWLOG GET", "SLOWLOG LEN", "SLOWLOG RESET",
	} {
		if got := d.Ask(commands(line)); !strings.HasPrefix(got, "-NOPERM ") {
			t.Errorf("%s: %q", line, got)
		}
	}
	if _, lines := clientLines(t, d.Do("CLIENT", "LIST")); len(lines) != 2 || lines[0]["user"] != "small" || lines[1]["user"] != "default" {
		t.Errorf("CLIENT LIST: %v", lines)
	}
	if v := full.Do("CLIENT", "KILL", "USER", "small"); v.Int != 1 {
		t.Errorf("CLIENT KILL: %+v", v)
	}
	d.WantClosed()
}
