package slots

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/glog"
)

const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = time.Second
	// unsettledWait is the wait between loads while the cluster is changing: requests are held for what it turns into.
	unsettledWait = 250 * time.Millisecond
)

var errNoTable = errors.New("slots: source returned no table")

// Watcher keeps the current Table of a Source. All methods are safe for concurrent use.
type Watcher struct {
	// Set at construction.
	src      Source
	interval time.Duration
	minGap   time.Duration
	wake     chan string   // holds at most one reason for a load that has not begun
	ready    chan struct{} // closed after the first load

	// Written under mu, read without.
	table atomic.Pointer[Table]

	// Owned by refreshLoop.
	loaded    *Table // what the Source returned last
	unsettled bool   // the last load found a cluster that is changing
	failures  int    // loads failed in a row
	failedAt  time.Time

	// Guarded by mu, also while callbacks run, so that they see the tables in order.
	mu       sync.Mutex
	onChange []func(*Table)
	patches  patches
	stats    Stats
}

// Stats are figures of a Watcher since its start.
type Stats struct {
	Loads       uint64    // loads that succeeded
	Failures    uint64    // loads that failed
	Changes     uint64    // tables published because a load found another layout
	Moved       uint64    // tables published because of a redirect
	LastSuccess time.Time // end of the last load that succeeded; zero if none did
	Failing     bool      // the last load failed
}

// NewWatcher returns a Watcher that loads from src every interval and when asked to, with at least minGap between the beginnings of two
// loads. interval <= 0: only when asked to. It starts nothing; see Run.
func NewWatcher(src Source, interval, minGap time.Duration) *Watcher {
	w := &Watcher{
		src:      src,
		interval: interval,
		minGap:   minGap,
		wake:     make(chan string, 1),
		ready:    make(chan struct{}),
		patches:  patches{},
	}
	w.table.Store(NewTable(Hash))
	return w
}

// Run loads, publishes and waits until ctx ends. The first load begins at once and is repeated, at growing distances of up to a
// second, until one succeeds. Call it once.
func (w *Watcher) Run(ctx context.Context) { w.refreshLoop(ctx) }

// Table returns the current snapshot, never nil: before the first load it covers no slot. It takes no lock.
func (w *Watcher) Table() *Table { return w.table.Load() }

// Ready is closed when the first load has succeeded and its Table is published.
func (w *Watcher) Ready() <-chan struct{} { return w.ready }

// Stats returns the figures so far.
func (w *Watcher) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}

// OnChange registers f to be called with each Table of another layout, in the order of publication, from Run or from the caller of
// Moved. f must return soon and must not call Moved, OnChange or Stats; Table and Refresh are fine. Call it before Run.
func (w *Watcher) OnChange(f func(*Table)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onChange = append(w.onChange, f)
}

// Refresh asks for a load that begins after this call; reason is for the log. It never blocks. Calls that come before that load begins
// are one.
func (w *Watcher) Refresh(reason string) {
	select {
	case w.wake <- reason:
	default:
	}
}

// Moved tells that a node redirected slot to addr (host:port as ResolveAddr returns it). The Table is patched before Moved
// returns, and a load is asked for. A load that began before the call does not undo the patch.
func (w *Watcher) Moved(slot uint16, addr string) {
	if slot >= NumSlots || addr == "" {
		return
	}
	w.patch(slot, addr)
	w.Refresh("MOVED")
}

func (w *Watcher) patch(slot uint16, addr string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	current := w.table.Load()
	w.patches.add(slot, addr, current.Epoch)
	next := current.WithMoved(slot, addr)
	if next == current {
		return
	}
	w.stats.Moved++
	glog.V(1).Infof("slots: slot %d moved %s -> %s", slot, orNone(current.primaryAddr(slot)), addr)
	w.publishLocked(next)
}

