package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// market is producers and consumers of the same keys, through several proxies.
type market struct {
	tally
	addrs []string
	lists []string
	zsets []string
	rest  time.Duration // of the slot that moves, at each node

	closing  atomic.Bool // nothing more is pushed, and what is there is taken
	ended    atomic.Bool
	produced atomic.Int64
	killed   atomic.Int64 // consumers that hung up while they waited
	inherits atomic.Int64 // elements that reached them nevertheless
	empty    atomic.Int64 // waits that ended with nothing
	moves    atomic.Int64 // of the slot
}

func (m *market) dial() *proxytest.Client {
	c, err := proxytest.Dial(m.addrs[rand.N(len(m.addrs))])
	if err != nil {
		m.fault("%v", err)
		return nil
	}
	return c
}

// produce pushes elements one at a time, or a few.
func (m *market) produce(who int) {
	c := m.dial()
	if c == nil {
		return
	}
	defer c.Close()
	for i := 0; !m.closing.Load(); i++ {
		var args []string
		var ids []string
		if key := m.lists[rand.N(len(m.lists))]; i%3 > 0 {
			args = []string{[]string{"RPUSH", "LPUSH"}[i%2], key}
			for j := range 1 + i%4/3*3 {
				ids = append(ids, fmt.Sprintf("e%d-%d-%d", who, i, j))
				args = append(args, ids[j])
			}
		} else {
			ids = []string{fmt.Sprintf("z%d-%d", who, i)}
			args = []string{"ZADD", m.zsets[rand.N(len(m.zsets))], fmt.Sprint(rand.N(100)), ids[0]}
		}
		for _, id := range ids {
			m.pushed(id)
		}
		if v, err := c.Do(args...); err != nil || v.Kind != ':' {
			m.fault("%q: %+v, %v", args, v, err)
			return
		}
		m.produced.Add(int64(len(ids)))
		if i%8 == 0 {
			time.Sleep(time.Duration(rand.N(3000)) * time.Microsecond) // so that consumers have to wait now and then
		}
	}
}

// some returns several of the keys in an order of chance, by way of apart of several slots.
func some(keys []string) []string {
	n := 1 + rand.N(len(keys))
	var list []string
	for _, i := range rand.Perm(len(keys))[:n] {
		list = append(list, keys[i])
	}
	return list
}

// order is a blocking command of chance over some of the keys.
func (m *market) order(timeout string) []string {
	lists, zsets := some(m.lists), some(m.zsets)
	switch rand.N(6) {
	case 0, 1:
		return append(append([]string{"BLPOP"}, lists...), timeout)
	case 2:
		return append(append([]string{"BRPOP"}, lists...), timeout)
	case 3:
		return append(append([]string{"BLMPOP", timeout, fmt.Sprint(len(lists))}, lists...), "LEFT", "COUNT", "3")
	case 4:
		return append(append([]string{"BZPOPMIN"}, zsets...), timeout)
	}
	return append(append([]string{"BZMPOP", timeout, fmt.Sprint(len(zsets))}, zsets...), "MAX", "COUNT", "2")
}

// take notes the elements of a reply; false if there are none.
func (m *market) take(order []string, v resp.Value) bool {
	switch {
	case v.Null:
		m.empty.Add(1)
		return false
	case v.Kind != '*' || len(v.Elems) < 2:
		m.fault("%q: %+v", order, v)
		return false
	}
	switch e := v.Elems[1]; {
	case e.Kind == '$': // key, element or member, perhaps score
		m.got(e.Str)
	case strings.HasPrefix(order[0], "BZ"):
		for _, pair := range e.Elems {
			m.got(pair.Elems[0].Str)
		}
	default:
		for _, element := range e.Elems {
			m.got(element.Str)
		}
	}
	return true
}

// consume waits for elements until none is left. Now and then it hangs up while it waits, and comes back as another client.
func (m *market) consume() {
	c := m.dial()
	for c != nil {
		if m.ended.Load() {
			_ = c.Close()
			return
		}
		mayKill := !m.closing.Load() && rand.N(6) == 0
		timeout := []string{"0.05", "0.2", "0.5"}[rand.N(3)]
		if mayKill {
			timeout = "0"
		}
		order := m.order(timeout)
		if err := c.SendCommand(order...); err != nil {
			m.fault("%q: %v", order, err)
			return
		}
		if mayKill {
			time.Sleep(time.Duration(rand.N(2000)) * time.Microsecond)
			m.kill(c, order)
			c = m.dial()
			continue
		}
		v, err := c.Read()
		if err != nil {
			m.fault("%q: %v", order, err)
			return
		}
		m.take(order, v)
	}
}

