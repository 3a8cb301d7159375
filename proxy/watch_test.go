package proxy_test

import (
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// nilOf is what EXEC says that has aborted.
var nilOf = map[string]string{"2": "*-1\r\n", "3": "_\r\n"}

func TestWatchNoticesAWriterOfAnotherProxy(t *testing.T) {
	d, other := connect(t), connect(t)
	for proto, aborted := range nilOf {
		d.Do("HELLO", proto)
		wantLast(t, talk(d, "SET {w}k 1", "WATCH {w}k", "GET {w}k"), "$1\r\n1\r\n")
		other.Do("SET", "{w}k", "2")
		wantLast(t, talk(d, "MULTI", "SET {w}k 3", "EXEC"), aborted)
		wantLast(t, talk(d, "GET {w}k"), "$1\r\n2\r\n")
		wantLast(t, talk(d, "WATCH {w}k", "MULTI", "INCR {w}k", "EXEC"), "*1\r\n:3\r\n")
	}
}

// TestWatchBeginsBeforeWhatFollows in one pipeline.
func TestWatchBeginsBeforeWhatFollows(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	for _, n := range c.Nodes() {
		n.HoldReplies()
	}
	d := proxytest.Connect(t, p.Addr)
	d.Say("WATCH {w}k\r\nSET {w}k v\r\nMULTI\r\nGET {w}k\r\nEXEC\r\n")
	eventually(t, "WATCH is executed", func() bool { return c.Executed("watch") == 1 })
	if c.Executed("set") > 0 {
		t.Error("SET has overtaken WATCH")
	}
	for _, n := range c.Nodes() {
		n.ReleaseReplies()
	}
	for _, want := range []string{"+OK\r\n", "+OK\r\n", "+OK\r\n", "+QUEUED\r\n", "*-1\r\n"} {
		if got := d.Hear(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestExecAbortsWithoutItsGuard: the connection that watches is lost, before and after MULTI.
func TestExecAbortsWithoutItsGuard(t *testing.T) {
	for _, before := range []bool{true, false} {
		c, p := startBeforeFake(t, proxytest.Config{})
		owner := c.OwnerOf(redistest.Slot("{w}"))
		d := proxytest.Connect(t, p.Addr)
		cut := func() {
			owner.CutConns()
			eventually(t, "the loss is noticed", func() bool { return p.Pool.Node(owner.Addr).Stats().Connected == 0 })
		}
		d.Do("WATCH", "{w}k")
		if before {
			cut()
			d.Do("WATCH", "{w}l")
		}
		d.Do("MULTI")
		d.Do("SET", "{w}k", "v")
		if !before {
			cut()
		}
		wantLast(t, talk(d, "EXEC"), "*-1\r\n")
		if n := c.Executed("set"); n != 0 {
			t.Errorf("executed %d times without a guard", n)
		}
		wantLast(t, talk(d, "MULTI", "SET {w}k v", "EXEC"), "*1\r\n+OK\r\n")
		wantLast(t, talk(d, "WATCH {w}k", "MULTI", "SET {w}k v", "EXEC"), "*1\r\n+OK\r\n")
	}
}

// TestWatchedExecIsNeverSentTwice: the connection is lost with EXEC under way.
func TestWatchedExecIsNeverSentTwice(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	d.Do("WATCH", "{w}k")
	c.OwnerOf(redistest.Slot("{w}")).Intercept(func(r redistest.Request) redistest.Verdict {
		return redistest.Verdict{CutAfter: strings.EqualFold(r.Args[0], "exec")}
	})
	got := talk(d, "MULTI", "INCR {w}k", "EXEC")
	if !strings.HasPrefix(got[2], "-UNKNOWNRESULT ") || c.Executed("incr") != 1 {
		t.Errorf("%q, executed %d times", got, c.Executed("incr"))
	}
}

// TestExecAbortsWhenTheKeyHasMoved: whether the transaction has the key, or not and the key comes into being elsewhere.
func TestExecAbortsWhenTheKeyHasMoved(t *testing.T) {
	for _, queued := range []string{"SET {w}k v", "SET {w}other v", "PING"} {
		c, p := startBeforeFake(t, proxytest.Config{})
		slot := redistest.Slot("{w}")
		from := c.OwnerOf(slot)
		to := c.Primaries()[0]
		if to == from {
			to = c.Primaries()[1]
		}
		d := proxytest.Connect(t, p.Addr)
		wantLast(t, talk(d, "SET {w}other v", "WATCH {w}k", "MULTI", queued), "+QUEUED\r\n")
		c.BeginMigrate(slot, to)
		wantLast(t, talk(proxytest.Connect(t, p.Addr), "SET {w}k elsewhere"), "+OK\r\n")
		wantLast(t, talk(d, "EXEC"), "*-1\r\n")
		// A WATCH of a key that is still to come there is at the new node.
		wantLast(t, talk(d, "WATCH {w}k", "MULTI", "APPEND {w}k x", "EXEC"), "*1\r\n:10\r\n")
		c.MigrateKeys(slot, 10)
		c.EndMigrate(slot)
		wantLast(t, talk(d, "WATCH {w}k", "MULTI", "GET {w}k", "EXEC"), "*1\r\n$10\r\nelsewherex\r\n")
	}
}

// TestWatchOfAnotherProfile goes on: the node's connection becomes the one that the client has become.
func TestWatchOfAnotherProfile(t *testing.T) {
	d := connect(t)
	wantLast(t, talk(d, "DEL {w}k", "WATCH {w}k", "HELLO 3", "MULTI", "SET {w}k v", "GET {w}none", "EXEC"), "*2\r\n+OK\r\n_\r\n")
	wantLast(t, talk(d, "WATCH {w}k", "HELLO 2", "SET {w}k w", "WATCH {w}l", "MULTI", "SET {w}k v", "EXEC"), "*-1\r\n")
}

// TestWatchLeavesNothingBehind: connections that watched serve others, and those of clients that left are closed.
func TestWatchLeavesNothingBehind(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	owner := c.OwnerOf(redistest.Slot("{w}"))
	d := proxytest.Connect(t, p.Addr)
	wantLast(t, talk(d, "SET {w}k v", "WATCH {w}k", "MULTI", "GET {w}k", "EXEC"), "*1\r\n$1\r\nv\r\n")
	stats := p.Pool.Node(owner.Addr).Stats // of what is not the topology's
	before := stats()
	for _, lines := range [][]string{
		{"WATCH {w}k", "SET {w}k v", "UNWATCH"}, {"WATCH {w}k", "SET {w}k v", "MULTI", "DISCARD"}, {"WATCH {w}k", "MULTI", "GET {w}k", "EXEC"},
	} {
		talk(d, lines...)
		if s := stats(); s.Connected != before.Connected || s.Connects != before.Connects {
			t.Errorf("%q: %d connections and %d made, %d and %d before", lines, s.Connected, s.Connects, before.Connected, before.Connects)
		}
	}
	leaver := proxytest.Connect(t, p.Addr)
	talk(leaver, "WATCH {w}k")
	leaver.Close()
	eventually(t, "its connection is closed", func() bool { return stats().Connected < before.Connected })
}
