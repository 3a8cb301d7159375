package slots

import (
	"testing"
	"time"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// viewOf makes the view of the primary at from.
func viewOf(from string, ok bool, epoch uint64, t *Table) *view {
	return newView(from, "id-"+from, clusterInfo{ok: ok, epoch: epoch}, t)
}

func TestBestView(t *testing.T) {
	old := newTestTable(0, []string{"a:1", "a:2"}, []string{"b:1"})
	failedOver := newTestTable(0, []string{"a:2", "a:1"}, []string{"b:1"})
	partial := newTestTable(0, []string{"a:1", "a:2"}, []string{"b:1"})
	partial.Slot[1] = NoShard
	for _, tt := range []struct {
		name  string
		views []*view
		want  int
	}{
		{"state before epoch", []*view{viewOf("a:1", false, 9, old), viewOf("b:1", true, 3, failedOver)}, 1},
		{"epoch before agreement", []*view{viewOf("a:1", true, 3, old), viewOf("a:2", true, 3, old), viewOf("b:1", true, 4, failedOver)}, 2},
		{"coverage before agreement", []*view{viewOf("a:1", true, 3, partial), viewOf("a:2", true, 3, partial), viewOf("b:1", true, 3, old)}, 2},
		{"agreement", []*view{viewOf("a:1", true, 3, old), viewOf("a:2", true, 3, failedOver), viewOf("b:1", true, 3, failedOver)}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := bestView(tt.views); got != tt.views[tt.want] {
				t.Errorf("chose that of %s, want view %d", got.from, tt.want)
			}
		})
	}
}

func TestChooseAgainstTheCurrentView(t *testing.T) {
	three := func(primary, replica string) *Table {
		return newTestTable(0, []string{primary, replica}, []string{"b:1"}, []string{"c:1"})
	}
	current := viewOf("b:1", true, 5, three("a:1", "a:2"))
	moved := three("a:2", "a:1")
	foreign := newTestTable(0, []string{"x:1"}, []string{"y:1"})
	for _, tt := range []struct {
		name  string
		views []*view
		want  int // index, -1: keep
	}{
		{"a newer epoch", []*view{viewOf("b:1", true, 6, moved)}, 0},
		{"the same epoch: a slot may move without a new one", []*view{viewOf("b:1", true, 5, moved)}, 0},
		{"an older epoch", []*view{viewOf("a:1", true, 4, moved)}, -1},
		{"a partitioned node", []*view{viewOf("a:1", false, 5, moved)}, -1},
		{"a partitioned node that ran for election", []*view{viewOf("a:1", false, 30, moved)}, -1},
		{"a partitioned node beside a good one", []*view{viewOf("a:1", false, 30, moved), viewOf("b:1", true, 6, moved)}, 1},
		{"the whole cluster in trouble", []*view{viewOf("b:1", false, 6, moved), viewOf("c:1", false, 6, moved)}, 0},
		{"a failed minority with replicas", []*view{viewOf("a:1", false, 6, moved), viewOf("r:1", false, 6, moved), viewOf("r:2", false, 6, moved)}, -1},
		{"another cluster beside ours", []*view{viewOf("x:1", true, 40, foreign), viewOf("b:1", true, 5, moved)}, 1},
		{"another cluster in place of ours", []*view{viewOf("x:1", true, 1, foreign)}, 0},
		{"an unfinished cluster in place of ours", []*view{viewOf("x:1", false, 1, foreign)}, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := accepted{view: current}
			got, why := a.choose(tt.views, start)
			if tt.want < 0 {
				if got != nil || why == "" || a.view != current {
					t.Errorf("chose that of %+v (%q), want none", got, why)
				}
				return
			}
			if got != tt.views[tt.want] || a.view != got || why != "" {
				t.Errorf("chose %+v (%q), want view %d", got, why, tt.want)
			}
		})
	}
}

func TestFirstViewIsTakenAsItIs(t *testing.T) {
	var a accepted
	bad := viewOf("a:1", false, 9, newTestTable(0, []string{"a:1"}))
	if got, _ := a.choose([]*view{bad}, start); got != bad {
		t.Error("the first view was turned down")
	}
	good := viewOf("b:1", true, 3, newTestTable(0, []string{"a:1"}))
	if got, _ := a.choose([]*view{good}, start); got != good {
		t.Error("a view with the majority did not replace one without, whose epoch is that of an election that failed")
	}
}

func TestLowerEpochIsBelievedInTheEnd(t *testing.T) {
	a := accepted{view: viewOf("b:1", true, 50, newTestTable(0, []string{"a:1"}, []string{"b:1"}))}
	anew := viewOf("b:1", true, 2, newTestTable(0, []string{"b:1"}, []string{"a:1"}))
	for _, at := range []time.Duration{0, time.Second, lowerEpochPatience - 1} {
		if got, _ := a.choose([]*view{anew}, start.Add(at)); got != nil {
			t.Fatalf("believed after %s", at)
		}
	}
	if got, _ := a.choose([]*view{anew}, start.Add(lowerEpochPatience)); got != anew {
		t.Error("not believed after all that time")
	}
}

func TestPatienceBeginsAnewAfterABetterView(t *testing.T) {
	current := newTestTable(0, []string{"a:1"}, []string{"b:1"})
	a := accepted{view: viewOf("b:1", true, 50, current)}
	stale := viewOf("a:1", true, 2, newTestTable(0, []string{"b:1"}, []string{"a:1"}))
	a.choose([]*view{stale}, start)
	a.choose([]*view{viewOf("b:1", true, 50, current)}, start.Add(time.Second))
	if got, _ := a.choose([]*view{stale}, start.Add(lowerEpochPatience+time.Millisecond)); got != nil {
		t.Error("a stale view was believed although better ones came meanwhile")
	}
}
