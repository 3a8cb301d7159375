package proxy_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
)

// TestBlockingOverSlotsIsThatOfRedis where there is something at once, and where the time ends.
func TestBlockingOverSlotsIsThatOfRedis(t *testing.T) {
	tw := startTwins(t)
	tw.inTurn(t, []string{
		"RPUSH bs:b 1 2 3 4 5 6", "RPUSH bs:c x y z", "BLPOP bs:a bs:b bs:c 0", "BRPOP bs:a bs:b bs:c 0", "BRPOP bs:c bs:b 0", "BLMPOP 0 3 bs:a bs:b bs:c LEFT COUNT 2",
		"BLMPOP 0 2 bs:a bs:c RIGHT", "BLPOP bs:b bs:b bs:a 0", "BLMPOP 0 2 bs:a bs:b LEFT COUNT 100", "BLPOP bs:a bs:b bs:d 0.01", "BLMPOP 0.01 2 bs:a bs:b LEFT",
		"SET bs:s v", "BLPOP bs:s bs:c 0", "BLPOP bs:c bs:s 0", "BLPOP bs:a bs:s bs:c 0", "BZPOPMIN bs:a bs:s 0", "BLMPOP 0 2 bs:s bs:c LEFT", "BZMPOP 0 2 bs:a bs:s MIN",
		"ZADD bs:z 1.5 a 2 b inf c -1e300 d 5 e 6 f", "BZPOPMIN bs:a bs:z 0", "BZPOPMAX bs:a bs:z 0", "BZMPOP 0 2 bs:a bs:z MIN COUNT 2", "BZMPOP 0 2 bs:a bs:z MAX", "BZPOPMIN bs:z bs:s 0",
		"BZPOPMIN bs:a bs:z 0.01", "BLPOP bs:a bs:z 0.01",
		"BLPOP bs:a bs:b x", "BLPOP bs:a bs:b -1", "BLPOP bs:a bs:b inf", "BLPOP bs:a bs:b 99999999999999999999", "BLMPOP x 2 bs:a bs:b LEFT", "BLMPOP 0 x bs:a bs:b LEFT", "BLMPOP 0 0 bs:a bs:b LEFT",
		"BLMPOP 0 3 bs:a bs:b LEFT", "BLMPOP 0 2 bs:a bs:b FOO", "BLMPOP 0 2 bs:a bs:b", "BLMPOP 0 2 bs:a bs:b LEFT COUNT", "BLMPOP 0 2 bs:a bs:b LEFT COUNT 0", "BLMPOP 0 2 bs:a bs:b LEFT COUNT x",
		"BLMPOP 0 2 bs:a bs:b LEFT COUNT 1 COUNT 1", "BLMPOP 0 2 bs:a bs:b LEFT FOO 1", "BZMPOP 0 2 bs:a bs:b LEFT", "BZMPOP 0 2 bs:a bs:b MIN COUNT 0", "BZPOPMIN bs:a bs:b x", "BLPOP bs:a bs:b",
		"BLPOP bs:a bs:b +0.01", "BLPOP bs:a bs:b 1e-2", "BLPOP bs:a bs:b .01", "BLPOP bs:a bs:b nan",
	})
	tw.flush(t)
	tw.inTurn(t, []string{
		"XADD bs:s1 1-1 f v", "XADD bs:s1 1-2 f v", "XADD bs:s2 2-1 g w", "XREAD BLOCK 0 STREAMS bs:s1 bs:s2 0 0", "XREAD BLOCK 0 STREAMS bs:s2 bs:none bs:s1 0 0 0", "XREAD COUNT 1 BLOCK 0 STREAMS bs:s1 bs:s2 0 0",
		"XREAD BLOCK 0 STREAMS bs:s1 bs:s2 1-2 0", "XREAD BLOCK 10 STREAMS bs:s1 bs:s2 1-2 $", "XREAD BLOCK 10 STREAMS bs:s1 bs:s2 $ $", "XREAD BLOCK 0 STREAMS bs:s1 bs:s2 bs:s1 1 0 0", "XREAD BLOCK 5 BLOCK 0 STREAMS bs:s1 bs:s2 0 0",
		"XREAD BLOCK 10 STREAMS bs:s1 bs:s2 bs:none $ 2-1 0", "SET bs:w v", "XREAD BLOCK 0 STREAMS bs:s1 bs:w 0 0", "XREAD BLOCK 0 STREAMS bs:s1 bs:w 0 $", "XREAD BLOCK 0 STREAMS bs:s1 bs:w x $", "XREAD BLOCK 0 STREAMS bs:w bs:s1 $ x",
		"XREAD BLOCK 10 STREAMS bs:s1 bs:s2 $", "XREAD BLOCK 10 STREAMS bs:s1 bs:q $ >", "XREAD BLOCK 10 STREAMS bs:s1 bs:q $ abc", "XREAD BLOCK 10 COUNT x STREAMS bs:s1 bs:q $ $", "XREAD BLOCK -1 STREAMS bs:s1 bs:q $ $",
		"XREAD BLOCK x STREAMS bs:s1 bs:q $ $", "XREAD COUNT 0 BLOCK 10 STREAMS bs:s1 bs:q 0 0", "XREAD COUNT -5 BLOCK 10 STREAMS bs:s1 bs:q 0 0", "XREAD BLOCK 10 FOO STREAMS bs:s1 bs:q 0 0",
		"XREAD BLOCK 10 NOACK STREAMS bs:s1 bs:q 0 0", "XREAD BLOCK 0.5 STREAMS bs:s1 bs:q 0 0",
		"XREADGROUP GROUP g c BLOCK 0 STREAMS bs:s1 bs:s2 > >", "XGROUP CREATE bs:s1 g 0", "XREADGROUP GROUP g c BLOCK 0 STREAMS bs:s1 bs:s2 > >", "XPENDING bs:s1 g", "XGROUP CREATE bs:s2 g 0",
		"XREADGROUP GROUP g c BLOCK 0 STREAMS bs:s1 bs:w > >", "XREADGROUP GROUP g c BLOCK 0 COUNT 1 STREAMS bs:s1 bs:s2 > >", "XREADGROUP GROUP g c BLOCK 0 NOACK STREAMS bs:s1 bs:s2 > >", "XPENDING bs:s1 g", "XPENDING bs:s2 g",
		"XREADGROUP GROUP g c BLOCK 10 STREAMS bs:s1 bs:s2 > >", "XREADGROUP GROUP g c BLOCK 0 STREAMS bs:s1 bs:s2 0 >", "XREADGROUP GROUP g c BLOCK 0 STREAMS bs:s1 bs:s2 > 0", "XREADGROUP GROUP g c BLOCK 10 STREAMS bs:s1 bs:s2 $ >",
		"XREADGROUP GROUP g d BLOCK 0 STREAMS bs:s1 bs:s2 0 0",
	})
}

