package proxy_test

import (
	"fmt"
	"strings"
	"testing"

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