// refreshLoop is the only goroutine that loads.
func (w *Watcher) refreshLoop(ctx context.Context) {
	reason := "start"
	for {
		began := time.Now()
		w.load(ctx, reason)
		var ok bool
		if reason, ok = w.pause(ctx, began); !ok {
			return
		}
	}
}

// pause waits until the next load is due and returns its reason; false if ctx ended. Before the first success only the backoff
// counts: there is nobody to hurry for, and refusals would otherwise be answered by hammering.
func (w *Watcher) pause(ctx context.Context, began time.Time) (string, bool) {
	reason, wait, wake := "interval", w.interval, w.wake
	if w.unsettled && (wait <= 0 || unsettledWait < wait) {
		reason, wait = "unsettled", unsettledWait
	}
	if w.failures > 0 {
		reason = "retry"
		if delay := backoff(w.failures); wait <= 0 || delay < wait {
			wait = delay
		}
	}
	if w.loaded == nil {
		wake = nil
	}
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return "", false
		case <-timer.C:
		case reason = <-wake:
		}
	} else {
		select {
		case <-ctx.Done():
			return "", false
		case reason = <-wake:
		}
	}
	if gap := w.minGap - time.Since(began); gap > 0 && w.loaded != nil {
		timer := time.NewTimer(gap)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return "", false
		case <-timer.C:
		}
	}
	select {
	case reason = <-w.wake: // whoever asked meanwhile is served by this load
	default:
	}
	return reason, true
}

// backoff returns the wait after the nth failure in a row: doubling, between a half and the whole of it at random.
func backoff(n int) time.Duration {
	d := maxBackoff
	if n <= 6 {
		d = min(minBackoff<<(n-1), maxBackoff)
	}
	return d/2 + rand.N(d/2+1)
}

// load makes one load and publishes what it found.
func (w *Watcher) load(ctx context.Context, reason string) {
	w.mu.Lock()
	mark := w.patches.mark()
	w.mu.Unlock()
	t, err := w.src.Load(ctx)
	if err == nil && t == nil {
		err = errNoTable
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		w.loadFailed(err)
		return
	}
	if w.failures > 0 {
		glog.Infof("slots: layout can be loaded again after %d failures in %s", w.failures, time.Since(w.failedAt).Round(time.Millisecond))
	}
	w.failures = 0
	w.publishLoaded(t, mark, reason)
}

func (w *Watcher) loadFailed(err error) {
	if w.failures == 0 {
		w.failedAt = time.Now()
		glog.Warningf("slots: layout cannot be loaded: %v", err)
	}
	w.failures++
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Failures++
	w.stats.Failing = true
}

// publishLoaded publishes a load's result with the patches it cannot know of laid over it.
func (w *Watcher) publishLoaded(t *Table, mark uint64, reason string) {
	first := w.loaded == nil
	w.unsettled = t.lacksPrimary() // a failover is to come
	if first {
		glog.Infof("slots: layout loaded: %s", t.describe())
	} else if t != w.loaded && !sameLayout(t, w.loaded) {
		glog.Infof("slots: layout changed (%s): %s: %s", reason, t.describe(), describeChange(w.loaded, t))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Loads++
	w.stats.Failing = false
	w.stats.LastSuccess = time.Now()
	current := w.table.Load()
	next := t.withMoved(w.patches.over(t, mark, t == w.loaded))
	w.loaded = t
	if !first && sameLayout(current, next) {
		if current.Epoch != next.Epoch || !current.Loaded.Equal(next.Loaded) {
			same := *current // keeps the shards and nodes that readers may hold
			same.Epoch, same.Loaded = next.Epoch, next.Loaded
			w.table.Store(&same)
		}
		return
	}
	w.stats.Changes++
	w.publishLocked(next)
	if first {
		close(w.ready)
	}
}

func (w *Watcher) publishLocked(t *Table) {
	w.table.Store(t)
	for _, f := range w.onChange {
		f(t)
	}
}
