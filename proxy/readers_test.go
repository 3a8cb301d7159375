package proxy_test

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// storeLarge sets a key to a value of so many bytes and returns the reply to GET.
func storeLarge(t *testing.T, d *proxytest.Dialog, key string, size int) string {
	t.Helper()
	value := strings.Repeat("v", size)
	if v := d.Do("SET", key, value); v.Str != "OK" {
		t.Fatalf("SET: %+v", v)
	}
	return string(resp.AppendBulkString(nil, value))
}

// TestClientThatHalfClosesGetsItsReplies is printf | nc: bytes and FIN at once, for one command and for many.
func TestClientThatHalfClosesGetsItsReplies(t *testing.T) {
	p := start(t, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	storeLarge(t, d, "half", 100)
	want := string(resp.AppendBulkString(nil, strings.Repeat("v", 100)))
	for i := range 300 {
		n := []int{1, 2, 50, 1000}[i%4]
		d := proxytest.Connect(t, p.Addr)
		d.Say(strings.Repeat("GET half\r\n", n))
		if err := d.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got := d.Rest(); got != strings.Repeat(want, n) {
			t.Fatalf("round %d: %d bytes of replies to %d commands, want %d", i, len(got), n, n*len(want))
		}
		d.Close()
	}
	// Replies that the socket does not take at once.
	reply := storeLarge(t, d, "half", 64<<10)
	d.Say(strings.Repeat("GET half\r\n", 1000))
	if err := d.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if got := d.Hear(); got != reply {
			t.Fatalf("reply %d has %d bytes", i, len(got))
		}
	}
	d.WantClosed()
	eventually(t, "no client is left", func() bool { return p.Server.Clients() == 0 })
}

// TestSlowReaderIsClosedAtItsLimit, and others do not notice.
func TestSlowReaderIsClosedAtItsLimit(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.MaxOutputBytes = 4 << 20
	p := start(t, cfg)
	other := proxytest.Connect(t, p.Addr)
	reply := storeLarge(t, other, "slow", 64<<10)

	slow := proxytest.Connect(t, p.Addr)
	if err := slow.NetConn().(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the slow reader is accepted", func() bool { return p.Server.Clients() == 2 })
	slow.Say(strings.Repeat("GET slow\r\n", 5000))
	served := 0
	eventually(t, "the slow reader is closed", func() bool {
		if got := other.Ask("GET slow\r\n"); got != reply {
			t.Fatalf("another client got %d bytes", len(got))
		}
		served++
		return p.Server.Clients() == 1
	})
	if served == 0 {
		t.Error("nobody else was served meanwhile")
	}
	rest, err := slow.ReadRest()
	if len(rest) >= 1024*len(reply) || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the slow reader got %d bytes and %v", len(rest), err)
	}
}

// TestSlowReaderWithoutLimitWaits: it is not read from until it reads, and then gets all it asked for.
func TestSlowReaderWithoutLimitWaits(t *testing.T) {
	p := start(t, proxytest.Config{})
	slow, other := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	reply := storeLarge(t, other, "slow", 64<<10)
	before := heap()
	const n = 3000
	slow.Say(strings.Repeat("GET slow\r\n", n))
	for range 200 {
		if got := other.Ask("GET slow\r\n"); got != reply {
			t.Fatalf("another client got %d bytes", len(got))
		}
	}
	if grown := heap() - before; grown > 1200*len(reply) { // 1024 requests are let in at a time
		t.Errorf("a client that does not read takes %d MiB", grown>>20)
	}
	for i := range n {
		if got := slow.Hear(); got != reply {
			t.Fatalf("reply %d has %d bytes", i, len(got))
		}
	}
	if v := slow.Do("PING"); v.Str != "PONG" {
		t.Errorf("PING: %+v", v)
	}
}

// TestCrashingClientsLeaveNothing: RST in the middle of a command, of replies, of a large value.
func TestCrashingClientsLeaveNothing(t *testing.T) {
	p := start(t, proxytest.Config{})
	other := proxytest.Connect(t, p.Addr)
	storeLarge(t, other, "crash", 64<<10)
	for i := range 200 {
		c, err := proxytest.Dial(p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		input := []string{
			"", "*2\r\n$3\r\nGET\r\n", "GET crash\r\nGET crash\r\n", strings.Repeat("GET crash\r\n", 300),
			"*3\r\n$3\r\nSET\r\n$5\r\ncrash\r\n$10000000\r\n" + strings.Repeat("x", 1<<20), "HELLO 3 AUTH default x\r\nGET crash\r\n",
			commands("MGET a b c d crash", "BLPOP x 0", "PING"),
		}[i%7]
		if err := c.Send([]byte(input)); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 && i%7 > 1 && i%7 != 4 { // some get a reply first
			if _, err := c.ReadRaw(); err != nil {
				t.Fatal(err)
			}
		}
		c.Reset()
		if v := other.Do("STRLEN", "crash"); v.Int != 64<<10 {
			t.Fatalf("another client: %+v", v)
		}
	}
	eventually(t, "they are gone", func() bool { return p.Server.Clients() == 1 })
}
