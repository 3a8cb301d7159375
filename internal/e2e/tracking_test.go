package e2e

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// numCached is how many keys the caches are about: few, so that they are often changed while they are read.
const numCached = 40

// cachedKeys returns n keys, some of them of slots that move.
func cachedKeys(n int) (keys []string) {
	for range n {
		i := rand.N(numCached)
		if i%4 == 0 {
			keys = append(keys, fmt.Sprintf("{mig}:cache:%d", i))
		} else {
			keys = append(keys, fmt.Sprintf("cache:%d", i))
		}
	}
	return keys
}

// ways are those in which clients track.
func ways(addr string) map[string]*cacher {
	hello, on := []string{"HELLO", "3"}, []string{"CLIENT", "TRACKING", "ON"}
	all := map[string]*cacher{
		"default":   {begin: [][]string{hello, on}},
		"optin":     {begin: [][]string{hello, append(on[:3:3], "OPTIN")}, before: []string{"CLIENT", "CACHING", "YES"}},
		"optout":    {begin: [][]string{hello, append(on[:3:3], "OPTOUT", "NOLOOP")}},
		"broadcast": {begin: [][]string{hello, append(on[:3:3], "BCAST", "PREFIX", "cache:", "PREFIX", "{mig}")}},
		"redirect":  {addr: addr},
	}
	for _, c := range all {
		c.cache = newCache()
		c.keys = func(int) []string { return cachedKeys(8) }
	}
	return all
}

// startCaches starts a client for each way.
func startCaches(t *testing.T, p *proxytest.Proxy) (map[string]*cacher, []*load) {
	t.Helper()
	all := ways(p.Addr)
	var loads []*load
	for _, c := range all {
		if c.addr != "" {
			conn, err := proxytest.Dial(c.addr)
			if err != nil {
				t.Fatal(err)
			}
			id, err := conn.Do("CLIENT", "ID")
			if err != nil {
				t.Fatal(err)
			}
			if v, err := conn.Do("SUBSCRIBE", "__redis__:invalidate"); err != nil || v.Kind != '*' {
				t.Fatalf("SUBSCRIBE: %+v, %v", v, err)
			}
			conn.SetPatience(10 * proxytest.Patience) // it only listens
			c.begin = [][]string{{"CLIENT", "TRACKING", "ON", "REDIRECT", strconv.FormatInt(id.Int, 10)}}
			var listening sync.WaitGroup
			listening.Add(1)
			go c.listen(conn, &listening)
			t.Cleanup(func() {
				conn.Close()
				listening.Wait()
			})
		}
		loads = append(loads, startLoad(t, p.Addr, 1, c.round))
	}
	return all, loads
}

// change is a round of a load that changes what is cached. What it is answered does not matter here.
func change(c *proxytest.Client, _, _ int) error {
	key := cachedKeys(1)[0]
	args := []string{"INCR", key}
	if rand.N(10) == 0 {
		args = []string{"DEL", key}
	}
	_, err := c.Do(args...)
	return err
}

// agree ends the changes and waits until no cache has a value that is not the real one, as a proxy tells that asks primaries.
func agree(t *testing.T, p *proxytest.Proxy, caches map[string]*cacher, readers []*load, writers ...*load) {
	t.Helper()
	for _, w := range writers {
		w.end()
	}
	d, real := proxytest.Connect(t, p.Addr), map[string]cached{}
	for i := range numCached {
		key := fmt.Sprintf("cache:%d", i)
		if i%4 == 0 {
			key = "{mig}:" + key
		}
		v := d.Do("GET", key)
		real[key] = cached{v.Str, v.Null}
	}
	for name, c := range caches {
		var wrong []string
		for end := time.Now().Add(proxytest.Patience); ; passAll(readers, 2) {
			c.settling.Store(true) // or what is wrong might be read anew
			passAll(readers, 2)
			if wrong = c.cache.stale(real); len(wrong) == 0 && c.cache.size() > 0 {
				break
			}
			c.settling.Store(c.cache.size() > 0) // all was invalidated: a doubt comes twice
			if time.Now().After(end) {
				t.Fatalf("%s: %s", name, strings.Join(wrong, "; "))
			}
		}
		c.cache.mu.Lock()
		t.Logf("%s: %d keys at the end, %d hits, %d keys and %d times all invalidated", name, len(c.cache.values), c.cache.hits, c.cache.gone, c.cache.nulls)
		if c.cache.hits == 0 || c.cache.gone == 0 {
			t.Errorf("%s: the cache was not used", name)
		}
		c.cache.mu.Unlock()
	}
	for _, l := range readers {
		l.end()
	}
}

