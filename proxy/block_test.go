package proxy_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// awaitBlocked waits until so many clients of the proxy are blocked, as another one is told.
func awaitBlocked(t *testing.T, other *proxytest.Dialog, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d blocked clients", n), func() bool {
		return strings.Contains(other.Do("INFO", "clients").Str, fmt.Sprintf("\nblocked_clients:%d\r\n", n))
	})
}

// awaitBlockedAtOwner waits until one client is blocked at the node of the key, where '$' has got its meaning. The proxy calls it blocked
// as soon as it sends what it says.
func awaitBlockedAtOwner(t *testing.T, key string) {
	t.Helper()
	owner := cluster.Get(t).OwnerOf(redistest.Slot(key))
	eventually(t, "a client is blocked at "+owner.Addr, func() bool {
		info, err := owner.Client().Info(t.Context(), "clients").Result()
		return err == nil && strings.Contains(info, "\nblocked_clients:1\r\n")
	})
}

// blockedPair starts a proxy and connects two clients.
func blockedPair(t *testing.T) (p *proxytest.Proxy, a, b *proxytest.Dialog) {
	t.Helper()
	p = start(t, proxytest.Config{})
	return p, proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
}

// unused returns a key that no other test uses, which another client deletes first.
func unused(t *testing.T, other *proxytest.Dialog) string {
	t.Helper()
	key := "{" + t.Name() + "}"
	other.Do("DEL", key, key+"2")
	return key
}

// TestBlockingCommandsWait for another client, and what is behind them in the pipeline waits as well.
func TestBlockingCommandsWait(t *testing.T) {
	_, a, b := blockedPair(t)
	k := unused(t, b)
	for _, c := range []struct{ wait, push, want string }{
		{"BLPOP KEY2 KEY 0", "RPUSH KEY v", "*2\r\nKEY\r\nv\r\n"},
		{"BRPOP KEY 0", "RPUSH KEY v", "*2\r\nKEY\r\nv\r\n"},
		{"BLMOVE KEY KEY2 LEFT LEFT 0", "RPUSH KEY v", "v\r\n"},
		{"BRPOPLPUSH KEY KEY2 0", "RPUSH KEY v", "v\r\n"},
		{"BLMPOP 0 2 KEY KEY2 LEFT", "RPUSH KEY v", "*2\r\nKEY\r\n*1\r\nv\r\n"},
		{"BZPOPMIN KEY 0", "ZADD KEY 1 v", "*3\r\nKEY\r\nv\r\n1\r\n"},
		{"BZPOPMAX KEY 0", "ZADD KEY 1 v", "*3\r\nKEY\r\nv\r\n1\r\n"},
		{"BZMPOP 0 1 KEY MIN", "ZADD KEY 1 v", "*2\r\nKEY\r\n*1\r\n*2\r\nv\r\n1\r\n"},
		{"XREAD BLOCK 0 STREAMS KEY $", "XADD KEY 5-1 f v", "*1\r\n*2\r\nKEY\r\n*1\r\n*2\r\n5-1\r\n*2\r\nf\r\nv\r\n"},
	} {
		b.Do("DEL", k, k+"2")
		a.Say(strings.ReplaceAll(c.wait, "KEY", k) + "\r\nECHO behind\r\n")
		awaitBlocked(t, b, 1)
		awaitBlockedAtOwner(t, k)
		b.Do(strings.Fields(strings.ReplaceAll(c.push, "KEY", k))...)
		want := strings.ReplaceAll(c.want, "KEY", k)
		var got strings.Builder
		for _, line := range strings.SplitAfter(a.Hear(), "\r\n") {
			if !strings.HasPrefix(line, "$") {
				got.WriteString(line)
			}
		}
		if got.String() != want {
			t.Errorf("%s: %q, want %q", c.wait, got.String(), want)
		}
		if got := a.Hear(); got != "$6\r\nbehind\r\n" {
			t.Errorf("%s: %q behind it", c.wait, got)
		}
	}
}

// TestBlockingTimeout is the server's: neither more nor less.
func TestBlockingTimeout(t *testing.T) {
	_, a, b := blockedPair(t)
	k := unused(t, b)
	for wait, want := range map[string]string{
		"BLPOP KEY 0.05": "*-1\r\n", "BLMOVE KEY KEY LEFT LEFT 0.05": "*-1\r\n", "BLMPOP 0.05 1 KEY LEFT": "*-1\r\n", "XREAD BLOCK 50 STREAMS KEY $": "*-1\r\n",
	} {
		begin := time.Now()
		if got := a.Ask(strings.ReplaceAll(wait, "KEY", k) + "\r\n"); got != want {
			t.Errorf("%s: %q", wait, got)
		}
		if took := time.Since(begin); took < 50*time.Millisecond {
			t.Errorf("%s: after %v", wait, took)
		}
	}
}

