package scan

// A server with a dictionary for each slot goes from slot to slot by itself, in
// their order. The low slotBits of its cursor are the slot, the rest is the place
// in the slot's dictionary (kvstoreScan in kvstore.c of Valkey).

// fetchSlotted asks such a server for a page.
func (w *walk) fetchSlotted(addr string, p position, h *hint) (*page, error) {
	pg := &page{addr: addr, from: p}
	cursor, mark := p.place()<<slotBits|uint64(p.slot), p.mark()
	for first := !p.placed(); ; first = false {
		want := w.want()
		g, err := w.glimpse(addr, p.slot, w.scanCommand(cursor, want))
		if err != nil {
			return nil, err
		}
		if first {
			mark = g.mark
		}
		if !h.learn(g.identity) || g.mark != mark {
			return nil, errRestart
		}
		if !g.view.stable(p.slot) {
			return w.fetchMoving(addr, p, h, g.view)
		}
		next, keys, err := w.readScan(addr, g.replies[0])
		if err != nil {
			return nil, err
		}
		if !inOrder(keys, p.slot, next) {
			h.odd.Store(g.mark + 1)
			return nil, errRestart
		}
		pg.found = append(pg.found, keys...)
		if pg.seen += len(keys); next != 0 {
			pg.seen += want - len(keys)
		}
		pg.end = slottedEnd(next, mark)
		if pg.end != p && pg.end != (position{slot: p.slot}) {
			w.cut(pg, g.view)
			return pg, nil
		}
		cursor = next // it has come less far than a position can tell
	}
}

// slottedEnd is the position of a server's cursor.
func slottedEnd(cursor, mark uint64) position {
	if cursor == 0 {
		return position{slot: numSlots}
	}
	return atPlace(int(cursor%numSlots), mark, cursor>>slotBits)
}

// inOrder reports whether the keys lie where a server that has come from slot to
// cursor finds them.
func inOrder(keys []found, slot int, cursor uint64) bool {
	last := slottedEnd(cursor, 0).slot
	for _, k := range keys {
		if k.slot < slot || k.slot > last {
			return false
		}
		slot = k.slot
	}
	return slot <= last
}

// gatherSlotted returns the keys of one slot that such a server has.
func (w *walk) gatherSlotted(addr string, slot, probed int, h *hint) ([]found, *view, error) {
	var all []found
	var mark uint64
	for cursor := uint64(slot); ; {
		g, err := w.glimpse(addr, probed, w.scanCommand(cursor, maxPage))
		if err != nil {
			return nil, nil, err
		}
		if cursor == uint64(slot) {
			mark = g.mark
		}
		if !h.learn(g.identity) || g.mark != mark {
			return nil, nil, errRestart
		}
		next, keys, err := w.readScan(addr, g.replies[0])
		if err != nil {
			return nil, nil, err
		}
		if !inOrder(keys, slot, next) {
			h.odd.Store(g.mark + 1)
			return nil, nil, errRestart
		}
		all = append(all, of(keys, slot)...)
		if slottedEnd(next, 0).slot != slot {
			return all, g.view, nil
		}
		cursor = next
	}
}
