package scan

// page is what a node said about its part of the keyspace from one position to
// another: all keys of its slots there, but for those that the request leaves out.
type page struct {
	addr      string
	from, end position
	found     []found // in the order of their slots
	seen      int     // keys that were looked at, those left out among them
	read      int     // how many of found were taken
}

// found is a key.
type found struct {
	slot int
	key  []byte
}

// has reports whether the page goes on from p.
func (pg *page) has(p position) bool {
	if p.slot == pg.from.slot {
		return p == pg.from && pg.from != pg.end
	}
	return p.slot > pg.from.slot && p.within == 0 && (p.slot < pg.end.slot || p.slot == pg.end.slot && pg.end.within != 0)
}

// take moves keys from the page to the reply, from p on, slot by slot until one
// is another node's, the page ends or the client has enough. It returns how far it
// came.
func (w *walk) take(pg *page, p position) position {
	for w.layout.Owner(uint16(p.slot)) == pg.addr {
		for pg.read < len(pg.found) && pg.found[pg.read].slot < p.slot {
			pg.read++ // another node's by now
		}
		before := pg.read
		for pg.read < len(pg.found) && pg.found[pg.read].slot == p.slot {
			key := pg.found[pg.read].key
			w.reply.Keys = append(w.reply.Keys, key)
			w.bytes += len(key)
			pg.read++
		}
		taken := pg.read - before
		w.spent += taken
		pg.seen -= taken
		if p.slot == pg.end.slot {
			p = pg.end
		} else {
			p = p.next()
		}
		if !pg.has(p) {
			w.spent += max(pg.seen, 0)
			break
		}
		if w.full() {
			break
		}
	}
	return p
}

// cut ends the page before the first slot of its node, by the layout, that the
// view does not confirm: what the node has of its keys is not all, or will not be.
func (w *walk) cut(pg *page, v *view) {
	for slot := pg.from.slot; slot < numSlots && slot <= pg.end.slot; slot++ {
		if slot == pg.end.slot && pg.end.within == 0 {
			return
		}
		if w.layout.Owner(uint16(slot)) == pg.addr && !v.stable(slot) {
			pg.end = position{slot: slot}
			return
		}
	}
}
