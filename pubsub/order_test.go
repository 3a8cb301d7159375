package pubsub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/resp"
)

// TestMessagesAreHeardFromConfirmationToEnd has clients come and go while messages are published and connections are lost.
// Between its confirmation and its end each hears all that is published, in order and once, save what is lost with a
// connection; and nothing outside of that.
func TestMessagesAreHeardFromConfirmationToEnd(t *testing.T) {
	c := newCluster(t, "A", "B")
	stop := make(chan struct{})
	var publishing sync.WaitGroup
	var mu sync.Mutex
	published := 0
	publishing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			mu.Lock()
			c.publish(c.Owner('n'), "news", fmt.Sprint(published))
			published++
			mu.Unlock()
			if published%50 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			for range 30 {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				l := c.listener(resp.Proto(2 + i%2))
				if err := l.Join(someone, Channel, []string{"news"}).Wait(ctx, func(told []byte) { l.Gather(told, false) }); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				first := published
				mu.Unlock()
				time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
				mu.Lock()
				last := published
				mu.Unlock()
				eventually(t, "all is heard", func() bool { return last == first || strings.Contains(l.heard(), fmt.Sprintf("\r\n%d\r\n", last-1)) })
				l.Leave(Channel, nil).Wait(ctx)
				l.FlushGathered()
				checkRun(t, l.heard(), first, last)
				l.Close()
			}
		})
	}
	clients.Wait()
	close(stop)
	publishing.Wait()
}

// checkRun checks that a client heard a confirmation, and then messages without a gap, those from first to last among them.
func checkRun(t *testing.T, heard string, first, last int) {
	t.Helper()
	next := -1
	for i := 0; heard != ""; i++ {
		v, n, err := resp.ReadValue([]byte(heard))
		if err != nil || n == 0 || len(v.Elems) != 3 {
			t.Fatalf("%q: %v", heard, err)
		}
		heard = heard[n:]
		if i == 0 {
			if v.Elems[0].Str != "subscribe" {
				t.Errorf("a message before the confirmation: %+v", v)
			}
			continue
		}
		number := 0
		fmt.Sscan(v.Elems[2].Str, &number)
		if next >= 0 && number != next || next < 0 && number > first && last > first {
			t.Fatalf("message %d instead of %d (from %d)", number, next, first)
		}
		next = number + 1
	}
	if last > first && next < last {
		t.Errorf("heard up to %d of %d", next, last)
	}
}

// TestTooMuchIsLeftAtTheNode: while clients cannot be served the connection is not read beyond a bound, and nothing is lost.
func TestTooMuchIsLeftAtTheNode(t *testing.T) {
	c := newCluster(t, "A")
	l := c.listener(resp.RESP3)
	l.join(t, Channel, "news")
	payload := strings.Repeat("x", maxGathered/8)
	hear := sync.OnceFunc(l.ear.deaf.Unlock)
	l.ear.deaf.Lock()
	defer hear() // or the hub never ends when this fails
	const messages = 20
	for range messages {
		c.publish("A", "news", payload)
	}
	c.hub.mu.RLock()
	trunk := c.hub.trunks[trunkKey{"A", someone}]
	c.hub.mu.RUnlock()
	eventually(t, "the pause", func() bool {
		trunk.fan.mu.Lock()
		defer trunk.fan.mu.Unlock()
		return trunk.fan.paused && len(trunk.fan.next.bytes) < 2*maxGathered
	})
	hear()
	l.hears(t, strings.Repeat(pushed(resp.RESP3, "message", "news", payload), messages))
	l.Close()
}
