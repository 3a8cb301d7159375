package proxy_test

import (
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// startLocked starts a proxy in front of the cluster that wants a password.
func startLocked(t *testing.T, cfg proxytest.Config) *proxytest.Proxy {
	t.Helper()
	cfg.Seeds, cfg.Password = lockedCluster.Get(t).Addrs(), password
	return proxytest.Start(t, cfg)
}

// startLockedTwins starts a proxy that wants AUTH beside a plain server that does.
func startLockedTwins(t *testing.T) twins {
	t.Helper()
	cfg := proxytest.Config{}
	cfg.Proxy.RequireAuth = true
	return twins{startLocked(t, cfg), lockedPlain.Get(t)}
}

func TestPasswordOfTheProxyServesAll(t *testing.T) {
	p := startLocked(t, proxytest.Config{})
	for _, hello := range []string{"2", "3"} {
		d := proxytest.Connect(t, p.Addr)
		d.Do("HELLO", hello)
		if v := d.Do("SET", "locked", hello); v.Str != "OK" {
			t.Errorf("SET: %+v", v)
		}
		if v := d.Do("GET", "locked"); v.Str != hello {
			t.Errorf("GET: %+v", v)
		}
	}
}

func TestWrongPasswordOfTheProxyIsTold(t *testing.T) {
	cfg := proxytest.Config{Seeds: lockedCluster.Get(t).Addrs(), Password: "wrong", Unready: true}
	cfg.Dispatcher.RedirectTimeout = 100 * time.Millisecond
	p := proxytest.Start(t, cfg)
	d := proxytest.Connect(t, p.Addr)
	if v := d.Do("PING"); v.Str != "PONG" {
		t.Errorf("PING: %+v", v)
	}
	if v := d.Do("GET", "x"); v.Kind != '-' || !strings.HasPrefix(v.Str, "CLUSTERDOWN ") {
		t.Errorf("GET: %+v", v)
	}
	if v := d.Do("AUTH", password); v.Kind != '-' || !strings.HasPrefix(v.Str, "CLUSTERDOWN ") {
		t.Errorf("AUTH: %+v", v)
	}
	if n := p.Dispatcher.Covered(); n != 0 {
		t.Errorf("%d slots are covered with a wrong password", n)
	}
}

// TestRequiredAuthIsThatOfRedis goes through the ways in, and those that are none.
func TestRequiredAuthIsThatOfRedis(t *testing.T) {
	tw := startLockedTwins(t)
	long := strings.Repeat("x", 16385)
	for _, lines := range [][]string{
		{"GET none"}, {"PING"}, {"ECHO x"}, {"CLIENT ID"}, {"CLIENT GETNAME"}, {"CLIENT SETNAME x"}, {"SELECT 0"}, {"INFO"}, {"TIME"},
		{"CONFIG GET databases"}, {"COMMAND COUNT"}, {"SUBSCRIBE x"}, {"MULTI"}, {"CLIENT REPLY OFF", "GET none"}, {"BLPOP none 0"},
		{"NOSUCH x"}, {"GET"}, {"CLIENT NOSUCH"}, {"MSET a"}, {"EVAL x"},
		{"QUIT"}, {"RESET", "GET none"},
		{"HELLO"}, {"HELLO 2"}, {"HELLO 3", "GET none"}, {"HELLO 4"}, {"HELLO x"}, {"HELLO 3 NOSUCH"},
		{"HELLO 3 SETNAME me", "GET none", "AUTH " + password, "CLIENT GETNAME"},
		{"AUTH wrong", "GET none"}, {"AUTH default wrong", "GET none"}, {"AUTH nobody " + password, "GET none"}, {`AUTH ""`, "GET none", "PING"},
		{`AUTH default ""`, "GET none", "PING"}, {`AUTH "" ""`, "PING"}, {`HELLO 3 AUTH default ""`, "PING"}, {"AUTH", "AUTH a b c", "PING"},
		{"AUTH " + password, "GET none", "PING", "HELLO", "HELLO 3", "GET none"},
		{"AUTH default " + password, "GET none", "PING"}, {"auth DEFAULT " + password, "PING"},
		{"HELLO 3 AUTH default " + password, "GET none", "HELLO 2", "GET none", "RESET", "GET none", "HELLO 3"},
		{"HELLO 3 AUTH default wrong", "GET none", "PING"}, {"HELLO 2 AUTH default " + password + " SETNAME me", "CLIENT GETNAME"},
		{"HELLO 3 AUTH default " + password + " NOSUCH", "GET none", "PING"},
		{"HELLO 3 AUTH default " + password + " SETNAME b\nd", "GET none", "CLIENT GETNAME"},
		{"HELLO 3 AUTH default wrong SETNAME b\nd", "GET none"},
		{"AUTH " + password, "GET none", "AUTH wrong", "GET none", "AUTH " + password, "GET none"},
		{"AUTH " + password, "RESET", "GET none", "AUTH " + password, "GET none"},
		{"GET none", "AUTH " + password, "GET none", "PING"},
		{"AUTH " + password, "PING " + long, "RESET", "PING"},
		{"AUTH " + password, "MGET 1 2 3 4 5 6 7 8 9 10 11", "RESET", "GET none"},
		{"AUTH " + strings.Repeat("x", 16384)}, {"AUTH " + long}, {"PING " + long, "PING"},
		{"MGET 1 2 3 4 5 6 7 8 9"}, {"MGET 1 2 3 4 5 6 7 8 9 10", "PING"},
		{"AUTH wrong", "MGET 1 2 3 4 5 6 7 8 9 10"}, {"HELLO 3 AUTH default wrong", "PING " + long},
	} {
		tw.alike(t, commands(lines...))
	}
	for _, input := range []string{
		"*11\r\n", "*10\r\n", "*2147483648\r\n", "*1\r\n$16385\r\n", "*1\r\n$16384\r\n", "*1\r\n$536870913\r\n", "*-5\r\n*1\r\n$-5\r\n",
		"PING " + long + "\r\n", "AUTH " + password + "\r\nPING\r\n", "GET none\r\n*11\r\n", "GET 1 2 3 4 5 6 7 8 9 10 11 12\r\n",
		commands("AUTH "+password) + "*11\r\n$4\r\nMGET\r\n", commands("AUTH "+password) + "*1\r\n$16385\r\nx",
		commands("AUTH "+password, "RESET") + "*11\r\n", "POST x\r\n",
	} {
		tw.alike(t, input)
	}
}

// setUser makes an ACL user known to all nodes of the locked cluster and to the plain server.
func setUser(t *testing.T, rules ...any) {
	t.Helper()
	servers := []*redistest.Server{lockedPlain.Get(t)}
	for _, n := range lockedCluster.Get(t).Nodes() {
		servers = append(servers, n.Server)
	}
	for _, s := range servers {
		if err := s.Client().Do(t.Context(), append([]any{"ACL", "SETUSER"}, rules...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUsersAreHeldToTheirRules: what a user may do is for Redis to say, in its words.
func TestUsersAreHeldToTheirRules(t *testing.T) {
	tw := startLockedTwins(t)
	setUser(t, "reader", "reset", "on", ">pw", "~app:*", "+@read", "+ping")
	setUser(t, "writer", "reset", "on", ">pw", "~app:*", "+@all")
	setUser(t, "gone", "reset", "off", ">pw", "~*", "+@all")
	ask := []string{"GET app:1", "SET app:1 x", "GET other", "MGET app:1 other", "MGET app:1 app:2 app:3", "DEL app:1", "EVAL x 0", "HGETALL app:none"}
	for _, login := range []string{
		"AUTH reader pw", "AUTH writer pw", "HELLO 3 AUTH reader pw", "HELLO 3 AUTH writer pw", "AUTH gone pw", "HELLO 3 AUTH gone pw",
		"AUTH reader wrong", "AUTH " + password,
	} {
		tw.alike(t, commands("AUTH "+password, "SET app:1 1", "RESET", login)+commands(ask...)+commands("AUTH writer pw", "GET app:1",
			"AUTH reader pw", "SET app:1 2", "RESET", "GET app:1"))
	}
}

// TestUsersDoNotShareConnections: many sessions of several users at a time, each held to its own rules.
func TestUsersDoNotShareConnections(t *testing.T) {
	p := startLocked(t, proxytest.Config{})
	setUser(t, "a", "reset", "on", ">pw", "~a:*", "+@all")
	setUser(t, "b", "reset", "on", ">pw", "~b:*", "+@all")
	var sessions []*proxytest.Dialog
	for i := range 12 {
		d := proxytest.Connect(t, p.Addr)
		d.Say(commands("HELLO "+"23"[i%2:i%2+1]+" AUTH "+"ab"[i/6:i/6+1]+" pw", "SET a:1 x", "SET b:1 x"))
		sessions = append(sessions, d)
	}
	for i, d := range sessions {
		d.Hear()
		for _, owner := range []int{0, 1} {
			got, want := d.Hear(), "+OK\r\n"
			if owner != i/6 {
				want = "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n"
			}
			if got != want {
				t.Errorf("session %d on keys of user %d: %q, want %q", i, owner, got, want)
			}
		}
	}
}

// TestAuthIsNotRequired: with the proxy's own password for those who do not AUTH, who does is himself.
func TestAuthIsNotRequired(t *testing.T) {
	p := startLocked(t, proxytest.Config{})
	setUser(t, "reader", "reset", "on", ">pw", "~app:*", "+@read", "+ping")
	d := proxytest.Connect(t, p.Addr)
	d.Say(commands("SET app:1 1", "AUTH reader wrong", "SET app:1 2", "AUTH reader pw", "SET app:1 3", "RESET", "SET app:1 4", "HELLO 3",
		"GET app:none", "QUIT"))
	want := "+OK\r\n-WRONGPASS invalid username-password pair or user is disabled.\r\n+OK\r\n+OK\r\n" +
		"-NOPERM this user has no permissions to run the 'set' command\r\n+RESET\r\n+OK\r\n"
	if got := d.Rest(); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "_\r\n+OK\r\n") {
		t.Errorf("said %q, want %q ...", got, want)
	}
}
