package proxy_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/proxy"
)

// held is a proxy in front of a fake cluster that holds back the reply to a GET.
type held struct {
	proxy   *proxytest.Proxy
	cluster *redistest.FakeCluster
	node    *redistest.FakeNode // owns the key "held"
}

func startHeld(t *testing.T) *held {
	t.Helper()
	c := redistest.StartFakeCluster(t)
	h := &held{cluster: c, node: c.OwnerOf(redistest.Slot("held"))}
	h.node.Put("held", "v")
	h.proxy = proxytest.Start(t, proxytest.Config{Seeds: c.Addrs()})
	return h
}

// hold sends the input, which begins with GET held, and waits until the node has it.
func (h *held) hold(t *testing.T, d *proxytest.Dialog, input string) {
	t.Helper()
	h.node.HoldReplies()
	t.Cleanup(h.node.ReleaseReplies)
	before := h.node.Executed("get")
	d.Say(input)
	eventually(t, "the node has the command", func() bool { return h.node.Executed("get") > before })
}

// shutDown begins a shutdown and returns what it will return.
func shutDown(p *proxytest.Proxy, timeout time.Duration) <-chan error {
	result := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		result <- p.Shutdown(ctx)
	}()
	return result
}

func TestShutdownLetsRequestsInFlightAnswer(t *testing.T) {
	h := startHeld(t)
	idle, fresh, busy := proxytest.Connect(t, h.proxy.Addr), proxytest.Connect(t, h.proxy.Addr), proxytest.Connect(t, h.proxy.Addr)
	idle.Do("PING")
	h.hold(t, busy, commands("GET held", "PING", "NOSUCH", "MGET held a b"))
	done := shutDown(h.proxy, proxytest.Patience)

	idle.WantClosed()
	fresh.WantClosed()
	if nc, err := net.Dial("tcp", h.proxy.Addr); err == nil {
		nc.Close()
		t.Error("a client could connect during the shutdown")
	}
	h.proxy.Server.Clients()            // which waits until the shutdown has told all of them
	busy.Say(commands("SET held late")) // not in flight when the shutdown began
	select {
	case err := <-done:
		t.Fatalf("Shutdown returned %v with a request in flight", err)
	default:
	}
	h.node.ReleaseReplies()
	want := "$1\r\nv\r\n+PONG\r\n-ERR unknown command 'NOSUCH', with args beginning with: \r\n*3\r\n$1\r\nv\r\n$-1\r\n$-1\r\n"
	// The late command may be unread when the proxy closes, which then is a RST.
	if got, err := busy.ReadRest(); string(got) != want || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client in flight got %q and %v, want %q", got, err, want)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if v, _ := h.node.Get("held"); v != "v" {
		t.Errorf("what came during the shutdown was executed: %q", v)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.proxy.Server.Serve(ln); !errors.Is(err, proxy.ErrServerClosed) {
		t.Errorf("Serve after Shutdown: %v", err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("Serve after Shutdown left the listener open")
	}
}

func TestShutdownDoesNotOutliveItsTime(t *testing.T) {
	h := startHeld(t)
	busy := proxytest.Connect(t, h.proxy.Addr)
	h.hold(t, busy, commands("GET held", "PING"))
	if err := <-shutDown(h.proxy, 50*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	busy.WantClosed()
	if n := h.proxy.Server.Clients(); n != 0 {
		t.Errorf("%d clients after Shutdown", n)
	}
}

// TestShutdownWritesWhatAClientHasYetToRead: replies that the socket did not take are replies in flight.
func TestShutdownWritesWhatAClientHasYetToRead(t *testing.T) {
	p := start(t, proxytest.Config{})
	slow := proxytest.Connect(t, p.Addr)
	reply := storeLarge(t, slow, "drain", 1<<20)
	const n = 30
	slow.Say(strings.Repeat("GET drain\r\n", n) + "PING\r\n")
	if got := slow.Hear(); got != reply { // all have been read, or wait for this one to be
		t.Fatalf("%d bytes", len(got))
	}
	done := shutDown(p, proxytest.Patience)
	eventually(t, "nobody can connect", func() bool {
		nc, err := net.Dial("tcp", p.Addr)
		if err == nil {
			nc.Close()
		}
		return err != nil
	})
	rest := slow.Rest()
	whole := len(rest) / len(reply)
	if tail := rest[whole*len(reply):]; rest[:whole*len(reply)] != strings.Repeat(reply, whole) || tail != "" && tail != "+PONG\r\n" {
		t.Errorf("%d bytes of which the last are %.100q", len(rest), tail)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestSwitchesWaitForWhatIsUnderWay: what changes the session's profile takes effect behind a request that takes its time.
func TestSwitchesWaitForWhatIsUnderWay(t *testing.T) {
	h := startHeld(t)
	for _, tt := range []struct{ command, replies string }{
		{"HELLO 3", "_\r\n"},
		{"HELLO 3 AUTH default x", "_\r\n"},
		{"HELLO 2 AUTH default x", "$-1\r\n"},
		{"AUTH default x", "$-1\r\n"},
		{"AUTH nobody x", "$-1\r\n"},
		{"RESET", "$-1\r\n"},
		{"PING", "$-1\r\n"},
	} {
		d := proxytest.Connect(t, h.proxy.Addr)
		h.hold(t, d, commands("GET held", tt.command, "GET none", "ECHO x", "GET held", "QUIT"))
		h.node.ReleaseReplies()
		first, second := d.Hear(), d.Hear()
		if rest := d.Rest(); first != "$1\r\nv\r\n" || second[0] == '$' || rest != tt.replies+"$1\r\nx\r\n$1\r\nv\r\n+OK\r\n" {
			t.Errorf("GET, %s: %q, %q, %q", tt.command, first, second, rest)
		}
	}
}

// fakeConns returns how many connections the fake nodes have.
func fakeConns(c *redistest.FakeCluster) (conns int) {
	for _, n := range c.Nodes() {
		conns += n.Conns()
	}
	return conns
}

// TestNothingRunsAfterClose closes a proxy with sessions in every state.
func TestNothingRunsAfterClose(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	node := c.OwnerOf(redistest.Slot("held"))
	before := goleak.IgnoreCurrent()
	p := proxytest.Start(t, proxytest.Config{Seeds: c.Addrs()})
	h := &held{proxy: p, cluster: c, node: node}
	var sessions []*proxytest.Dialog
	for _, input := range []string{"", "PING\r\n", "*3\r\n$3\r\nSET\r\n", "SET a b\r\nGET a\r\n", "CLIENT REPLY OFF\r\n", "QUIT\r\n"} {
		d := proxytest.Connect(t, p.Addr)
		d.Say(input)
		sessions = append(sessions, d)
	}
	for _, behind := range []string{"GET held", "HELLO 3", "AUTH x", "SET a b"} {
		d := proxytest.Connect(t, p.Addr)
		h.hold(t, d, commands("GET held", behind))
		sessions = append(sessions, d)
		if behind != "SET a b" {
			node.ReleaseReplies()
		}
	}
	p.Close()
	node.ReleaseReplies()
	for _, d := range sessions {
		d.Close()
	}
	eventually(t, "the fake nodes have noticed", func() bool { return fakeConns(c) == 0 })
	if err := goleak.Find(append(proxytest.Lasting, before)...); err != nil {
		t.Error(err)
	}
}

// TestNoVerificationOutlivesTheServer, not even one that waits for a node that stands still.
func TestNoVerificationOutlivesTheServer(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	before := goleak.IgnoreCurrent()
	p := proxytest.Start(t, proxytest.Config{Seeds: c.Addrs(), ConnectTimeout: proxytest.Patience, ReloadInterval: time.Hour})
	for _, n := range c.Nodes() {
		n.Pause()
		t.Cleanup(n.Resume)
	}
	had := fakeConns(c)
	waits, left := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	waits.Say(commands("AUTH default x", "PING"))
	left.Say(commands("HELLO 3 AUTH default x"))
	eventually(t, "nodes are asked", func() bool { return fakeConns(c) >= had+2 })
	if err := left.Reset(); err != nil {
		t.Fatal(err)
	}
	p.Close()
	waits.WantClosed()
	waits.Close()
	for _, n := range c.Nodes() {
		n.Resume()
	}
	eventually(t, "the fake nodes have noticed", func() bool { return fakeConns(c) == 0 })
	if err := goleak.Find(append(proxytest.Lasting, before)...); err != nil {
		t.Error(err)
	}
}
