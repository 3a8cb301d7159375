package scan

import (
	"cmp"
	"slices"
)

// fetchPicked makes a page of one slot with very many keys on a server with one
// dictionary, by picking them out of the node's SCAN. The position is of use to
// that process only: to another one the slot begins anew.
func (w *walk) fetchPicked(addr string, p position, h *hint) (*page, error) {
	c, err := w.counts(addr, []int{p.slot})
	if err != nil {
		return nil, err
	}
	n, want := max(c.keys[0], 1), w.want()
	count := min(max(want*(c.total/n), want), maxPage)
	pg := &page{addr: addr, from: p, seen: want}
	cursor, mark := p.place(), p.mark()
	for first := !p.placed(); ; first = false {
		g, err := w.glimpse(addr, p.slot, w.scanCommand(cursor, count))
		if err != nil {
			return nil, err
		}
		if first {
			mark = g.mark
		}
		if h.learn(g.identity) || g.mark != mark {
			return nil, errRestart
		}
		if !g.view.stable(p.slot) {
			return w.fetchMoving(addr, p, h, g.view)
		}
		next, keys, err := w.readScan(addr, g.replies[0])
		if err != nil {
			return nil, err
		}
		pg.found = append(pg.found, of(keys, p.slot)...)
		if pg.end = atPlace(p.slot, mark, next); next == 0 {
			pg.end = p.next()
		}
		if pg.end != p && pg.end.within|uint64(pg.end.slot-p.slot) != 0 {
			return pg, nil
		}
		cursor = next // it has come less far than a position can tell
	}
}

func sortBySlot(keys []found) {
	slices.SortStableFunc(keys, func(a, b found) int { return cmp.Compare(a.slot, b.slot) })
}
