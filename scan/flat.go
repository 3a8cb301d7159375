package scan

import "strconv"

// A server with one dictionary for all slots has a cursor that means nothing to
// another process, and nothing about slots: keys that move from a node that is
// still to be scanned to one that was are missed. So the walk goes by slots here,
// too.

const (
	// minWindow and maxWindow bound how many slots are looked at for keys at a
	// time.
	minWindow = 16
	maxWindow = 4096
	// maxListed is how many keys a slot may have that is listed rather than
	// picked out of a SCAN of the whole node.
	maxListed = 100_000
)

// fetchFlat asks such a server for a page from the begin of p's slot on.
func (w *walk) fetchFlat(addr string, p position, to int, h *hint) (*page, error) {
	slots, after := w.window(addr, p.slot, to, int(h.window.Load()))
	c, err := w.counts(addr, slots)
	if err != nil {
		return nil, err
	}
	if c.total <= min(max(10*w.req.count, 1000), maxPage) {
		if pg, err := w.fetchWhole(addr, p, h, c.total); pg != nil || err != nil {
			return pg, err
		}
	}
	if n := c.keys[0]; n > w.chunk(n) {
		if w.picks(n, c.total) {
			return w.fetchPicked(addr, p, h)
		}
		return w.fetchListed(addr, p, h)
	}
	n, sum := 0, 0
	for n < len(slots) && sum < w.want() && (n == 0 || c.keys[n] <= w.chunk(c.keys[n])) {
		sum += c.keys[n]
		n++
	}
	if n < len(slots) {
		after = slots[n]
	}
	h.adapt(len(slots), n, sum, w.want())
	return w.fetchSlots(addr, p, h, slots[:n], c.keys[:n], after)
}

// adapt changes the window after sum keys were found in the first n of so many
// slots.
func (h *hint) adapt(slots, n, sum, want int) {
	switch size := int64(slots); {
	case n == slots && sum < want/2:
		h.window.Store(min(2*size, maxWindow))
	case n < slots/4:
		h.window.Store(max(size/2, minWindow))
	}
}

// picks reports whether to scan the whole node for the n keys of a slot is
// better than to list the slot once for each part of it.
func (w *walk) picks(n, total int) bool {
	chunk := w.chunk(n)
	return n > maxListed || (n+chunk-1)/chunk*n > total
}

// window returns the node's slots from slot on, at most size, and where to go on
// after them.
func (w *walk) window(addr string, slot, to, size int) (slots []int, after int) {
	for ; slot < to; slot++ {
		if w.layout.Owner(uint16(slot)) != addr {
			continue
		}
		if len(slots) >= max(size, minWindow) {
			return slots, slot
		}
		slots = append(slots, slot)
	}
	return slots, numSlots
}

// census is how many keys a node has. It is of use to plan with only.
type census struct {
	total int
	keys  []int // by slot
}

// counts counts the keys of some slots.
func (w *walk) counts(addr string, slots []int) (census, error) {
	commands := make([][][]byte, 0, len(slots)+1)
	commands = append(commands, cmdDBSize)
	for _, slot := range slots {
		commands = append(commands, command("CLUSTER", "COUNTKEYSINSLOT", strconv.Itoa(slot)))
	}
	replies, err := w.c.Ask(w.ctx, addr, commands...)
	if err != nil {
		return census{}, &trouble{err}
	}
	numbers := make([]int, len(replies))
	for i, reply := range replies {
		if err := refusal(reply); err != nil {
			return census{}, err
		}
		var ok bool
		if numbers[i], ok = integer(reply); !ok {
			return census{}, unexpected(addr, reply)
		}
	}
	return census{numbers[0], numbers[1:]}, nil
}

// fetchWhole asks a node that has few keys for all of them. It returns nil if
// they were more.
func (w *walk) fetchWhole(addr string, p position, h *hint, total int) (*page, error) {
	g, err := w.glimpse(addr, p.slot, w.scanCommand(0, 2*total+100))
	if err != nil {
		return nil, err
	}
	if !g.view.stable(p.slot) {
		return w.fetchMoving(addr, p, h, g.view)
	}
	next, keys, err := w.readScan(addr, g.replies[0])
	if next != 0 || err != nil {
		return nil, err
	}
	sortBySlot(keys)
	pg := &page{addr: addr, from: p, end: position{slot: numSlots}, found: keys, seen: len(keys)}
	w.cut(pg, g.view)
	return pg, nil
}

// fetchSlots lists the keys of some slots, of which there were counts a moment
// ago.
func (w *walk) fetchSlots(addr string, p position, h *hint, slots, counts []int, after int) (*page, error) {
	commands := make([][][]byte, len(slots), len(slots)+1)
	for i, slot := range slots {
		commands[i] = listCommand(slot, slack(counts[i]))
	}
	commands = append(commands, cmdDBs)
	g, err := w.glimpse(addr, p.slot, commands...)
	if err != nil {
		return nil, err
	}
	if !g.view.stable(p.slot) {
		return w.fetchMoving(addr, p, h, g.view)
	}
	pg := &page{addr: addr, from: p, end: position{slot: after}}
	for i, reply := range g.replies[:len(slots)] {
		keys, ok := w.readKeys(reply)
		if !ok {
			return nil, unexpected(addr, reply)
		}
		if len(keys) >= slack(counts[i]) {
			if i == 0 {
				return w.fetchListed(addr, p, h)
			}
			pg.end = position{slot: slots[i]}
			break
		}
		pg.found = append(pg.found, keys...)
	}
	w.cut(pg, g.view)
	pg.seen = len(pg.found)
	pg.found, err = w.sift(listed{keys: pg.found, addr: addr, lasting: lasting(g.replies[len(slots)])})
	return pg, err
}
