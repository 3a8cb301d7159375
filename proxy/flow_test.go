package proxy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// fill gives a node of a fake cluster so many keys of 1,000 bytes.
func fill(n *redistest.FakeNode, keys int) {
	for i := range keys {
		n.Put(fmt.Sprintf("%01000d", i), "")
	}
}

// TestLongReplyBreaksOff: a node that is lost in the middle of a reply that is passed on already takes the client with it, and
// nobody else.
func TestLongReplyBreaksOff(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	other := proxytest.Connect(t, p.Addr)
	for i := range c.Primaries() {
		c.Node(i).Put(fmt.Sprintf("one-of-node-%d", i), "")
	}
	fill(c.Node(1), 8000)
	c.Node(1).CutAfterReplyBytes(4 << 20)
	d := proxytest.Connect(t, p.Addr)
	d.Say("KEYS *\r\nPING\r\n")
	if got := d.Rest(); !strings.HasPrefix(got, "*8003\r\n") || strings.Contains(got, "PONG") || len(got) < 1<<20 || len(got) > 5<<20 {
		t.Errorf("%d bytes: %.60q", len(got), got)
	}
	if got := other.Do("KEYS", "*"); len(got.Elems) != 8003 {
		t.Errorf("somebody else gets %d keys, %.100q", len(got.Elems), got.Str)
	}
	eventually(t, "the session's end", func() bool { return p.Server.Clients() == 1 })
}

// TestShortReplyIsAskedAgain: one that breaks off before anything of it was passed on costs time only.
func TestShortReplyIsAskedAgain(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	fill(c.Node(1), 100)
	c.Node(1).CutAfterReplyBytes(50_000)
	d := proxytest.Connect(t, p.Addr)
	if got := d.Do("KEYS", "*"); len(got.Elems) != 100 {
		t.Errorf("%d keys, %.100q", len(got.Elems), got.Str)
	}
	if n := c.Node(1).Executed("keys"); n != 2 {
		t.Errorf("KEYS was asked %d times", n)
	}
}

// TestLongReplyToNobody: the silent get nothing of it.
func TestLongReplyToNobody(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	fill(c.Node(1), 2000)
	d := proxytest.Connect(t, p.Addr)
	d.Say("CLIENT REPLY SKIP\r\nKEYS *\r\nPING\r\n")
	if got := d.Hear(); got != "+PONG\r\n" {
		t.Errorf("%.100q", got)
	}
}

// TestHalfClosedClientGetsItsLongReply as long as it reads.
func TestHalfClosedClientGetsItsLongReply(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	fill(c.Node(1), 5000)
	d := proxytest.Connect(t, p.Addr)
	d.Say("KEYS *\r\nPING\r\n")
	if err := d.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := d.Rest(); !strings.HasPrefix(got, "*5000\r\n") || !strings.HasSuffix(got, "+PONG\r\n") {
		t.Errorf("%d bytes: %.60q", len(got), got)
	}
}

// TestNodeThatStalls: -request-timeout ends the wait for the rest of a reply, and with it the session.
func TestNodeThatStalls(t *testing.T) {
	c := lonely.Get(t)
	n := c.Primaries()[0]
	defer n.Client().FlushAll(t.Context())
	const keys = 300_000
	if err := n.Client().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := n.Client().Do(t.Context(), "DEBUG", "POPULATE", keys, strings.Repeat("x", 100), 1).Err(); err != nil {
		t.Fatal(err)
	}
	cfg := proxytest.Config{Seeds: c.Addrs()}
	cfg.Backend.RequestTimeout = 4 * time.Second // in which a node at work must begin to answer
	p := proxytest.Start(t, cfg)
	d := proxytest.Connect(t, p.Addr)
	d.Say("KEYS *\r\n")
	if got, err := d.ReadN(9); err != nil || string(got) != "*300000\r\n" {
		t.Fatalf("the header is %q, %v", got, err)
	}
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	rest := d.Rest()
	if err := n.Cont(); err != nil {
		t.Fatal(err)
	}
	if len(rest) == 0 || len(rest) > keys*110 {
		t.Errorf("%d bytes came", len(rest))
	}
	eventually(t, "the end of the question", func() bool { return p.Pool.Node(n.Addr).InFlight() == 0 })
}
