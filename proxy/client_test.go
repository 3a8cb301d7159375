package proxy_test

import (
	"strconv"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
)

func TestClientNameIsKeptAsByRedis(t *testing.T) {
	tw := startTwins(t)
	for _, lines := range [][]string{
		{"CLIENT SETNAME one", "CLIENT GETNAME", "CLIENT SETNAME two", "CLIENT GETNAME"},
		{"CLIENT SETNAME one", `CLIENT SETNAME ""`, "CLIENT GETNAME"},
		{"CLIENT SETNAME one", "CLIENT SETNAME b\nd", "CLIENT GETNAME"},
		{"CLIENT SETNAME one", "HELLO 3 SETNAME two", "CLIENT GETNAME", "HELLO 2", "CLIENT GETNAME"},
		{"CLIENT SETNAME one", "RESET", "CLIENT GETNAME"},
		{`CLIENT SETNAME one`, `HELLO 2 SETNAME ""`, "CLIENT GETNAME"},
	} {
		tw.alike(t, commands(lines...))
	}
}

// TestClientReplyIsThatOfRedis mutes local answers, forwarded commands, errors and splits.
func TestClientReplyIsThatOfRedis(t *testing.T) {
	tw := startTwins(t)
	for _, lines := range [][]string{
		{"CLIENT REPLY OFF", "PING", "SET muted 1", "MSET muted:a 1 muted:b 2", "NOSUCH", "CLIENT REPLY ON", "GET muted", "MGET muted:a muted:b"},
		{"CLIENT REPLY SKIP", "INCR skipped", "INCR skipped", "CLIENT REPLY SKIP", "PING", "INCR skipped"},
		{"CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "PING", "ECHO heard"},
		{"CLIENT REPLY SKIP", "CLIENT REPLY OFF", "PING", "CLIENT REPLY ON", "PING"},
		{"CLIENT REPLY OFF", "CLIENT REPLY SKIP", "CLIENT REPLY ON", "ECHO heard"},
		{"CLIENT REPLY SKIP", "CLIENT REPLY ON", "ECHO heard"},
		{"CLIENT REPLY SKIP", "CLIENT REPLY NONSENSE", "ECHO heard"},
		{"CLIENT REPLY OFF", "QUIT"},
		{"CLIENT REPLY SKIP", "QUIT"},
		{"CLIENT REPLY OFF", "RESET", "ECHO heard"},
		{"CLIENT REPLY SKIP", "RESET", "ECHO heard"},
		{"CLIENT REPLY SKIP", "HELLO 3", "ECHO heard", "GET none"},
		{"CLIENT REPLY SKIP", "GET none", "GET none", "CLIENT REPLY SKIP", "MGET a b c", "MGET a b c"},
		{"SET before 1", "CLIENT REPLY SKIP", "HELLO 3", "GET before", "CLIENT REPLY SKIP", "HELLO 9", "GET before"},
		{"SET before 1", "CLIENT REPLY SKIP", "AUTH x", "GET before"},
	} {
		tw.alike(t, commands(lines...))
		tw.alike(t, commands("SET before 0", "GET before")+commands(lines...)+commands("GET before"))
	}
}

func TestClientIDsAreUnique(t *testing.T) {
	p := start(t, proxytest.Config{})
	seen := map[int64]bool{}
	for range 5 {
		d := proxytest.Connect(t, p.Addr)
		first, again := d.Do("CLIENT", "ID"), d.Do("CLIENT", "ID")
		if first.Kind != ':' || first.Int <= 0 || seen[first.Int] || again.Int != first.Int {
			t.Errorf("ids %+v and %+v, seen before: %v", first, again, seen)
		}
		seen[first.Int] = true
	}
}

// clientInfo are the fields of the line that CLIENT INFO says.
func clientInfo(t *testing.T, d *proxytest.Dialog) map[string]string {
	t.Helper()
	v := d.Do("CLIENT", "INFO")
	if (v.Kind != '$' && v.Kind != '=') || !strings.HasSuffix(v.Str, "\n") {
		t.Fatalf("CLIENT INFO says %+v", v)
	}
	fields := map[string]string{}
	for _, f := range strings.Fields(v.Str) {
		name, value, _ := strings.Cut(f, "=")
		fields[name] = value
	}
	return fields
}

func TestClientInfo(t *testing.T) {
	p := start(t, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	id := d.Do("CLIENT", "ID").Int
	for _, args := range [][]string{
		{"CLIENT", "SETINFO", "lib-name", "some-lib"}, {"CLIENT", "SETINFO", "LIB-VER", "1.2.3"}, {"CLIENT", "SETNAME", "me"},
		{"CLIENT", "NO-EVICT", "ON"},
	} {
		if v := d.Do(args...); v.Str != "OK" {
			t.Errorf("%q: %+v", args, v)
		}
	}
	d.Do("HELLO", "3")
	got := clientInfo(t, d)
	for name, want := range map[string]string{
		"id": strconv.FormatInt(id, 10), "addr": d.NetConn().LocalAddr().String(), "laddr": p.Addr, "name": "me",
		"lib-name": "some-lib", "lib-ver": "1.2.3", "resp": "3", "user": "default", "db": "0", "cmd": "client|info", "flags": "e",
	} {
		if got[name] != want {
			t.Errorf("CLIENT INFO has %s=%s, want %s", name, got[name], want)
		}
	}
	// All the fields that Redis 7.0 has, by its own account.
	r := proxytest.Connect(t, plain.Get(t).Addr)
	for name := range clientInfo(t, r) {
		if _, ok := got[name]; !ok {
			t.Errorf("CLIENT INFO lacks %s", name)
		}
	}
	d.Do("RESET")
	if got := clientInfo(t, d); got["resp"] != "2" || got["name"] != "" || got["flags"] != "e" { // so in 7.0
		t.Errorf("after RESET CLIENT INFO says %v", got)
	}
}

// TestClientSetInfo: Redis 7.2 and later know it; this is their wording.
func TestClientSetInfo(t *testing.T) {
	d := connect(t)
	for _, tt := range []struct{ args, want string }{
		{"CLIENT SETINFO lib-name ok", "+OK\r\n"},
		{`CLIENT SETINFO lib-name ""`, "+OK\r\n"},
		{"CLIENT SETINFO lib-nam x", "-ERR Unrecognized option 'lib-nam'\r\n"},
		{"CLIENT SETINFO LIB-VER b\nd", "-ERR LIB-VER cannot contain spaces, newlines or special characters.\r\n"},
		{"CLIENT SETINFO", "-ERR wrong number of arguments for 'client|setinfo' command\r\n"},
		{"CLIENT SETINFO lib-name", "-ERR wrong number of arguments for 'client|setinfo' command\r\n"},
		{"CLIENT SETINFO lib-name a b", "-ERR wrong number of arguments for 'client|setinfo' command\r\n"},
		{"CLIENT NO-TOUCH ON", "-ERR unknown subcommand 'NO-TOUCH'. Try CLIENT HELP.\r\n"}, // it takes servers that know it
	} {
		if got := d.Ask(commands(tt.args)); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.args, got, tt.want)
		}
	}
}
