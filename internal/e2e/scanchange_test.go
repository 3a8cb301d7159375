package e2e

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// TestScanWhileTheClusterChanges: two proxies take turns at each scan, while slots move about, key by key, to a new node and
// back, and primaries die. No scan misses a key that was there all the time.
func TestScanWhileTheClusterChanges(t *testing.T) {
	c, ctx := breakable.Get(t), testContext(t)
	// A real process leaves its poller half of the threads. Here are two processes' pollers, beside which each step of
	// MoveSlot, two for each key, would wait for a thread.
	threads := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(max(threads, 8))
	t.Cleanup(func() { runtime.GOMAXPROCS(threads) })
	cfg := proxytest.Config{ReloadInterval: 500 * time.Millisecond}
	cfg.Dispatcher = dispatcher.Config{RedirectTimeout: proxytest.Patience}
	one, two := start(t, c, cfg), start(t, c, cfg)
	d := proxytest.Connect(t, one.Addr)
	d.Do("FLUSHALL")
	var keys []string
	for i := range 1000 {
		keys = append(keys, fmt.Sprintf("change:%d", i), fmt.Sprintf("{change%d}:%d", i%10, i))
	}
	for i := range 1000 {
		keys = append(keys, fmt.Sprintf("{big}:%d", i))
	}
	setKeys(t, d, keys)
	for _, n := range c.Primaries() { // what a replica does not have yet is lost with its primary
		if got, err := n.Client().Do(ctx, "wait", 1, proxytest.Patience.Milliseconds()).Int(); err != nil || got != 1 {
			t.Fatalf("WAIT: %d, %v", got, err)
		}
	}

	s := startScans(t, []string{one.Addr, two.Addr}, keys)
	added, err := c.AddNode(ctx)
	if err != nil {
		t.Fatal(err)
	}
	homes := map[uint16]*redistest.Node{redistest.Slot("{big}"): nil}
	for i := range 10 {
		homes[redistest.Slot(fmt.Sprintf("{change%d}", i))] = nil
	}
	primaries := append(c.Primaries(), added)
	for slot := range homes {
		homes[slot] = c.OwnerOf(slot)
		if err := c.MoveSlot(ctx, slot, nil, primaries[int(slot)%len(primaries)], nil); err != nil {
			t.Fatal(err)
		}
	}
	for slot, home := range homes {
		if err := c.MoveSlot(ctx, slot, nil, home, nil); err != nil {
			t.Fatal(err)
		}
	}
	moved := s.completed()
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveNode(ctx, added); err != nil {
		t.Fatal(err)
	}
	victim := c.OwnerOf(redistest.Slot("{big}"))
	lowest := redistest.Slot("{big}")
	victim.Kill()
	takeOver(t, c, lowest, victim)
	eventually(t, "scans went on", func() bool { return s.completed() > moved+1 })
	if err := victim.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	waitForgotten(t, c, added)
	s.end()
	t.Logf("%d scans, %d of them while slots moved", s.completed(), moved)
	if moved == 0 {
		t.Error("no scan ended while slots moved")
	}
}

// scans is clients that scan again and again.
type scans struct {
	t       *testing.T
	keys    []string
	stop    context.CancelFunc
	running sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	done int
}

func startScans(t *testing.T, addrs []string, keys []string) *scans {
	ctx, cancel := context.WithCancel(testContext(t))
	s := &scans{t: t, keys: keys, stop: cancel}
	for _, options := range []string{"COUNT 10", "COUNT 100", "COUNT 1000", "COUNT 100 TYPE string", "COUNT 1000 MATCH *"} {
		s.running.Add(1)
		go s.loop(ctx, addrs, strings.Fields(options))
	}
	t.Cleanup(s.end)
	return s
}

func (s *scans) loop(ctx context.Context, addrs, options []string) {
	defer s.running.Done()
	var clients []*proxytest.Client
	for _, addr := range addrs {
		c, err := proxytest.Dial(addr)
		if err != nil {
			s.t.Error(err)
			return
		}
		defer c.Close()
		clients = append(clients, c)
	}
	for ctx.Err() == nil {
		seen, calls, err := scanAll(clients, options...)
		if err != nil {
			s.t.Errorf("SCAN %q: %v", options, err)
			return
		}
		missed := 0
		for _, key := range s.keys {
			if seen[key] == 0 {
				missed++
			}
		}
		if missed > 0 {
			s.t.Errorf("SCAN %q: %d of %d keys were missed in %d calls", options, missed, len(s.keys), calls)
		}
		s.mu.Lock()
		s.done++
		s.mu.Unlock()
	}
}

func (s *scans) completed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

func (s *scans) end() {
	s.stop()
	s.running.Wait()
}
