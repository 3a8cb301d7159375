package dispatcher

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"redis-cluster-proxy/backend"
)

// maxBackoff is the longest wait between two attempts.
const maxBackoff = 250 * time.Millisecond

// backoff grows from first, doubling with each attempt from 1 on, and is
// spread by half so that sessions do not come back all at once.
func backoff(attempt int, first time.Duration) time.Duration {
	d := maxBackoff
	if attempt < 10 {
		d = min(d, first<<max(attempt-1, 0))
	}
	return d/2 + rand.N(d/2+1)
}

// waitAfter is how long a part waits before attempt number attempts+1.
func waitAfter(b bounce, attempts int) time.Duration {
	switch b {
	case bounceMoved, bounceAsk, bounceNoScript:
		if attempts <= 2 {
			return 0
		}
		return backoff(attempts-2, time.Millisecond)
	case bounceTryAgain:
		if attempts == 2 {
			return 0 // key by key, at once
		}
		return backoff(attempts, time.Millisecond)
	case bounceLost:
		if attempts == 1 {
			return 0 // the node may accept the next connection
		}
		return backoff(attempts-1, 5*time.Millisecond)
	default:
		return backoff(attempts, 5*time.Millisecond)
	}
}

// retry is the time at which the hold of a slot of a session is to be looked
// at.
type retry struct {
	at   int64 // by backend.Now
	pipe *Pipeline
	slot uint16
}

// retryQueue is the retries to come. Entries are hints: looking at a hold too
// early or once too often does no harm.
type retryQueue struct {
	mu sync.Mutex
	// Guarded by mu.
	heap  retryHeap
	urged bool // the routes have changed: all are due

	wake chan struct{} // holds at most one token
}

func (q *retryQueue) init() { q.wake = make(chan struct{}, 1) }

func (q *retryQueue) add(p *Pipeline, slot uint16, at int64) {
	q.mu.Lock()
	heap.Push(&q.heap, retry{at: at, pipe: p, slot: slot})
	first := q.heap[0].at == at
	q.mu.Unlock()
	if first {
		q.signal()
	}
}

func (q *retryQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// hurry makes everything due: what it waited for may have come.
func (q *retryQueue) hurry() {
	q.mu.Lock()
	q.urged = len(q.heap) > 0
	urged := q.urged
	q.mu.Unlock()
	if urged {
		q.signal()
	}
}

// due takes what is due out of the queue. wait is how long until the next, or
// negative.
func (q *retryQueue) due() (list []retry, urged bool, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := backend.Now()
	urged, q.urged = q.urged, false
	for len(q.heap) > 0 && (urged || q.heap[0].at <= now) {
		list = append(list, heap.Pop(&q.heap).(retry))
	}
	if len(q.heap) == 0 {
		return list, urged, -1
	}
	return list, urged, time.Duration(q.heap[0].at - now)
}

// retryLoop advances holds when their time has come.
func (d *Dispatcher) retryLoop(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		list, urged, wait := d.retries.due()
		for _, r := range list {
			r.pipe.advance(r.slot, urged)
		}
		if wait < 0 {
			wait = time.Hour
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-d.retries.wake:
		case <-timer.C:
		}
	}
}

// advance looks at the hold of slot; now makes its first part due.
func (p *Pipeline) advance(slot uint16, now bool) {
	p.mu.Lock()
	if h := p.holdOf(slot); h != nil {
		for _, pt := range h.waiting {
			pt.timed = false // it may have been its entry
		}
		pt := h.waiting[0]
		if now && pt.target == "" {
			pt.notBefore = 0
		}
	}
	p.unlockAndSend(p.advanceLocked(slot, nil))
}

// retryHeap orders by time.
type retryHeap []retry

func (h retryHeap) Len() int           { return len(h) }
func (h retryHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h retryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *retryHeap) Push(x any) { *h = append(*h, x.(retry)) }

// Pop implements heap.Interface.
func (h *retryHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = retry{}
	*h = old[:len(old)-1]
	return last
}