// TestClientUnblock ends a wait from outside.
func TestClientUnblock(t *testing.T) {
	_, a, b := blockedPair(t)
	k := unused(t, b)
	id := strconv.FormatInt(a.Do("CLIENT", "ID").Int, 10)
	for _, c := range []struct{ wait, reason, want string }{
		{"BLPOP KEY 0", "", "*-1\r\n"},
		{"BLPOP KEY 0", "TIMEOUT", "*-1\r\n"},
		{"BLMOVE KEY KEY LEFT LEFT 0", "TIMEOUT", "*-1\r\n"},
		{"BLPOP KEY 0", "ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"},
		{"XREAD BLOCK 0 STREAMS KEY $", "error", "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"},
	} {
		if v := b.Do("CLIENT", "UNBLOCK", id); v.Kind != ':' || v.Int != 0 {
			t.Errorf("nothing blocked: %+v", v)
		}
		a.Say(strings.ReplaceAll(c.wait, "KEY", k) + "\r\n")
		awaitBlocked(t, b, 1)
		if v := b.Do("CLIENT", "LIST", "ID", id); !strings.Contains(v.Str, " flags=b ") {
			t.Errorf("CLIENT LIST: %s", v.Str)
		}
		if v := b.Do(strings.Fields("CLIENT UNBLOCK " + id + " " + c.reason)...); v.Int != 1 {
			t.Errorf("%s: UNBLOCK %s: %+v", c.wait, c.reason, v)
		}
		if got := a.Hear(); got != c.want {
			t.Errorf("%s, %s: %q", c.wait, c.reason, got)
		}
	}
}

// TestWait is about the shards that the session wrote to, whichever connections its writes took.
func TestWait(t *testing.T) {
	_, a, b := blockedPair(t)
	for _, c := range []struct{ say, want string }{
		{"WAIT 1 0", ":1\r\n"}, {"WAIT 2 50", ":1\r\n"},
		{"WAIT x 0", "-ERR value is not an integer or out of range\r\n"},
		{"WAIT 1 -1", "-ERR timeout is negative\r\n"},
		{"WAIT 1 x", "-ERR timeout is not an integer or out of range\r\n"},
	} {
		for i := range 4 {
			a.Do("SET", fmt.Sprint(t.Name(), i), "v")
			if got := a.Ask(c.say + "\r\n"); got != c.want {
				t.Errorf("%s: %q", c.say, got)
			}
		}
	}
	id := strconv.FormatInt(a.Do("CLIENT", "ID").Int, 10)
	for reason, want := range map[string]string{"TIMEOUT": ":", "ERROR": "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"} {
		a.Say("WAIT 7 0\r\n")
		awaitBlocked(t, b, 1)
		if v := b.Do("CLIENT", "UNBLOCK", id, reason); v.Int != 1 {
			t.Errorf("UNBLOCK %s: %+v", reason, v)
		}
		if got := a.Hear(); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", reason, got)
		}
	}
	a.Say("WAIT 7 0\r\n")
	awaitBlocked(t, b, 1)
	a.Close()
	awaitBlocked(t, b, 0)
}

// TestBlockingTakesItsTime: what bounds other requests does not bound it.
func TestBlockingTakesItsTime(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Backend.RequestTimeout = 200 * time.Millisecond
	d := proxytest.Connect(t, start(t, cfg).Addr)
	k := unused(t, d)
	for _, wait := range []string{"BLPOP KEY 0.8", "XREAD BLOCK 800 STREAMS KEY $", "WAIT 7 800"} {
		if got := d.Ask(strings.ReplaceAll(wait, "KEY", k) + "\r\n"); got != "*-1\r\n" && got != ":1\r\n" {
			t.Errorf("%s: %q", wait, got)
		}
	}
}

// TestBlockedClientsAreNotIdle, and waiting is not slow.
func TestBlockedClientsAreNotIdle(t *testing.T) {
	p, a, b := blockedPair(t)
	k := unused(t, b)
	a.Say("BLPOP " + k + " 0\r\n")
	awaitBlocked(t, b, 1)
	closeIdle(t, p)
	if v, err := pingOnce(p.Addr, "RPUSH", k, "v"); err != nil || v.Int != 1 {
		t.Errorf("RPUSH: %+v, %v", v, err)
	}
	if v, err := a.Read(); err != nil || len(v.Elems) != 2 || v.Elems[1].Str != "v" {
		t.Errorf("BLPOP: %+v, %v", v, err)
	}
	if v := a.Do("SLOWLOG", "GET"); v.Kind != '*' || strings.Contains(fmt.Sprint(v), "BLPOP") {
		t.Errorf("SLOWLOG: %+v", v)
	}
	if v := a.Do("PROXY", "EXPLAIN", "BLPOP", k, "0"); !strings.Contains(fmt.Sprint(v), "blocks there") || !strings.Contains(fmt.Sprint(v), "connection lost: sent again") {
		t.Errorf("PROXY EXPLAIN: %+v", v)
	}
}
