package e2e

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// pairRound increments a pair of keys in a transaction and looks at them in another: they are always equal. What cannot be
// done while the keys are apart is an error that says that nothing was done.
func pairRound(c *proxytest.Client, _, _ int) error {
	for _, name := range []string{"INCR", "GET"} {
		for _, args := range [][]string{{"MULTI"}, {name, "{pair}a"}, {"PING"}, {name, "{pair}b"}, {"EXEC"}} {
			if err := c.SendCommand(args...); err != nil {
				return err
			}
		}
		for range 4 {
			if v, err := c.Read(); err != nil || v.Kind != '+' {
				return fmt.Errorf("%+v, %w", v, err)
			}
		}
		v, err := c.Read()
		switch {
		case err != nil:
			return err
		case v.Kind != '*' || len(v.Elems) != 3 || v.Elems[1].Str != "PONG":
			return fmt.Errorf("EXEC of %s: %+v", name, v)
		case v.Elems[0].Str != v.Elems[2].Str || v.Elems[0].Int != v.Elems[2].Int:
			return fmt.Errorf("%s: the pair is %+v", name, v)
		}
	}
	return nil
}

// TestTransactionsWhileTheSlotMigrates moves the slot around all primaries, with other keys in it, one at a time.
func TestTransactionsWhileTheSlotMigrates(t *testing.T) {
	const sessions, fill = 4, 30
	c, ctx := cluster.Get(t), testContext(t)
	slot := redistest.Slot("{pair}")
	home := c.OwnerOf(slot)
	cfg := proxytest.Config{}
	cfg.Dispatcher.RedirectTimeout = proxytest.Patience
	p := start(t, c, cfg)
	d := proxytest.Connect(t, p.Addr)
	d.Do("MSET", "{pair}a", "0", "{pair}b", "0")
	for i := range fill {
		d.Do("SET", fmt.Sprintf("{pair}:fill:%d", i), "x")
	}
	l := startLoad(t, p.Addr, sessions, pairRound)
	l.pass(5)
	from := home
	for _, to := range append(c.Primaries(), home) {
		if to == from {
			continue
		}
		if err := c.MoveSlot(ctx, slot, from, to, nil); err != nil {
			t.Fatal(err)
		}
		from = to
		l.pass(5)
	}
	l.end()
	sum := 0
	for i := range sessions {
		sum += int(l.rounds[i].Load())
	}
	for _, key := range []string{"{pair}a", "{pair}b"} {
		if v := d.Do("GET", key); v.Str != fmt.Sprint(sum) {
			t.Errorf("%s is %s after %d transactions", key, v.Str, sum)
		}
	}
	for _, kind := range []string{"moved", "ask"} {
		if redirects(t, p, kind) == 0 {
			t.Errorf("no transaction came back with %s: the test did not test it", kind)
		}
	}
}

// TestTransactionIsAsked: all of it is executed at the node that the slot moves to, with one ASKING, or with TRYAGAIN until
// its keys are together.
func TestTransactionIsAsked(t *testing.T) {
	o := openSlot(t, "{asked}", "{asked}a")
	d := proxytest.Connect(t, o.proxy.Addr)
	o.move(t, 1)
	d.Say("MULTI\r\nAPPEND {asked}a 1\r\nGET {asked}a\r\nAPPEND {asked}a 2\r\nEXEC\r\n")
	for _, want := range []string{"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*3\r\n:4\r\n" + bulk("old1") + ":5\r\n"} {
		if got := d.Hear(); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	d.Say("MULTI\r\nSET {asked}b 1\r\nGET {asked}a\r\nEXEC\r\n")
	eventually(t, "it has been sent to and fro", func() bool { return redirects(t, o.proxy, "tryagain") > 2 })
	o.finish(t)
	for _, want := range []string{"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*2\r\n+OK\r\n" + bulk("old12")} {
		if got := d.Hear(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestWatchLoopsCountExactly: several clients of two proxies, while the slot moves.
func TestWatchLoopsCountExactly(t *testing.T) {
	const clients, n = 6, 40
	c, ctx := cluster.Get(t), testContext(t)
	slot := redistest.Slot("{loop}")
	home := c.OwnerOf(slot)
	var running sync.WaitGroup
	errs := make([]error, clients)
	proxies := []*proxytest.Proxy{start(t, c, proxytest.Config{}), start(t, c, proxytest.Config{})}
	proxytest.Connect(t, proxies[0].Addr).Do("DEL", "{loop}n")
	for i := range clients {
		client := redis.NewClient(&redis.Options{
			Addr: proxies[i%2].Addr, Protocol: 2 + i%3/2, DialTimeout: proxytest.Patience, ReadTimeout: proxytest.Patience,
		})
		t.Cleanup(func() { client.Close() })
		running.Go(func() { errs[i] = proxytest.AddByWatch(ctx, client, "{loop}n", n) })
	}
	from := home
	for _, to := range append(c.Primaries(), home) {
		if to != from {
			if err := c.MoveSlot(ctx, slot, from, to, nil); err != nil {
				t.Fatal(err)
			}
			from = to
		}
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if v := proxytest.Connect(t, proxies[0].Addr).Do("GET", "{loop}n"); v.Str != fmt.Sprint(clients*n) {
		t.Errorf("counted to %s, want %d", v.Str, clients*n)
	}
}

// TestPrimaryDiesWhileItWatches: EXEC aborts, and the next transaction is the new primary's.
func TestPrimaryDiesWhileItWatches(t *testing.T) {
	c, ctx := breakable.Get(t), testContext(t)
	cfg := proxytest.Config{}
	cfg.Dispatcher.RedirectTimeout = proxytest.Patience
	p := start(t, c, cfg)
	d := proxytest.Connect(t, p.Addr)
	owner := c.OwnerOf(redistest.Slot("{dies}"))
	d.Do("SET", "{dies}k", "v")
	if err := owner.Client().Do(ctx, "wait", 1, proxytest.Patience.Milliseconds()).Err(); err != nil {
		t.Fatal(err)
	}
	d.Do("WATCH", "{dies}k")
	d.Do("MULTI")
	d.Do("SET", "{dies}k", "unguarded")
	owner.Kill()
	takeOver(t, c, redistest.Slot("{dies}"), owner)
	if v := d.Do("EXEC"); !v.Null {
		t.Errorf("EXEC: %+v", v)
	}
	if v := d.Do("GET", "{dies}k"); v.Str != "v" {
		t.Errorf("GET: %+v", v)
	}
	d.Do("WATCH", "{dies}k")
	d.Do("MULTI")
	d.Do("GET", "{dies}k")
	if v := d.Do("EXEC"); len(v.Elems) != 1 || !strings.HasPrefix(v.Elems[0].Str, "v") {
		t.Errorf("EXEC: %+v", v)
	}
	if err := owner.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}
