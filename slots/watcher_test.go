package slots

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	testInterval = 10 * time.Second
	testGap      = 100 * time.Millisecond
)

var errDown = errors.New("all nodes are down")

// fakeSource answers loads from a test's script.
type fakeSource struct {
	mu    sync.Mutex
	table *Table
	err   error
	takes time.Duration
	began []time.Time // of each load
}

func (s *fakeSource) set(t *Table, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table, s.err = t, err
}

func (s *fakeSource) setTakes(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes = d
}

// Load sees the topology as it is when it begins, as a slow one would.
func (s *fakeSource) Load(ctx context.Context) (*Table, error) {
	s.mu.Lock()
	s.began = append(s.began, time.Now())
	t, err, takes := s.table, s.err, s.takes
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return t, err
}

func (s *fakeSource) loads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.began)
}

// watch runs f in a bubble of virtual time against a running Watcher. published returns the tables handed to OnChange so far.
func watch(t *testing.T, src *fakeSource, f func(w *Watcher, published func() []*Table)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := NewWatcher(src, testInterval, testGap)
		var mu sync.Mutex
		var tables []*Table
		w.OnChange(func(table *Table) {
			mu.Lock()
			defer mu.Unlock()
			if w.Table() != table {
				t.Error("OnChange was called before the table was published")
			}
			tables = append(tables, table)
		})
		ended := make(chan struct{})
		go runUntilEnd(ctx, w, ended)
		synctest.Wait()
		f(w, func() []*Table {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(tables)
		})
		cancel()
		<-ended
	})
}

func runUntilEnd(ctx context.Context, w *Watcher, ended chan<- struct{}) {
	defer close(ended)
	w.Run(ctx)
}

// pass lets virtual time go by and everything due in it happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func isReady(w *Watcher) bool {
	select {
	case <-w.Ready():
		return true
	default:
		return false
	}
}

func TestWatcherBeforeRun(t *testing.T) {
	w := NewWatcher(&fakeSource{}, testInterval, testGap)
	if w.Table() == nil || w.Table().Covered() != 0 || isReady(w) {
		t.Error("a new watcher has a table or is ready")
	}
	w.Refresh("nobody listens")
	w.Refresh("and it does not block")
}

func TestWatcherLoadsAtOnceAndEveryInterval(t *testing.T) {
	src := &fakeSource{table: newTestTable(1, []string{"a:1"})}
	watch(t, src, func(w *Watcher, published func() []*Table) {
		if !isReady(w) || w.Table().Covered() != NumSlots || len(published()) != 1 {
			t.Fatalf("after the first load: ready %t, %d slots, %d tables", isReady(w), w.Table().Covered(), len(published()))
		}
		pass(3*testInterval + time.Second)
		if got := src.loads(); got != 4 {
			t.Errorf("%d loads in three intervals and the first, want 4", got)
		}
		if got := len(published()); got != 1 {
			t.Errorf("an unchanged layout was published %d times", got)
		}
	})
}

func TestWatcherKeepsReadersShardsWhenOnlyEpochAndTimeChange(t *testing.T) {
	src := &fakeSource{table: newTestTable(1, []string{"a:1"})}
	watch(t, src, func(w *Watcher, _ func() []*Table) {
		shard := w.Table().ShardOf(0)
		again := newTestTable(2, []string{"a:1"})
		again.Loaded = time.Now()
		src.set(again, nil)
		pass(testInterval)
		if got := w.Table(); got.ShardOf(0) != shard || got.Epoch != 2 || !got.Loaded.Equal(again.Loaded) {
			t.Errorf("epoch %d, loaded %s, same shard %t", got.Epoch, got.Loaded, got.ShardOf(0) == shard)
		}
	})
}

