package proxy_test

import (
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// TestSessionStaysIfExecIsLost: nothing that the transaction would have made of the session is so, whether the node has
// executed it or not.
func TestSessionStaysIfExecIsLost(t *testing.T) {
	for _, watched := range []bool{false, true} {
		for _, verdict := range []redistest.Verdict{{CutBefore: true}, {CutAfter: true}} {
			c, p := startBeforeFake(t, proxytest.Config{})
			d := proxytest.Connect(t, p.Addr)
			talk(d, "MULTI", "EXEC") // now it is known that MULTI is allowed
			if watched {
				talk(d, "WATCH {o}n")
			}
			node := c.OwnerOf(redistest.Slot("{o}"))
			node.Intercept(func(r redistest.Request) (v redistest.Verdict) {
				if strings.EqualFold(r.Args[0], "exec") {
					return verdict
				}
				return v
			})
			got := talk(d, "MULTI", "CLIENT SETNAME x", "HELLO 3", "INCR {o}n", "CLIENT REPLY OFF", "CLIENT TRACKING ON", "EXEC")
			if last := got[len(got)-1]; !strings.HasPrefix(last, "-UNKNOWNRESULT ") || c.Executed("incr") > 1 {
				t.Errorf("watched %t, %+v: %q, executed %d times", watched, verdict, got, c.Executed("incr"))
			}
			node.Intercept(nil)
			wantHearAfter(t, d, "CLIENT GETNAME", "$-1\r\n")
			wantHearAfter(t, d, "CLIENT GETREDIR", ":-1\r\n")
		}
	}
}

// TestSessionChangesWhenItsUnitIsRedirected and only once, by the connection that counts.
func TestSessionChangesWhenItsUnitIsRedirected(t *testing.T) {
	c, p := startBeforeFake(t, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	talk(d, "SET {o}n 1")
	slot := redistest.Slot("{o}")
	got := talk(d, "MULTI", "INCR {o}n", "HELLO 3", "GET {o}none")
	for _, n := range c.Primaries() {
		if n != c.OwnerOf(slot) {
			c.MoveSlot(slot, n, nil)
			break
		}
	}
	d.Say("EXEC\r\n")
	if text := d.Hear(); !strings.HasPrefix(text, "*3\r\n:2\r\n%7\r\n") || !strings.HasSuffix(text, "_\r\n") || c.Executed("incr") != 1 {
		t.Errorf("%q: %q, executed %d times", got, text, c.Executed("incr"))
	}
	wantHearAfter(t, d, "GET {o}none", "_\r\n")
}

// TestSessionStaysIfExecIsRefused by a node that does not let the user do one of the commands, or hear a channel.
func TestSessionStaysIfExecIsRefused(t *testing.T) {
	for _, n := range cluster.Get(t).Nodes() {
		err := n.Client().Do(t.Context(), "ACL", "SETUSER", "fewer", "on", ">pw", "~*", "resetchannels", "&a", "+@all", "-strlen").Err()
		if err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, proxytest.Config{})
	d, other := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	wantHearAfter(t, d, "AUTH fewer pw", okReply)
	for _, refused := range []string{"STRLEN {r}k", "SUBSCRIBE b"} {
		talk(d, "MULTI", "HELLO 3", "SUBSCRIBE a", "PSUBSCRIBE a", "SET {r}k v", "CLIENT REPLY OFF", refused)
		d.Say("EXEC\r\n")
		if got := d.Hear(); !strings.HasPrefix(got, "-EXECABORT Transaction discarded because of: NOPERM ") {
			t.Errorf("%s: %q", refused, got)
		}
		wantHearAfter(t, d, "GET {r}k", "$-1\r\n")
		wantHearAfter(t, other, "PUBLISH a x", ":0\r\n")
		wantHearAfter(t, other, "PUBSUB NUMPAT", ":0\r\n")
	}
}

// TestSubscribedInMulti hears what is published as soon as the first command of the transaction may have been executed,
// behind the reply and as the protocol then is.
func TestSubscribedInMulti(t *testing.T) {
	p := start(t, proxytest.Config{})
	d, other := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	talk(d, "MULTI", "SUBSCRIBE in", "HELLO 3", "PUBLISH in self", "CLIENT TRACKINGINFO")
	d.Say("EXEC\r\n")
	d.Hear() // not the whole of it: a confirmation is no element
	want := ">3\r\n$7\r\nmessage\r\n$2\r\nin\r\n$4\r\nself\r\n"
	for i := 0; ; i++ {
		if got := d.Hear(); got == want {
			break
		} else if i == 5 {
			t.Fatalf("no message; last %q", got)
		}
	}
	wantHearAfter(t, other, "PUBLISH in more", ":1\r\n")
	wantHear(t, d, ">3\r\n$7\r\nmessage\r\n$2\r\nin\r\n$4\r\nmore\r\n")
	talk(d, "MULTI", "UNSUBSCRIBE")
	wantHearAfter(t, d, "EXEC", "*1\r\n>3\r\n$11\r\nunsubscribe\r\n$2\r\nin\r\n:0\r\n")
	wantHearAfter(t, other, "PUBLISH in more", ":0\r\n")
	wantHearAfter(t, d, "PING", "+PONG\r\n")
}
