package proxy_test

import (
	"runtime"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// eventually waits until something is true.
var eventually = proxytest.Eventually

// heap returns how many bytes are in use, heap and stacks, once the garbage is gone and with it what pools keep.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

// TestAnnouncedLengthsReserveNothing: memory is for bytes that have come, not for those that were promised.
func TestAnnouncedLengthsReserveNothing(t *testing.T) {
	p := start(t, proxytest.Config{})
	const clients = 200
	before := heap()
	var sessions []*proxytest.Dialog
	for i := range clients {
		d := proxytest.Connect(t, p.Addr)
		d.Say([]string{
			"*1000000\r\n", "*2147483647\r\n", "*1000000\r\n$1\r\n", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nx", "*1\r\n$536870912\r\n",
		}[i%5])
		sessions = append(sessions, d)
	}
	eventually(t, "all bytes are read", func() bool { return p.Server.Clients() == clients })
	// A client that is served after them shows that they were looked at.
	if v := proxytest.Connect(t, p.Addr).Do("PING"); v.Str != "PONG" {
		t.Errorf("PING: %+v", v)
	}
	if grown := heap() - before; grown > clients*(128<<10) {
		t.Errorf("%d clients that announced much and sent little take %d KiB", clients, grown>>10)
	}
	for _, d := range sessions {
		d.Close()
	}
	eventually(t, "the clients are gone", func() bool { return p.Server.Clients() == 1 })
	if grown := heap() - before; grown > clients*(32<<10) {
		t.Errorf("%d KiB stay behind %d clients", grown>>10, clients)
	}
}

// TestArgumentsOfAnyNumberArrive: a million arguments, announced at once and sent in pieces.
func TestArgumentsOfAnyNumberArrive(t *testing.T) {
	d := connect(t)
	const n = 1_000_000
	var b []byte
	b = resp.AppendArrayHeader(b, n+1)
	b = resp.AppendBulkString(b, "EXISTS")
	for range n {
		b = resp.AppendBulkString(b, "none")
	}
	for len(b) > 0 {
		piece := b[:min(len(b), 1<<20-7)]
		d.Say(string(piece))
		b = b[len(piece):]
	}
	if got := d.Hear(); got != ":0\r\n" {
		t.Errorf("EXISTS of %d keys says %q", n, got)
	}
}

// TestLargeValues go both ways, whole and in pieces of odd lengths, and other requests behind them.
func TestLargeValues(t *testing.T) {
	p := start(t, proxytest.Config{})
	for _, size := range []int{8 << 10, 16<<10 - 1, 64 << 10, 1<<20 - 3, 1 << 20, 3 << 20, 64 << 20} {
		d := proxytest.Connect(t, p.Addr)
		const part = "0123456789abcdef\r\n+OK\r\n$-1\r\n\x00\xff"
		value := strings.Repeat(part, size/len(part)+1)[:size]
		d.Say(commands("PING", "SET large "+value, "STRLEN large", "GET large", "ECHO behind", "DEL large", "GET large"))
		for i, want := range []string{"+PONG\r\n", "+OK\r\n", string(resp.AppendInt(nil, int64(size))), string(resp.AppendBulkString(nil, value)),
			"$6\r\nbehind\r\n", ":1\r\n", "$-1\r\n"} {
			if got := d.Hear(); got != want {
				t.Fatalf("%d bytes: reply %d has %d bytes, want %d: %.50q", size, i, len(got), len(want), got)
			}
		}
		if size > 1<<20 {
			continue
		}
		set := commands("SET large " + value)
		for _, at := range []int{1, 30, 31, 32, 33, len(set) / 2, len(set) - 3, len(set) - 1} {
			d.Say(set[:at])
			d.Say(set[at:])
			if got := d.Hear(); got != "+OK\r\n" {
				t.Fatalf("%d bytes cut at %d: %q", size, at, got)
			}
		}
		if got := d.Do("ECHO", value); got.Str != value {
			t.Errorf("ECHO of %d bytes says %d", size, len(got.Str))
		}
	}
}

func TestArgumentPastTheConfiguredLimit(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.MaxBulkBytes = 1 << 20
	p := start(t, cfg)
	d := proxytest.Connect(t, p.Addr)
	if v := d.Do("ECHO", strings.Repeat("x", 1<<20)); len(v.Str) != 1<<20 {
		t.Errorf("the longest argument: %.100v", v)
	}
	d.Say("*2\r\n$4\r\nECHO\r\n$1048577\r\n")
	if got := d.Rest(); got != "-ERR Protocol error: invalid bulk length\r\n" {
		t.Errorf("one byte more: %q", got)
	}
}

func TestMaxClients(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.MaxClients = 3
	p := start(t, cfg)
	var sessions []*proxytest.Dialog
	for range 3 {
		d := proxytest.Connect(t, p.Addr)
		d.Do("PING")
		sessions = append(sessions, d)
	}
	for range 3 {
		if got := proxytest.Connect(t, p.Addr).Rest(); got != "-ERR max number of clients reached\r\n" {
			t.Errorf("one client too many: %q", got)
		}
	}
	if v := sessions[0].Do("SET", "max", "1"); v.Str != "OK" {
		t.Errorf("a client that was there before: %+v", v)
	}
	sessions[1].Do("QUIT")
	eventually(t, "a client is gone", func() bool { return p.Server.Clients() == 2 })
	if v := proxytest.Connect(t, p.Addr).Do("GET", "max"); v.Str != "1" {
		t.Errorf("the next client: %+v", v)
	}
}

// TestIdleClientsTakeLittleMemory is a loose bound: the tests' own ends of the connections are in it, and those of -race.
func TestIdleClientsTakeLittleMemory(t *testing.T) {
	p := start(t, proxytest.Config{})
	const clients = 2000
	proxytest.Connect(t, p.Addr).Do("PING") // what there is once
	before := heap()
	sessions := make([]*proxytest.Client, clients)
	for i := range sessions {
		c, err := proxytest.Dial(p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// Each has been busy: with a pipeline, and with a value that does not fit into the smallest buffer.
		if err := c.Send([]byte(commands("SET idle "+strings.Repeat("x", 20<<10), "GET idle", "MGET idle a b c", "PING"))); err != nil {
			t.Fatal(err)
		}
		sessions[i] = c
		for range 4 {
			if _, err := c.ReadRaw(); err != nil {
				t.Fatal(err)
			}
		}
		c.Forget()
	}
	perClient := (heap() - before) / clients
	t.Logf("%d bytes for each of %d idle clients, both ends", perClient, clients)
	if perClient > 24<<10 {
		t.Errorf("an idle client takes %d bytes", perClient)
	}
	for _, c := range sessions {
		c.Close()
	}
	eventually(t, "the clients are gone", func() bool { return p.Server.Clients() == 1 })
}

// TestIdleClientsKeepNoLargeBuffers: not even one that nobody uses any more.
func TestIdleClientsKeepNoLargeBuffers(t *testing.T) {
	p := start(t, proxytest.Config{})
	const clients = 50
	set := []byte(commands("SET large " + strings.Repeat("x", 256<<10)))
	before := heap()
	for range clients {
		c, err := proxytest.Dial(p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Send(set); err != nil {
			t.Fatal(err)
		}
		if _, err := c.ReadRaw(); err != nil {
			t.Fatal(err)
		}
		heap() // the pools are emptied, so that the next client gets a buffer of its own
	}
	if grown := heap() - before; grown > clients*(64<<10) {
		t.Errorf("%d idle clients that sent 256 KiB take %d KiB", clients, grown>>10)
	}
}
