package proxy_test

import (
	"testing"

	"redis-cluster-proxy/internal/proxytest"
)

func TestHelloIsThatOfRedis(t *testing.T) {
	tw := startTwins(t)
	for _, lines := range [][]string{
		{"HELLO"}, {"HELLO 2"}, {"HELLO 3"}, {"hello 3"},
		{"HELLO 1"}, {"HELLO 4"}, {"HELLO 0"}, {"HELLO -3"}, {"HELLO x"}, {"HELLO 3x"},
		{"HELLO 3 NOSUCH"}, {"HELLO 3 NOSUCH x"}, {"HELLO 3 AUTH"}, {"HELLO 3 AUTH default"}, {"HELLO 3 SETNAME"},
		{"HELLO 3 SETNAME me", "CLIENT GETNAME"}, {"HELLO 3 SETNAME m\ne", "CLIENT GETNAME", "GET none"},
		{"HELLO 3 SETNAME me NOSUCH", "CLIENT GETNAME"}, {"HELLO 2 SETNAME a SETNAME b", "CLIENT GETNAME"},
		{"HELLO 3 AUTH default any SETNAME me", "CLIENT GETNAME"}, {"HELLO 3 setname me auth default any", "CLIENT GETNAME"},
		{"HELLO 3 AUTH nobody x", "GET none"}, {"HELLO 3 AUTH nobody x SETNAME me", "CLIENT GETNAME"},
		{"HELLO 3 SETNAME me AUTH nobody x", "CLIENT GETNAME"}, {"HELLO 3 AUTH nobody x NOSUCH"},
		{"HELLO SETNAME me"}, {`HELLO 3 SETNAME ""`, "CLIENT GETNAME"},
		{"HELLO 3", "HELLO", "HELLO 2", "HELLO"},
		{"AUTH any"}, {"AUTH default any"}, {"AUTH nobody any"}, {"AUTH"}, {"AUTH a b c"}, {`AUTH ""`},
		{"HELLO 3", "AUTH any", "AUTH default any", "AUTH nobody any", "AUTH a b c"},
		{"HELLO 3", "RESET", "GET none"},
	} {
		tw.alike(t, commands(lines...))
		tw.alike(t, commands("SET hello x", "GET hello", "GET none")+commands(lines...)+commands("GET hello", "GET none", "HELLO 3", "GET none"))
	}
}

// TestProtocolSwitchesAtItsPlace: each reply is in the protocol that was the session's when its command came, whatever else is
// in the pipeline and under way.
func TestProtocolSwitchesAtItsPlace(t *testing.T) {
	tw := startTwins(t)
	keys := commands("HSET at:h a 1", "ZADD at:z 1.5 m", "SADD at:s 1")
	ask := commands("HGETALL at:h", "ZSCORE at:z m", "SMEMBERS at:s", "GET at:none", "CONFIG GET databases", "CLIENT GETNAME",
		"MGET at:none at:z at:1 at:2", "ZRANGE at:z 0 -1 WITHSCORES", "BLPOP", "EVAL x", "NOSUCH")
	var pipeline string
	for range 20 {
		pipeline += ask + commands("HELLO 3") + ask + commands("HELLO 2") + ask + commands("HELLO 3") + ask + commands("RESET") + ask +
			commands("HELLO 7") + ask + commands("HELLO 3 SETNAME me AUTH default x") + ask + commands("HELLO 2 AUTH nobody x") + ask +
			commands("AUTH nobody x") + ask + commands("AUTH default x") + ask + commands("HELLO 2")
	}
	tw.alike(t, keys+pipeline)

	// The same, one byte at a time, so that each command arrives alone.
	tw.flush(t)
	short := keys + ask + commands("HELLO 3") + ask + commands("RESET") + ask
	d := proxytest.Connect(t, tw.proxy.Addr)
	for i := range len(short) {
		d.Say(short[i : i+1])
	}
	if err := d.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got := clientID.ReplaceAllString(d.Rest(), "${1}:ID\r\n")
	if want := converse(t, tw.plain.Addr, short); got != want {
		t.Errorf("byte by byte:\n proxy says %q\n redis says %q", got, want)
	}
}