// kill hangs up, and counts what was given to the client before that was noticed.
func (m *market) kill(c *proxytest.Client, order []string) {
	defer c.Close()
	m.killed.Add(1)
	if err := c.CloseWrite(); err != nil {
		m.fault("%v", err)
		return
	}
	for {
		v, err := c.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			m.fault("%q, hung up: %v", order, err)
			return
		}
		if m.take(order, v) {
			m.inherits.Add(1)
		}
	}
}

// moveAround moves a slot from one primary to the next until the market closes.
func (m *market) moveAround(ctx context.Context, t *testing.T, c *redistest.Cluster, slot uint16) {
	home := c.OwnerOf(slot)
	from, primaries := home, c.Primaries()
	for i := 0; !m.closing.Load() || from != home; i++ {
		to := primaries[i%len(primaries)]
		if m.closing.Load() {
			to = home
		}
		if to == from {
			continue
		}
		if err := c.MoveSlot(ctx, slot, from, to, func() { time.Sleep(time.Millisecond) }); err != nil {
			t.Error(err)
			return
		}
		from = to
		m.moves.Add(1)
		time.Sleep(m.rest)
	}
}

// left counts what is still there.
func (m *market) left(d *proxytest.Dialog) (n int) {
	for _, key := range m.lists {
		for _, e := range d.Do("LRANGE", key, "0", "-1").Elems {
			m.got(e.Str)
			n++
		}
	}
	for _, key := range m.zsets {
		for _, e := range d.Do("ZRANGE", key, "0", "-1").Elems {
			m.got(e.Str)
			n++
		}
	}
	return n
}

// TestElementsAreGivenAwayOnce counts: producers and consumers over keys of one slot and of several, through two proxies, consumers
// that hang up, a slot that moves. Each element is consumed once or still there.
func TestElementsAreGivenAwayOnce(t *testing.T) {
	const producers, consumers = 3, 16
	c, ctx := cluster.Get(t), testContext(t)
	for name, m := range map[string]*market{
		"several slots": {lists: []string{"count:a", "count:b", "count:c", "{count}d", "{count}e"}, zsets: []string{"count:x", "count:y", "{count}z"}},
		// A node sends its blocked clients on with each move, and that is a redirect of which a command follows only so many.
		"one slot": {lists: []string{"{count}a", "{count}b", "{count}c"}, zsets: []string{"{count}x", "{count}y"}, rest: 250 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			m.times = map[string]int{}
			p, q := start(t, c, proxytest.Config{}), start(t, c, proxytest.Config{})
			m.addrs = []string{p.Addr, q.Addr}
			d := proxytest.Connect(t, p.Addr)
			for _, key := range append(m.lists, m.zsets...) {
				d.Do("DEL", key)
			}
			var making, taking, moving sync.WaitGroup
			for i := range producers {
				making.Go(func() { m.produce(i) })
			}
			for range consumers {
				taking.Go(m.consume)
			}
			moving.Go(func() { m.moveAround(ctx, t, c, redistest.Slot("{count}")) })
			for begin := time.Now(); time.Since(begin) < marketHours || !m.busy() && time.Since(begin) < 2*proxytest.Patience; {
				time.Sleep(10 * time.Millisecond)
			}
			m.closing.Store(true)
			making.Wait()
			moving.Wait()
			m.ended.Store(true)
			taking.Wait()
			left := m.left(d)
			t.Logf("%d elements, %d left; %d moves; %d consumers hung up, %d of them were served; %d waits in vain",
				m.produced.Load(), left, m.moves.Load(), m.killed.Load(), m.inherits.Load(), m.empty.Load())
			lost := 0
			for id, times := range m.times {
				if times == 0 {
					lost++
					m.fault("%s is lost", id)
				}
			}
			for _, what := range m.wrong[:min(len(m.wrong), 20)] {
				t.Error(what)
			}
			if n := len(m.times); n != int(m.produced.Load()) || !m.busy() {
				t.Errorf("%d elements known, %d produced, %d moves, %d killed: too few to tell anything", n, m.produced.Load(), m.moves.Load(), m.killed.Load())
			}
		})
	}
}

// marketHours is how long elements are produced at least.
const marketHours = 4 * time.Second

// busy reports whether enough has happened to tell something.
func (m *market) busy() bool {
	return m.produced.Load() >= 500 && m.moves.Load() >= 2 && m.killed.Load() >= 20
}