// TestCachesStayRightWhileSlotsMove: clients that keep what they read, in each way that there is, while other clients of this
// proxy and of another one change it.
func TestCachesStayRightWhileSlotsMove(t *testing.T) {
	for _, prefer := range []dispatcher.ReadPrefer{dispatcher.PreferPrimary, dispatcher.PreferReplica} {
		t.Run(prefer.String(), func(t *testing.T) {
			c, ctx := cluster.Get(t), testContext(t)
			cfg := proxytest.Config{}
			cfg.Dispatcher.ReadPrefer = prefer
			p, other := start(t, c, cfg), start(t, c, proxytest.Config{})
			caches, readers := startCaches(t, p)
			near, far := startLoad(t, p.Addr, 2, change), startLoad(t, other.Addr, 2, change)
			passAll(append(readers, near, far), 20)
			slot := redistest.Slot("{mig}")
			home := c.OwnerOf(slot)
			from := home
			for _, to := range append(c.Primaries(), home) {
				if to == from {
					continue
				}
				if err := c.MoveSlot(ctx, slot, from, to, func() { near.pass(1) }); err != nil {
					t.Fatal(err)
				}
				from = to
				passAll(append(readers, near, far), 20)
			}
			agree(t, other, caches, readers, near, far)
			for name, c := range caches {
				if c.cache.nulls == 0 {
					t.Errorf("%s: a slot has moved, and not everything was invalidated", name)
				}
			}
		})
	}
}

// TestCachesStayRightOverFailover: a primary is killed, and with it what it knew of its readers.
func TestCachesStayRightOverFailover(t *testing.T) {
	c, ctx := breakable.Get(t), testContext(t)
	cfg := proxytest.Config{}
	cfg.Dispatcher.RedirectTimeout = proxytest.Patience
	p, other := start(t, c, cfg), start(t, c, cfg)
	caches, readers := startCaches(t, p)
	near, far := startLoad(t, p.Addr, 2, change), startLoad(t, other.Addr, 2, change)
	all := append(readers, near, far)
	passAll(all, 20)
	victim := c.Primaries()[0]
	owned := shardOf(t, c, victim)
	victim.Kill()
	takeOver(t, c, owned.first, victim)
	passAll(all, 20)
	agree(t, other, caches, readers, near, far)
	if err := victim.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestTrackingClientsOfManyNodes counts the connections that docs/tracking.md promises, and that they end with the clients.
func TestTrackingClientsOfManyNodes(t *testing.T) {
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	private := func() (n int) {
		for _, node := range p.Pool.Nodes() {
			var b strings.Builder
			node.Describe(&b)
			for line := range strings.Lines(b.String()) {
				if strings.HasPrefix(line, "private ") && strings.Contains(line, "state=up") {
					n++
				}
			}
		}
		return n
	}
	const clients = 10
	var dialogs []*proxytest.Dialog
	for i := range clients {
		d := proxytest.Connect(t, p.Addr)
		d.Do("HELLO", "3")
		d.Do("CLIENT", "TRACKING", "ON")
		for n := range 30 {
			d.Do("GET", fmt.Sprint(i, n))
		}
		dialogs = append(dialogs, d)
	}
	if n := private(); n != clients*3 {
		t.Errorf("%d clients have %d connections to 3 primaries", clients, n)
	}
	for i, d := range dialogs {
		if i%2 == 0 {
			d.Close()
		} else {
			d.Do("CLIENT", "TRACKING", "OFF")
		}
	}
	eventually(t, "all of these connections have ended", func() bool { return private() == 0 })
}
