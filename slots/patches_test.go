package slots

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestMovedPatchesAtOnce(t *testing.T) {
	src := &fakeSource{table: newTestTable(1, []string{"a:1"}, []string{"b:1"})}
	watch(t, src, func(w *Watcher, published func() []*Table) {
		pass(time.Second)
		w.Moved(5, "b:1")
		if got := w.Table().primaryAddr(5); got != "b:1" {
			t.Errorf("slot 5 at %s right after Moved", got)
		}
		if got := published(); len(got) != 2 || got[1] != w.Table() {
			t.Errorf("%d tables published, want the patched one too", len(got))
		}
		synctest.Wait()
		if got := src.loads(); got != 2 {
			t.Errorf("%d loads, want one asked for by Moved", got)
		}
		w.Moved(5, "b:1") // said again by commands that were under way
		w.Moved(NumSlots, "b:1")
		w.Moved(6, "")
		if got := len(published()); got != 2 {
			t.Errorf("%d tables published, want no more", got)
		}
	})
}

func TestMovedBeforeTheFirstLoad(t *testing.T) {
	w := NewWatcher(&fakeSource{}, testInterval, testGap)
	w.Moved(5, "b:1")
	if got := w.Table(); got.primaryAddr(5) != "b:1" || got.Covered() != 1 {
		t.Errorf("slot 5 at %q, %d covered", got.primaryAddr(5), got.Covered())
	}
}

func TestPatchSurvivesALoadThatBeganBeforeIt(t *testing.T) {
	for _, epoch := range []uint64{1, 2} { // what the load found may be newer than the table, and still older than the redirect
		src := &fakeSource{table: newTestTable(1, []string{"a:1"}, []string{"b:1"})}
		watch(t, src, func(w *Watcher, published func() []*Table) {
			pass(time.Second)
			src.set(newTestTable(epoch, []string{"a:1"}, []string{"b:1", "b:2"}), nil)
			src.setTakes(500 * time.Millisecond)
			w.Refresh("test")
			pass(100 * time.Millisecond)
			w.Moved(5, "b:1")
			src.set(newTestTable(epoch, []string{"a:1"}, []string{"b:1", "b:2"}).WithMoved(5, "b:1"), nil)
			pass(10 * time.Second)
			for i, table := range published()[1:] {
				if got := table.primaryAddr(5); got != "b:1" {
					t.Errorf("epoch %d: table %d after the patch has slot 5 at %s", epoch, i, got)
				}
			}
			if got := w.Table().NodeAt("b:2"); got == nil {
				t.Error("the load's result was lost")
			}
		})
	}
}

func TestPatchOutlivesNodesThatLag(t *testing.T) {
	table := newTestTable(1, []string{"a:1"}, []string{"b:1"})
	src := &fakeSource{table: table}
	watch(t, src, func(w *Watcher, published func() []*Table) {
		pass(time.Second)
		src.set(newTestTable(1, []string{"a:1"}, []string{"b:1"}), nil) // a fresh view, but of a node that was not told
		w.Moved(5, "b:1")
		pass(patchLife / 2)
		if got := w.Table().primaryAddr(5); got != "b:1" {
			t.Errorf("a lagging view put slot 5 back to %s", got)
		}
		pass(patchLife)
		src.set(newTestTable(1, []string{"a:1"}, []string{"b:1"}), nil)
		w.Refresh("later")
		pass(testGap)
		if got := w.Table().primaryAddr(5); got != "a:1" {
			t.Errorf("slot 5 at %s although the cluster still denies it after %s", got, patchLife)
		}
	})
}

func TestNewerEpochOverrulesAPatch(t *testing.T) {
	src := &fakeSource{table: newTestTable(1, []string{"a:1"}, []string{"b:1"})}
	watch(t, src, func(w *Watcher, _ func() []*Table) {
		pass(time.Second)
		src.set(newTestTable(2, []string{"c:1"}, []string{"b:1"}), nil)
		w.Moved(5, "b:1")
		synctest.Wait() // the load that Moved asked for began after the patch
		if got := w.Table().primaryAddr(5); got != "c:1" {
			t.Errorf("slot 5 at %s, want c:1 of the newer epoch", got)
		}
	})
}

func TestPatchStaysWhileTheSourceLearnsNothing(t *testing.T) {
	table := newTestTable(1, []string{"a:1"}, []string{"b:1"})
	src := &fakeSource{table: table} // the same pointer again and again
	watch(t, src, func(w *Watcher, _ func() []*Table) {
		pass(time.Second)
		w.Moved(5, "b:1")
		pass(5 * testInterval)
		if got := w.Table().primaryAddr(5); got != "b:1" {
			t.Errorf("slot 5 at %s", got)
		}
	})
}

func TestTheNewestRedirectCounts(t *testing.T) {
	src := &fakeSource{table: newTestTable(1, []string{"a:1"}, []string{"b:1"})}
	watch(t, src, func(w *Watcher, _ func() []*Table) {
		pass(time.Second)
		src.setTakes(time.Second)
		w.Refresh("test")
		pass(testGap)
		w.Moved(5, "b:1")
		w.Moved(5, "a:1") // said by a node that lagged behind, or moved back
		pass(5 * time.Second)
		if got := w.Table().primaryAddr(5); got != "a:1" {
			t.Errorf("slot 5 at %s, want a:1", got)
		}
	})
}

func TestTablesAreHandedOutInOrder(t *testing.T) {
	src := &fakeSource{table: newTestTable(1, []string{"a:1"}, []string{"b:1"})}
	watch(t, src, func(w *Watcher, published func() []*Table) {
		var movers sync.WaitGroup
		for i := range 8 {
			movers.Add(1)
			go moveMany(w, &movers, uint16(i*100))
		}
		movers.Wait()
		last := published()
		if last[len(last)-1] != w.Table() {
			t.Error("the table handed out last is not the current one")
		}
		if got := w.Stats().Moved; got != 8*50 || len(last) < 8*50+1 {
			t.Errorf("%d patches, %d tables", got, len(last))
		}
	})
}

func moveMany(w *Watcher, done *sync.WaitGroup, from uint16) {
	defer done.Done()
	for slot := from; slot < from+50; slot++ {
		w.Moved(slot, "b:1")
	}
}