func TestWatcherPublishesAChange(t *testing.T) {
	src := &fakeSource{table: newTestTable(1, []string{"a:1", "a:2"})}
	watch(t, src, func(w *Watcher, published func() []*Table) {
		src.set(newTestTable(2, []string{"a:2"}), nil)
		pass(testInterval)
		if got := w.Table().primaryAddr(0); got != "a:2" || len(published()) != 2 {
			t.Errorf("slot 0 at %s after %d tables", got, len(published()))
		}
		if got := w.Stats(); got.Loads != 2 || got.Changes != 2 || got.Failures != 0 || got.LastSuccess.IsZero() {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestRefreshesAreCoalescedAndKeptApart(t *testing.T) {
	src := &fakeSource{table: newTestTable(1, []string{"a:1"})}
	watch(t, src, func(w *Watcher, _ func() []*Table) {
		pass(time.Second)
		for range 1000 {
			w.Refresh("test")
		}
		synctest.Wait()
		if got := src.loads(); got > 3 {
			t.Fatalf("%d loads after a burst", got)
		}
		for range 1000 { // a second
			w.Refresh("test")
			pass(time.Millisecond)
		}
		if got := src.loads(); got < 10 || got > 13 {
			t.Errorf("%d loads in a second of refreshes, want one per %s", got, testGap)
		}
		for i := 1; i < len(src.began); i++ {
			if gap := src.began[i].Sub(src.began[i-1]); gap < testGap {
				t.Errorf("loads %d and %d began %s apart", i-1, i, gap)
			}
		}
	})
}

func TestRefreshDuringALoadMakesAnother(t *testing.T) {
	src := &fakeSource{table: newTestTable(1, []string{"a:1"})}
	watch(t, src, func(w *Watcher, _ func() []*Table) {
		src.setTakes(300 * time.Millisecond)
		pass(time.Second)
		w.Refresh("one")
		pass(150 * time.Millisecond) // that load is under way and has seen the old layout
		src.set(newTestTable(2, []string{"b:1"}), nil)
		w.Refresh("two")
		pass(time.Second)
		if got := w.Table().primaryAddr(0); got != "b:1" {
			t.Errorf("slot 0 at %s: the second refresh was lost", got)
		}
		if got := src.loads(); got != 3 {
			t.Errorf("%d loads, want 3", got)
		}
	})
}

func TestWatcherBacksOffUntilTheFirstLoad(t *testing.T) {
	src := &fakeSource{err: errDown}
	watch(t, src, func(w *Watcher, published func() []*Table) {
		for range 100 {
			w.Refresh("does not hurry") // before the first success
			pass(100 * time.Millisecond)
		}
		if isReady(w) || len(published()) != 0 {
			t.Error("ready without a table")
		}
		for i := 1; i < len(src.began); i++ {
			whole := min(minBackoff<<min(i-1, 10), maxBackoff)
			if gap := src.began[i].Sub(src.began[i-1]); gap < whole/2 || gap > whole {
				t.Errorf("wait %d is %s, want %s to %s", i, gap, whole/2, whole)
			}
		}
		if got := w.Stats(); got.Failures != uint64(src.loads()) || !got.Failing {
			t.Errorf("stats %+v after %d loads", got, src.loads())
		}
		src.set(newTestTable(1, []string{"a:1"}), nil)
		pass(maxBackoff)
		if !isReady(w) || w.Stats().Failing {
			t.Error("not ready when a seed lives")
		}
	})
}

func TestWatcherKeepsItsTableWhileLoadsFail(t *testing.T) {
	src := &fakeSource{table: newTestTable(1, []string{"a:1"})}
	watch(t, src, func(w *Watcher, published func() []*Table) {
		src.set(nil, errDown)
		pass(testInterval + 5*time.Second)
		if got := w.Table().primaryAddr(0); got != "a:1" || len(published()) != 1 {
			t.Errorf("slot 0 at %q after %d tables", got, len(published()))
		}
		if got := w.Stats().Failures; got < 5 {
			t.Errorf("%d failures in 5 s: it does not retry before the next interval", got)
		}
		src.set(nil, nil) // a source that breaks its promise
		pass(5 * time.Second)
		if got := w.Table().primaryAddr(0); got != "a:1" {
			t.Errorf("slot 0 at %q after a nil table", got)
		}
	})
}

func TestRunEndsDuringALoad(t *testing.T) {
	src := &fakeSource{table: newTestTable(1, []string{"a:1"}), takes: time.Hour}
	watch(t, src, func(w *Watcher, published func() []*Table) {
		pass(time.Second)
		if len(published()) != 0 {
			t.Error("published before the load ended")
		}
	})
	if got := src.loads(); got != 1 {
		t.Errorf("%d loads", got)
	}
}

func TestWithoutAnIntervalOnlyRefreshLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{table: newTestTable(1, []string{"a:1"})}
		w := NewWatcher(src, 0, testGap)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go runUntilEnd(ctx, w, ended)
		pass(24 * time.Hour)
		if got := src.loads(); got != 1 {
			t.Errorf("%d loads in a day without an interval", got)
		}
		w.Refresh("test")
		pass(testGap)
		if got := src.loads(); got != 2 {
			t.Errorf("%d loads after Refresh", got)
		}
		cancel()
		<-ended
	})
}
