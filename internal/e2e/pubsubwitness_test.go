package e2e

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// agreedStraggle is the Straggle of the proxy whose publishers are to be told exactly who hears, and lateBus for how long the
// bus has to keep a message for that to be blamed on it.
const (
	agreedStraggle = 100 * time.Millisecond
	lateBus        = agreedStraggle / 2
)

// witness publishes at one node and hears at another, neither by the proxy: so it is known how late the cluster's bus is.
type witness struct {
	t        *testing.T
	pub, sub *proxytest.Dialog
	stopping atomic.Bool
	running  sync.WaitGroup

	late time.Duration // the longest between a PUBLISH and its message; read when it has ended
}

// watchBus watches the way from the owner of one name's slot to that of another's.
func watchBus(t *testing.T, c *redistest.Cluster, from, to string) *witness {
	t.Helper()
	w := &witness{t: t}
	w.pub = proxytest.Connect(t, c.OwnerOf(redistest.Slot(from)).Addr)
	w.sub = proxytest.Connect(t, c.OwnerOf(redistest.Slot(to)).Addr)
	w.sub.Do("SUBSCRIBE", "witness")
	w.running.Go(w.watch)
	return w
}

func (w *witness) watch() {
	for !w.stopping.Load() {
		said := time.Now() // not when it was answered: a node that stands still behind an answer of the proxy keeps this one back, too
		_, err := w.pub.Client.Do("PUBLISH", "witness", "x")
		if err == nil {
			_, err = w.sub.Read()
		}
		if err != nil {
			w.t.Errorf("the cluster's bus: %v", err)
			return
		}
		w.late = max(w.late, time.Since(said))
		time.Sleep(time.Millisecond)
	}
}

// end returns for how long the bus has kept a message, at the most.
func (w *witness) end() time.Duration {
	w.stopping.Store(true)
	w.running.Wait()
	_, _ = w.pub.Close(), w.sub.Close()
	return w.late
}
