package proxy_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
)

// TestHangUpWhileBlocked costs no element, and the connection to the node serves the next.
func TestHangUpWhileBlocked(t *testing.T) {
	p, _, b := blockedPair(t)
	k := unused(t, b)
	for _, how := range []string{"close", "half close", "reset"} {
		a := proxytest.Connect(t, p.Addr)
		a.Say("BLPOP " + k + " 0\r\nRPUSH " + k + " never\r\n")
		awaitBlocked(t, b, 1)
		switch how {
		case "close":
			a.Close()
		case "half close":
			if err := a.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			a.WantClosed()
		case "reset":
			if err := a.Reset(); err != nil {
				t.Fatal(err)
			}
		}
		awaitBlocked(t, b, 0)
		b.Do("RPUSH", k, "v")
		if v := b.Do("BLPOP", k, "1"); len(v.Elems) != 2 || v.Elems[1].Str != "v" {
			t.Errorf("%s: %+v", how, v)
		}
	}
}

// TestHalfClosedBlockedClient gets what is there, and what is behind it; then the connection ends without an answer.
func TestHalfClosedBlockedClient(t *testing.T) {
	_, a, b := blockedPair(t)
	k := unused(t, b)
	b.Do("RPUSH", k, "1", "2")
	a.Say(strings.ReplaceAll("BLPOP KEY 0\r\nECHO 1\r\nBLPOP KEY 0\r\nBLPOP KEY 0\r\nECHO 2\r\n", "KEY", k))
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	pair := func(v string) string { return fmt.Sprintf("*2\r\n$%d\r\n%s\r\n$1\r\n%s\r\n", len(k), k, v) }
	if got, want := a.Rest(), pair("1")+"$1\r\n1\r\n"+pair("2"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestHalfClosedClientHearsOfItsFault, however early it shuts down its side.
func TestHalfClosedClientHearsOfItsFault(t *testing.T) {
	p, _, b := blockedPair(t)
	b.Do("SET", "nolist", "x")
	for _, tt := range []struct{ line, want string }{
		{"BLPOP nolist soon", "-ERR timeout is not a float or out of range\r\n"},
		{"BLPOP nolist 0", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"},
	} {
		for range 20 {
			a := proxytest.Connect(t, p.Addr)
			a.Say(tt.line + "\r\n")
			if err := a.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if got := a.Rest(); got != tt.want {
				t.Fatalf("%s: %q", tt.line, got)
			}
		}
	}
}

// TestKillBlockedClient ends its wait at the node.
func TestKillBlockedClient(t *testing.T) {
	_, a, b := blockedPair(t)
	k := unused(t, b)
	id := strconv.FormatInt(a.Do("CLIENT", "ID").Int, 10)
	a.Say("BLPOP " + k + " 0\r\n")
	awaitBlocked(t, b, 1)
	if v := b.Do("CLIENT", "KILL", "ID", id); v.Int != 1 {
		t.Errorf("%+v", v)
	}
	a.WantClosed()
	b.Do("RPUSH", k, "v")
	if v := b.Do("LLEN", k); v.Int != 1 {
		t.Errorf("%d elements", v.Int)
	}
}

// TestDrainEndsBlocking at once: it would wait for ever.
func TestDrainEndsBlocking(t *testing.T) {
	p, a, b := blockedPair(t)
	k := unused(t, b)
	a.Say("BLPOP " + k + " 0\r\n")
	awaitBlocked(t, b, 1)
	begin := time.Now()
	if err := p.Shutdown(proxytest.Context(t)); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > proxytest.Patience/2 {
		t.Errorf("the drain took %v", took)
	}
	a.WantClosed()
}

// TestBlockedUserWithFewRights: he may not use CLIENT, and yet costs no element and no connection when he leaves.
func TestBlockedUserWithFewRights(t *testing.T) {
	p, _, b := blockedPair(t)
	k := unused(t, b)
	if v := b.Do("ACL", "SETUSER", t.Name(), "on", ">pw", "~*", "+blpop", "+xread"); v.Str != "OK" {
		t.Fatalf("ACL SETUSER: %+v", v)
	}
	t.Cleanup(func() { proxytest.Connect(t, p.Addr).Do("ACL", "DELUSER", t.Name()) })
	for _, wait := range []string{"BLPOP " + k + " 0", "XREAD BLOCK 0 STREAMS " + k + "2 $"} {
		a := proxytest.Connect(t, p.Addr)
		if v := a.Do("AUTH", t.Name(), "pw"); v.Str != "OK" {
			t.Fatalf("AUTH: %+v", v)
		}
		if v := a.Do("BRPOP", k, "0"); !strings.HasPrefix(v.Str, "NOPERM ") {
			t.Errorf("BRPOP: %+v", v)
		}
		a.Say(wait + "\r\n")
		awaitBlocked(t, b, 1)
		if err := a.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		a.WantClosed()
	}
	b.Do("RPUSH", k, "v")
	if v := b.Do("LLEN", k); v.Int != 1 {
		t.Errorf("%d elements", v.Int)
	}
	for _, n := range p.Pool.Nodes() { // which answers the CLIENT UNBLOCK last
		eventually(t, "no connection is held", func() bool { return n.Stats().Held == 0 })
		if lost := n.Stats().Losses; lost > 0 {
			t.Errorf("%s: %d connections were lost", n.Addr, lost)
		}
	}
}
