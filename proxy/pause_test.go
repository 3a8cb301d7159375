package proxy_test

import (
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
)

// awaitHeld waits until the client whose connection d is is held back.
func awaitHeld(t *testing.T, watch, d *proxytest.Dialog) {
	t.Helper()
	eventually(t, "a client is held", func() bool {
		list := watch.Do("CLIENT", "LIST", "ADDR", d.NetConn().LocalAddr().String())
		if list.Str == "" { // the proxy has yet to accept the connection
			return false
		}
		_, lines := clientLines(t, list)
		return lines[0]["flags"] == "b" && lines[0]["cmd"] != "NULL"
	})
}

// TestPauseHoldsWritesAndNoReads, be they of one slot, split, fanned out, scripts or publications, until it ends.
func TestPauseHoldsWritesAndNoReads(t *testing.T) {
	p := start(t, proxytest.Config{})
	master, reader := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	for _, line := range []string{"SET paused 1", "MSET paused:a 1 paused:b 2", "DEL paused:a paused:b", "EVAL return 0", "FLUSHALL", "PFCOUNT none"} {
		reader.Do("SET", "paused", "0")
		if v := master.Do("CLIENT", "PAUSE", "100000", "WRITE"); v.Str != "OK" {
			t.Fatalf("PAUSE: %+v", v)
		}
		writer := proxytest.Connect(t, p.Addr)
		writer.Say(commands("GET paused", line, "ECHO behind"))
		if got := writer.Hear(); got != "$1\r\n0\r\n" {
			t.Errorf("a read before %s: %q", line, got)
		}
		awaitHeld(t, master, writer)
		if v := reader.Do("GET", "paused"); v.Str != "0" {
			t.Errorf("%s was done in a pause: GET says %+v", line, v)
		}
		if v := reader.Do("MGET", "paused", "none"); len(v.Elems) != 2 {
			t.Errorf("MGET in a pause: %+v", v)
		}
		if v := master.Do("CLIENT", "UNPAUSE"); v.Str != "OK" {
			t.Fatalf("UNPAUSE: %+v", v)
		}
		writer.Hear()
		if got := writer.Hear(); got != "$6\r\nbehind\r\n" {
			t.Errorf("behind %s: %q", line, got)
		}
		writer.Close()
	}
}

func TestPauseOfOneselfEndsInTime(t *testing.T) {
	d := connect(t)
	const ms = 150 * time.Millisecond
	for _, mode := range []string{"WRITE", "ALL", ""} {
		begun := time.Now()
		got := d.Ask(commands("CLIENT PAUSE 150 "+mode, "SET paused 1"))
		if got += d.Hear(); got != "+OK\r\n+OK\r\n" {
			t.Errorf("%q", got)
		}
		if took := time.Since(begun); took < ms {
			t.Errorf("a pause of %v ended after %v", ms, took)
		}
	}
}

// TestPausesAddUp: of two pauses the later end counts, and that everything is held.
func TestPausesAddUp(t *testing.T) {
	p := start(t, proxytest.Config{})
	d, other := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	begun := time.Now()
	d.Say(commands("CLIENT PAUSE 300 WRITE", "CLIENT PAUSE 1 ALL"))
	if got := d.Hear() + d.Hear(); got != "+OK\r\n+OK\r\n" {
		t.Fatalf("%q", got)
	}
	if v := other.Do("PING"); v.Str != "PONG" { // held, and UNPAUSE would be, too
		t.Errorf("PING: %+v", v)
	}
	if took := time.Since(begun); took < 300*time.Millisecond {
		t.Errorf("PING was answered after %v", took)
	}
}

// TestPausedClientsCanLeave, and the proxy can end.
func TestPausedClientsCanLeave(t *testing.T) {
	p := start(t, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	d.Do("CLIENT", "PAUSE", "1000000", "WRITE")
	gone, stays, killed := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	for _, c := range []*proxytest.Dialog{gone, stays, killed} {
		c.Say(commands("SET paused 1"))
		awaitHeld(t, d, c)
	}
	gone.Reset()
	if v := d.Do("CLIENT", "KILL", "ADDR", killed.NetConn().LocalAddr().String()); v.Int != 1 {
		t.Errorf("CLIENT KILL: %+v", v)
	}
	killed.WantClosed()
	eventually(t, "one is gone", func() bool { return p.Server.Clients() == 2 })
	if err := p.Shutdown(proxytest.Context(t)); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	stays.WantClosed()
}
