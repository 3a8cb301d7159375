package proxy_test

import (
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// startBeforeFake runs a proxy in front of a fake cluster.
func startBeforeFake(t *testing.T, cfg proxytest.Config) (*redistest.FakeCluster, *proxytest.Proxy) {
	t.Helper()
	c := redistest.StartFakeCluster(t)
	cfg.Seeds = c.Addrs()
	return c, proxytest.Start(t, cfg)
}

// askSilentNode has a client wait for a node that does not answer.
func askSilentNode(t *testing.T) (p *proxytest.Proxy, d *proxytest.Dialog, silent *redistest.FakeNode) {
	t.Helper()
	c, p := startBeforeFake(t, proxytest.Config{})
	silent = c.Node(1)
	silent.HoldReplies()
	t.Cleanup(silent.ReleaseReplies)
	d = proxytest.Connect(t, p.Addr)
	d.Say("DBSIZE\r\n")
	eventually(t, "the question", func() bool { return silent.Executed("dbsize") > 0 })
	return p, d, silent
}

// TestHangUpEndsWhatIsWaitedFor: nothing goes on for a client that is gone.
func TestHangUpEndsWhatIsWaitedFor(t *testing.T) {
	p, d, silent := askSilentNode(t)
	if n := p.Server.Clients(); n != 1 {
		t.Fatalf("%d clients", n)
	}
	d.Close()
	eventually(t, "the session's end", func() bool { return p.Server.Clients() == 0 })
	eventually(t, "the end of its connection", func() bool { return p.Pool.Node(silent.Addr).InFlight() == 0 })
}

// TestShutdownEndsWhatIsWaitedFor when the time for it is over.
func TestShutdownEndsWhatIsWaitedFor(t *testing.T) {
	p, d, _ := askSilentNode(t)
	p.Close()
	d.WantClosed()
}

// TestHalfClosedClientGetsItsReply: one that sends its commands, shuts down its side and reads, as netcat does.
func TestHalfClosedClientGetsItsReply(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	slow := c.Node(1)
	slow.Delay(50 * time.Millisecond) // longer than it takes to notice
	d := proxytest.Connect(t, p.Addr)
	d.Say("DBSIZE\r\nDBSIZE\r\nPING\r\n")
	if err := d.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := d.Rest(); got != ":0\r\n:0\r\n+PONG\r\n" {
		t.Errorf("%q", got)
	}
}

// TestAsideKeepsTheOrder: what comes behind waits, whatever it is, and the silent get no reply.
func TestAsideKeepsTheOrder(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	silent := c.Node(1)
	silent.HoldReplies()
	d := proxytest.Connect(t, p.Addr)
	d.Say("PING\r\nDBSIZE\r\nPING 2\r\nSET {x}k v\r\nCLIENT REPLY SKIP\r\nDBSIZE\r\nDBSIZE\r\nPING 3\r\n")
	if got := d.Hear(); got != "+PONG\r\n" {
		t.Errorf("%q", got)
	}
	eventually(t, "the question", func() bool { return silent.Executed("dbsize") > 0 })
	if n := c.Executed("set"); n != 0 {
		t.Error("SET overtook DBSIZE")
	}
	silent.ReleaseReplies()
	for _, want := range []string{":0\r\n", "$1\r\n2\r\n", "+OK\r\n", ":1\r\n", "$1\r\n3\r\n"} {
		if got := d.Hear(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if n := silent.Executed("dbsize"); n != 3 {
		t.Errorf("DBSIZE was asked %d times", n)
	}
}