// TestBlockingOverSlotsWaits for another client, and what is behind it in the pipeline waits as well.
func TestBlockingOverSlotsWaits(t *testing.T) {
	_, a, b := blockedPair(t)
	for _, c := range []struct{ wait, push, want string }{
		{"BLPOP ow:1 ow:2 ow:3 0", "RPUSH ow:2 v", "*2\r\n$4\r\now:2\r\n$1\r\nv\r\n"},
		{"BRPOP ow:1 ow:2 ow:3 0", "RPUSH ow:1 u v", "*2\r\n$4\r\now:1\r\n$1\r\nv\r\n"},
		{"BLMPOP 0 3 ow:1 ow:2 ow:3 LEFT COUNT 2", "RPUSH ow:3 v w x", "*2\r\n$4\r\now:3\r\n*2\r\n$1\r\nv\r\n$1\r\nw\r\n"},
		{"BZPOPMIN ow:1 ow:2 0", "ZADD ow:2 1 v 2 w", "*3\r\n$4\r\now:2\r\n$1\r\nv\r\n$1\r\n1\r\n"},
		{"BZPOPMAX ow:1 ow:2 0", "ZADD ow:2 1 v 2 w", "*3\r\n$4\r\now:2\r\n$1\r\nw\r\n$1\r\n2\r\n"},
		{"BZMPOP 0 2 ow:1 ow:2 MAX COUNT 9", "ZADD ow:2 1 v", "*2\r\n$4\r\now:2\r\n*1\r\n*2\r\n$1\r\nv\r\n$1\r\n1\r\n"},
		{"XREAD BLOCK 0 STREAMS ow:1 ow:2 $ $", "XADD ow:2 5-1 f v", "*1\r\n*2\r\n$4\r\now:2\r\n*1\r\n*2\r\n$3\r\n5-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"},
	} {
		b.Do("DEL", "ow:1", "ow:2", "ow:3")
		a.Say(c.wait + "\r\nECHO behind\r\n")
		awaitBlocked(t, b, 1)
		b.Do(strings.Fields(c.push)...)
		if got := a.Hear(); got != c.want {
			t.Errorf("%s: %q, want %q", c.wait, got, c.want)
		}
		if got := a.Hear(); got != "$6\r\nbehind\r\n" {
			t.Errorf("%s: %q behind it", c.wait, got)
		}
	}
}

