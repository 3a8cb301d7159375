package e2e

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// consumers pop from one list and leave at any time.
type consumers struct {
	addr, key string
	popped    atomic.Int64
	rounds    atomic.Int64
}

// consume blocks, leaves at a random moment by shutting down its side, and counts what it is still given.
func (c *consumers) consume(t *testing.T, rounds int) {
	for range rounds {
		d, err := proxytest.Dial(c.addr)
		if err != nil {
			t.Error(err)
			return
		}
		err = d.SendCommand("BLPOP", c.key, "0")
		time.Sleep(rand.N(2 * time.Millisecond))
		if err == nil {
			err = d.CloseWrite()
		}
		var rest []byte
		if err == nil {
			rest, err = d.ReadRest()
		}
		d.Close()
		if err != nil {
			t.Error(err)
			return
		}
		c.rounds.Add(1)
		for len(rest) > 0 {
			v, n, err := resp.ReadValue(rest)
			if err != nil || n == 0 || len(v.Elems) != 2 {
				t.Errorf("%q", rest)
				return
			}
			c.popped.Add(1)
			rest = bytes.Clone(rest[n:])
		}
	}
}

// TestLeavingCostsNoElement counts what clients get that leave while they are blocked.
func TestLeavingCostsNoElement(t *testing.T) {
	const workers, rounds = 8, 400
	p := start(t, cluster.Get(t), proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	c := &consumers{addr: p.Addr, key: t.Name()}
	d.Do("DEL", c.key)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() { c.consume(t, rounds) })
	}
	c.feed(t, d, &running, workers*rounds)
	eventually(t, "all connections are given back", func() bool {
		held := 0
		for _, n := range p.Pool.Nodes() {
			held += n.Stats().Held
		}
		return held == 0
	})
}

// serve pops one element after the other until it is killed, and then comes back, until it has been killed so often.
func (c *consumers) serve(t *testing.T, kills int, ids chan<- int64) {
	for range kills {
		d, err := proxytest.Dial(c.addr)
		if err != nil {
			t.Error(err)
			return
		}
		v, err := d.Do("CLIENT", "ID")
		if err == nil {
			ids <- v.Int
		}
		for err == nil {
			if v, err = d.Do("BLPOP", c.key, "0"); err == nil && len(v.Elems) == 2 {
				c.popped.Add(1)
			} else if err == nil {
				t.Errorf("BLPOP: %+v", v)
			}
		}
		d.Close()
		c.rounds.Add(1)
	}
}

// feed pushes until the consumers, which running are, have made so many rounds together, and counts.
func (c *consumers) feed(t *testing.T, d *proxytest.Dialog, running *sync.WaitGroup, rounds int64) {
	t.Helper()
	pushed := int64(0)
	for c.rounds.Load() < rounds && !t.Failed() {
		if v := d.Do("RPUSH", c.key, "v"); v.Kind != ':' {
			t.Fatalf("RPUSH: %+v", v)
		}
		pushed++
		time.Sleep(rand.N(500 * time.Microsecond))
	}
	running.Wait()
	left := d.Do("LLEN", c.key).Int
	if got := c.popped.Load(); got+left != pushed {
		t.Errorf("%d pushed, %d popped, %d left: %d are lost", pushed, got, left, pushed-got-left)
	} else {
		t.Logf("%d pushed, %d popped in %d rounds, %d left", pushed, got, rounds, left)
	}
	d.Do("DEL", c.key)
}

// TestKillingCostsNoElement counts what clients get that are killed while they are blocked.
func TestKillingCostsNoElement(t *testing.T) {
	const workers, kills = 8, 40
	p := start(t, cluster.Get(t), proxytest.Config{})
	ctx := testContext(t)
	d, killer := proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	c := &consumers{addr: p.Addr, key: t.Name()}
	d.Do("DEL", c.key)
	ids := make(chan int64, workers)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() { c.serve(t, kills, ids) })
	}
	running.Go(func() {
		for range workers * kills {
			var id string
			select {
			case n := <-ids:
				id = strconv.FormatInt(n, 10)
			case <-ctx.Done():
				t.Error("not all have come back")
				return
			}
			for !t.Failed() && !strings.Contains(killer.Do("CLIENT", "LIST", "ID", id).Str, " flags=b ") {
				time.Sleep(100 * time.Microsecond)
			}
			time.Sleep(rand.N(time.Millisecond))
			killer.Do("CLIENT", "KILL", "ID", id)
		}
	})
	c.feed(t, d, &running, workers*kills)
}
