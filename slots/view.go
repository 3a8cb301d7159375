package slots

import "time"

// view is what one node says about the cluster.
type view struct {
	from      string // address of the node
	id        string // its id, "" if unknown
	ok        bool   // cluster_state:ok
	epoch     uint64
	covered   int
	table     *Table
	signature uint64
}

func newView(from, id string, info clusterInfo, t *Table) *view {
	return &view{from: from, id: id, ok: info.ok, epoch: info.epoch, covered: t.Covered(), table: t, signature: t.signature()}
}

// lowerEpochPatience is for how long views of a lower epoch are turned down while no better one is to be had. A node that was
// paused or cut off takes far less to learn what it missed, or to see that it is alone (cluster-node-timeout, 15 s by
// default); a cluster that was made anew on the same nodes would otherwise never be believed.
const lowerEpochPatience = 30 * time.Second

// accepted is the view behind the current table and the case for another one.
type accepted struct {
	view *view
	// lowerSince is when views of a lower epoch began to be the best to be had; zero while they are not.
	lowerSince time.Time
}

// choose returns the best of views if it may replace the accepted one, else nil and why not. now is the time of the views.
func (a *accepted) choose(views []*view, now time.Time) (best *view, why string) {
	views = a.related(views)
	if best = bestView(views); best == nil {
		return nil, "no view"
	}
	last := a.view
	if last == nil || best.ok && !last.ok || best.ok && disjoint(best.table, last.table) {
		a.accept(best)
		return best, ""
	}
	if best.epoch < last.epoch {
		if !best.ok {
			a.lowerSince = time.Time{}
			return nil, "the nodes that answer see cluster_state:fail in an older epoch"
		}
		if a.lowerSince.IsZero() {
			a.lowerSince = now
		}
		if now.Sub(a.lowerSince) < lowerEpochPatience {
			return nil, "the nodes that answer know an older epoch only"
		}
	}
	if last.ok && !best.ok && !majority(views, best, last) {
		return nil, "the nodes that answer see cluster_state:fail and are no majority"
	}
	a.accept(best)
	return best, ""
}

func (a *accepted) accept(v *view) {
	a.view = v
	a.lowerSince = time.Time{}
}

// related leaves out views of another cluster (a seed that was given away, say) as long as there are views of ours.
func (a *accepted) related(views []*view) []*view {
	if a.view == nil {
		return views
	}
	var ours []*view
	for _, v := range views {
		if !disjoint(v.table, a.view.table) {
			ours = append(ours, v)
		}
	}
	if len(ours) == 0 {
		return views
	}
	return ours
}

// bestView prefers a node that sees the majority, then the higher epoch, then more slots, then what more nodes agree on.
func bestView(views []*view) *view {
	agree := map[uint64]int{}
	for _, v := range views {
		agree[v.signature]++
	}
	var best *view
	for _, v := range views {
		if best == nil || v.beats(best, agree) {
			best = v
		}
	}
	return best
}

func (v *view) beats(o *view, agree map[uint64]int) bool {
	switch {
	case v.ok != o.ok:
		return v.ok
	case v.epoch != o.epoch:
		return v.epoch > o.epoch
	case v.covered != o.covered:
		return v.covered > o.covered
	}
	return agree[v.signature] > agree[o.signature]
}

// majority reports whether most of the primaries with slots, counted in both tables, were asked and agree with best: then the
// cluster as a whole is in trouble, and best is not the view of a part that was cut off.
func majority(views []*view, best, last *view) bool {
	agreeing := map[string]bool{}
	for _, v := range views {
		if v.signature == best.signature && v.epoch == best.epoch && v.id != "" {
			agreeing[v.id] = true
		}
	}
	for _, v := range []*view{best, last} {
		primaries, n := slotPrimaries(v.table), 0
		for id := range primaries {
			if agreeing[id] {
				n++
			}
		}
		if 2*n <= len(primaries) {
			return false
		}
	}
	return true
}

// slotPrimaries returns the ids of the primaries that serve slots.
func slotPrimaries(t *Table) map[string]bool {
	ids := map[string]bool{}
	for _, i := range t.Slot {
		if i != NoShard && t.Shards[i].Primary != nil {
			ids[t.Shards[i].Primary.ID] = true
		}
	}
	return ids
}

// disjoint reports whether two tables have ids but none in common: they are of different clusters.
func disjoint(a, b *Table) bool {
	ids := map[string]bool{}
	for _, n := range a.Nodes() {
		if n.ID != "" {
			ids[n.ID] = true
		}
	}
	other := 0
	for _, n := range b.Nodes() {
		if n.ID == "" {
			continue
		}
		if ids[n.ID] {
			return false
		}
		other++
	}
	return len(ids) > 0 && other > 0
}
