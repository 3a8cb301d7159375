package pubsub

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

func TestMain(m *testing.M) {
	flag.Set("logtostderr", "true") // not into files that stay behind
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// cluster is nodes that know no more than subscriptions. A slot is the first byte of a name.
type cluster struct {
	hub *Hub

	mu        sync.Mutex
	owners    [256]string // of slots
	primaries []string
	replicas  []string
	links     map[*link]struct{}
	refuses   map[string]string // what is answered to a subscription to a name, instead
	asked     []string          // the commands that all nodes have got
	fences    int               // that they were asked for
	opened    int               // connections so far
	doubts    int               // calls of Refresh
	lulls     map[string]int    // of sharded channels, that have not ended
}

func newCluster(t *testing.T, primaries ...string) *cluster {
	c := &cluster{primaries: primaries, links: map[*link]struct{}{}, refuses: map[string]string{}, lulls: map[string]int{}}
	for slot := range c.owners {
		c.owners[slot] = primaries[slot%len(primaries)]
	}
	c.hub = New(c)
	t.Cleanup(c.hub.Close)
	return c
}

func (c *cluster) SlotOf(name []byte) uint16 {
	if len(name) == 0 {
		return 0
	}
	return uint16(name[0])
}

func (c *cluster) Owner(slot uint16) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owners[slot]
}

func (c *cluster) Primaries() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.primaries)
}

func (c *cluster) Replicas() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.replicas)
}

// move makes another node the owner of a name's slot, and has the former one end subscriptions to sharded channels there.
func (c *cluster) move(name, to string) {
	c.mu.Lock()
	slot := name[0]
	from := c.owners[slot]
	c.owners[slot] = to
	for l := range c.links {
		if l.addr == from && l.subs["ssubscribe "+name] {
			delete(l.subs, "ssubscribe "+name)
			l.push("sunsubscribe", name)
		}
	}
	c.mu.Unlock()
}

func (c *cluster) Match(pattern, text []byte) bool {
	head, tail, star := strings.Cut(string(pattern), "*")
	return string(pattern) == string(text) || star && strings.HasPrefix(string(text), head) && strings.HasSuffix(string(text), tail)
}

func (c *cluster) Moved(text, _ string) {
	var slot int
	var addr string
	fmt.Sscanf(text, "MOVED %d %s", &slot, &addr)
	c.mu.Lock()
	c.owners[slot] = addr
	c.mu.Unlock()
	c.hub.Rerouted()
}

func (c *cluster) Refresh(string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doubts++
}

func (c *cluster) Lull(kind Kind, names []string, _ bool, _ func()) (Lull, bool) {
	l := &lull{c: c}
	if kind == Shard {
		l.names = names
	}
	l.count(1)
	return l, true
}

// lull is one in which nothing is under way: the tests themselves publish.
type lull struct {
	c     *cluster
	names []string
	once  sync.Once
}

func (l *lull) End() { l.once.Do(func() { l.count(-1) }) }

func (l *lull) count(n int) {
	for _, name := range l.names {
		l.c.mu.Lock()
		l.c.lulls[name] += n
		l.c.mu.Unlock()
	}
}

// lullsOf returns how many Lulls of a sharded channel have not ended.
func (c *cluster) lullsOf(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lulls[name]
}

func (c *cluster) Open(addr string, _ backend.ProfileHandle, holder backend.StreamHolder) Upstream {
	l := &link{c: c, addr: addr, holder: holder, some: make(chan struct{}, 1), wake: make(chan struct{}, 1), subs: map[string]bool{}}
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.primaries, addr) || slices.Contains(c.replicas, addr) {
		c.links[l] = struct{}{}
		c.opened++
		go l.serve()
	} else {
		l.closed = true
		go holder.Ended(fmt.Errorf("%s is down", addr))
	}
	return l
}

// publish tells a message to all who subscribe at a node, or at any if addr is "", as the bus does.
func (c *cluster) publish(addr, channel, payload string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for l := range c.links {
		if addr != "" && l.addr != addr {
			continue
		}
		for _, kind := range []string{"", "s"} {
			if l.subs[kind+"subscribe "+channel] {
				l.say([]byte(pushed(resp.RESP3, kind+"message", channel, payload)))
			}
		}
		for sub := range l.subs {
			if pattern, ok := strings.CutPrefix(sub, "psubscribe "); ok && c.Match([]byte(pattern), []byte(channel)) {
				l.say([]byte(pushed(resp.RESP3, "pmessage", pattern, channel, payload)))
			}
		}
	}
}

// lose ends all connections to a node; without others in its place it is down for good.
func (c *cluster) lose(addr string, others ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(others) > 0 {
		c.primaries = slices.DeleteFunc(c.primaries, func(a string) bool { return a == addr })
		for slot, owner := range c.owners {
			if owner == addr {
				c.owners[slot] = others[0]
			}
		}
	}
	for l := range c.links {
		if l.addr == addr {
			l.closeLocked()
		}
	}
}

// askedFor returns how often a command was sent to any node.
func (c *cluster) askedFor(command string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, line := range c.asked {
		if strings.HasSuffix(line, " "+command) {
			n++
		}
	}
	return n
}

// at returns how often a name is subscribed to at each node.
func (c *cluster) at(sub string) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	count := map[string]int{}
	for l := range c.links {
		if l.subs[sub] {
			count[l.addr]++
		}
	}
	return count
}

// virtually runs f in virtual time, for what the Hub's timers do: they are not late, however late the machine is.
func virtually(t *testing.T, f func(t *testing.T, c *cluster), primaries ...string) {
	synctest.Test(t, func(t *testing.T) { f(t, newCluster(t, primaries...)) })
}

// patience is for the slowest machine.
const patience = 30 * time.Second

// eventually waits until check is true.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !check() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		<-tick.C
	}
}