// TestOldestClaimIsServedFirst: elements go to those who wait in the order in which they came.
func TestOldestClaimIsServedFirst(t *testing.T) {
	p, _, b := blockedPair(t)
	b.Do("DEL", "fifo:1", "fifo:2")
	var waiting []*proxytest.Dialog
	for i := range 20 {
		a := proxytest.Connect(t, p.Addr)
		a.Say("BLPOP fifo:1 fifo:2 0\r\n")
		awaitBlocked(t, b, i+1)
		waiting = append(waiting, a)
	}
	for i, a := range waiting[:10] {
		b.Do("RPUSH", fmt.Sprintf("fifo:%d", 1+i%2), fmt.Sprint(i))
		if got, want := a.Hear(), fmt.Sprintf("*2\r\n$6\r\nfifo:%d\r\n$1\r\n%d\r\n", 1+i%2, i); got != want {
			t.Errorf("%d: %q", i, got)
		}
	}
	b.Do("RPUSH", "fifo:2", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
	for _, a := range waiting[10:] {
		if v, err := a.Read(); err != nil || len(v.Elems) != 2 || v.Elems[0].Str != "fifo:2" {
			t.Errorf("%+v, %v", v, err)
		}
	}
	awaitBlocked(t, b, 0)
}

// inTurn sends the lines to both, by both protocols, each when the one before has its reply, and compares the replies.
func (tw twins) inTurn(t *testing.T, lines []string) {
	t.Helper()
	for _, proto := range []string{"2", "3"} {
		tw.flush(t)
		a, b := proxytest.Connect(t, tw.proxy.Addr), proxytest.Connect(t, tw.plain.Addr)
		a.Do("HELLO", proto)
		b.Do("HELLO", proto)
		for _, line := range lines {
			got, want := a.Ask(commands(line)), b.Ask(commands(line))
			if got != want {
				t.Errorf("RESP%s: %s\n proxy says %.300q\n redis says %.300q", proto, line, got, want)
			}
		}
	}
}

// TestBlockingOverSlotsEnds by its timeout, CLIENT UNBLOCK, CLIENT KILL, a hang-up and a drain, and takes nothing any more.
func TestBlockingOverSlotsEnds(t *testing.T) {
	p, a, b := blockedPair(t)
	b.Do("DEL", "bse:1", "bse:2")
	begin := time.Now()
	if got := a.Ask("BLPOP bse:1 bse:2 0.05\r\n"); got != "*-1\r\n" || time.Since(begin) < 50*time.Millisecond {
		t.Errorf("%q after %v", got, time.Since(begin))
	}
	id := strconv.FormatInt(a.Do("CLIENT", "ID").Int, 10)
	for reason, want := range map[string]string{"TIMEOUT": "*-1\r\n", "ERROR": "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"} {
		a.Say("BZPOPMIN bse:1 bse:2 0\r\n")
		awaitBlocked(t, b, 1)
		if v := b.Do("CLIENT", "UNBLOCK", id, reason); v.Int != 1 {
			t.Errorf("UNBLOCK %s: %+v", reason, v)
		}
		if got := a.Hear(); got != want {
			t.Errorf("%s: %q", reason, got)
		}
		if v := b.Do("CLIENT", "UNBLOCK", id, reason); v.Int != 0 {
			t.Errorf("nothing blocked: %+v", v)
		}
	}
	for how, end := range map[string]func(c *proxytest.Dialog){
		"close": func(c *proxytest.Dialog) { c.Close() },
		"half close": func(c *proxytest.Dialog) {
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
			c.WantClosed()
		},
		"kill": func(c *proxytest.Dialog) {
			b.Do("CLIENT", "KILL", "LADDR", p.Addr, "ADDR", c.NetConn().LocalAddr().String())
			c.WantClosed()
		},
	} {
		c := proxytest.Connect(t, p.Addr)
		c.Say("BLPOP bse:1 bse:2 0\r\n")
		awaitBlocked(t, b, 1)
		end(c)
		awaitBlocked(t, b, 0)
		b.Do("RPUSH", "bse:2", "v")
		if v := b.Do("BLPOP", "bse:1", "bse:2", "0"); len(v.Elems) != 2 || v.Elems[1].Str != "v" {
			t.Errorf("%s: %+v", how, v)
		}
	}
	c := proxytest.Connect(t, p.Addr)
	c.Say("BLPOP bse:1 bse:2 0\r\n")
	awaitBlocked(t, b, 1)
	if err := p.Shutdown(proxytest.Context(t)); err != nil {
		t.Error(err)
	}
	c.WantClosed()
}

// TestBlockingOverSlotsRefused by the setting, and where keys must be at one node.
func TestBlockingOverSlotsRefused(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Dispatcher.RejectCrossSlot = true
	strict, d := proxytest.Connect(t, start(t, cfg).Addr), connect(t)
	for _, line := range []string{"BLPOP a b 0", "BZMPOP 0 2 a b MIN", "XREAD BLOCK 0 STREAMS a b $ $"} {
		if got := strict.Ask(line + "\r\n"); !strings.HasPrefix(got, "-CROSSSLOT ") {
			t.Errorf("%s: %q", line, got)
		}
	}
	for _, line := range []string{"BLMOVE a b LEFT LEFT 0", "BRPOPLPUSH a b 0"} {
		if got := d.Ask(line + "\r\n"); !strings.HasPrefix(got, "-CROSSSLOT ") {
			t.Errorf("%s: %q", line, got)
		}
	}
	v := d.Do("PROXY", "EXPLAIN", "BLPOP", "a", "b", "0")
	if text := fmt.Sprint(v.Elems); !strings.Contains(text, "waits for keys of all its slots") || strings.Count(text, "to primary") != 2 {
		t.Errorf("%s", text)
	}
}

// TestBlockingOverSlotsByACL: the user's rights count for what is done, and the proxy's for being told.
func TestBlockingOverSlotsByACL(t *testing.T) {
	p := startLocked(t, proxytest.Config{})
	admin := proxytest.Connect(t, p.Addr)
	for _, rules := range []string{"all on >x ~* +@all", "bare on >x ~* +blpop +xread", "narrow on >x ~acl:1 +@all"} {
		admin.Do(strings.Fields("ACL SETUSER " + rules)...)
	}
	t.Cleanup(func() { admin.Do("ACL", "DELUSER", "all", "bare", "narrow") })
	admin.Do("DEL", "acl:1", "acl:2")
	for _, user := range []string{"all", "bare"} {
		d := proxytest.Connect(t, p.Addr)
		d.Do("AUTH", user, "x")
		d.Say("BLPOP acl:1 acl:2 0\r\n")
		awaitBlocked(t, admin, 1)
		admin.Do("RPUSH", "acl:2", user)
		if got, want := d.Hear(), fmt.Sprintf("*2\r\n$5\r\nacl:2\r\n$%d\r\n%s\r\n", len(user), user); got != want {
			t.Errorf("%s: %q", user, got)
		}
	}
	d := proxytest.Connect(t, p.Addr)
	d.Do("AUTH", "narrow", "x")
	if got := d.Ask("BLPOP acl:1 acl:2 0\r\n"); !strings.HasPrefix(got, "-NOPERM ") {
		t.Errorf("%q", got)
	}
	d = proxytest.Connect(t, p.Addr)
	d.Do("AUTH", "bare", "x")
	if got := d.Ask("BZPOPMIN acl:1 acl:2 0\r\n"); !strings.HasPrefix(got, "-NOPERM ") {
		t.Errorf("%q", got)
	}
	if got := d.Ask("BLPOP acl:1 acl:2 0.01\r\n"); got != "*-1\r\n" {
		t.Errorf("%q", got)
	}
	admin.Do("ACL", "SETUSER", "bare", "-blpop")
	if got := d.Ask("BLPOP acl:1 acl:2 0\r\n"); !strings.HasPrefix(got, "-NOPERM ") {
		t.Errorf("what was allowed before is still: %q", got)
	}
	admin.Do("XADD", "acl:2", "7-1", "f", "v")
	d.Say("XREAD BLOCK 0 STREAMS acl:1 acl:2 $ $\r\n")
	awaitBlocked(t, admin, 1)
	admin.Do("XADD", "acl:2", "7-2", "f", "v")
	if got := d.Hear(); got != "*1\r\n*2\r\n$5\r\nacl:2\r\n*1\r\n*2\r\n$3\r\n7-2\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n" {
		t.Errorf("%q", got)
	}
}

// TestBlockingOverSlotsWithoutTracking: nobody may be told of changes, so it is looked for them.
func TestBlockingOverSlotsWithoutTracking(t *testing.T) {
	c := lockedCluster.Get(t)
	for _, n := range c.Primaries() {
		if err := n.Client().Do(t.Context(), "ACL", "SETUSER", "blind", "on", ">x", "~*", "+@all", "-client|tracking").Err(); err != nil {
			t.Fatal(err)
		}
	}
	p := proxytest.Start(t, proxytest.Config{Seeds: c.Addrs(), User: "blind", Password: "x"})
	a, b := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	b.Do("DEL", "blind:1", "blind:2")
	for i := range 3 {
		a.Say("BLPOP blind:1 blind:2 0\r\n")
		awaitBlocked(t, b, 1)
		b.Do("RPUSH", "blind:2", fmt.Sprint(i))
		if got, want := a.Hear(), fmt.Sprintf("*2\r\n$7\r\nblind:2\r\n$1\r\n%d\r\n", i); got != want {
			t.Errorf("%q", got)
		}
	}
}
