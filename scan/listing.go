package scan

import (
	"cmp"
	"slices"
	"strconv"
)

// A listing is all keys of one slot at once. Parts of it are told apart by the
// keys' ranks, which any process finds the same, so that a position in a listing
// outlives everything. The price is that each call lists the whole slot; hence a
// part is never less than a share of it.
const listedShares = 16

// rankOf is where a key stands in the order of a listing.
func rankOf(key []byte) uint64 { return spread(key) >> (64 - rankBits) }

// chunk is how many keys of n are taken from a listing in a call.
func (w *walk) chunk(n int) int { return max(2*w.want(), n/listedShares) }

// fetchListed makes a page of the keys of p's slot from p's rank on.
func (w *walk) fetchListed(addr string, p position, h *hint) (*page, error) {
	part, v, err := w.gather(addr, p.slot, p.slot, h)
	if err != nil {
		return nil, err
	}
	if !v.stable(p.slot) {
		return w.fetchMoving(addr, p, h, v)
	}
	return w.fetchedParts(addr, p, []listed{part})
}

// maxChain is how many nodes a slot may be spread over: one more than the usual
// two if it moves on before its first owner has heard that it has arrived.
const maxChain = 4

// fetchMoving makes a page of the keys of p's slot when v, the view of the node
// at addr, does not call it stable. A key goes from the owner to its target and
// not back, so whoever asks the owner first and then the target sees it.
func (w *walk) fetchMoving(addr string, p position, h *hint, v *view) (*page, error) {
	if !v.owns(p.slot) {
		return nil, errMoved
	}
	if !p.ranked() {
		p.within = 0
	}
	var parts []listed
	for at, probed := addr, p.slot; ; probed = -1 {
		part, v, err := w.gather(at, p.slot, probed, h)
		switch {
		case err != nil:
			return nil, err
		case !v.holds(p.slot) || len(parts) == maxChain:
			return nil, errMoved // something has changed in between
		}
		part.asking = !v.owns(p.slot)
		parts = append(parts, part)
		id, leaves := v.leaving[p.slot]
		if !leaves {
			break
		}
		at = w.addrOf(id, v)
		if h, err = w.hint(at, -1); err != nil {
			return nil, err
		}
	}
	return w.fetchedParts(addr, p, parts)
}

// listed is keys that a node has listed.
type listed struct {
	keys    []found
	addr    string
	sifted  bool // the server has left out what the request does
	lasting bool // none of them expires
	asking  bool // the node takes questions about them only behind ASKING
}

// fetchedParts makes the page of a listing.
func (w *walk) fetchedParts(addr string, p position, parts []listed) (*page, error) {
	first, n := p.rank(), 0
	if !p.ranked() {
		first = 0
	}
	for _, part := range parts {
		n += len(part.keys)
	}
	end := w.endOfListing(p.slot, first, w.chunk(n), parts)
	pg := &page{addr: addr, from: p, end: end}
	for _, part := range parts {
		part.keys = slices.DeleteFunc(part.keys, func(k found) bool {
			rank := rankOf(k.key)
			return rank < first || end.ranked() && rank >= end.rank()
		})
		pg.seen += len(part.keys)
		keys, err := w.sift(part)
		if err != nil {
			return nil, err
		}
		pg.found = append(pg.found, keys...)
	}
	slices.SortFunc(pg.found, func(a, b found) int { return slices.Compare(a.key, b.key) })
	pg.found = slices.CompactFunc(pg.found, sameKey) // MIGRATE deletes a key after it has copied it
	return pg, nil
}

// endOfListing is the position behind about n keys from rank first on.
func (w *walk) endOfListing(slot int, first uint64, n int, parts []listed) position {
	var ranks []uint64
	for _, part := range parts {
		for _, k := range part.keys {
			if rank := rankOf(k.key); rank >= first {
				ranks = append(ranks, rank)
			}
		}
	}
	if len(ranks) <= n {
		return position{slot: slot + 1}
	}
	slices.SortFunc(ranks, cmp.Compare[uint64])
	for _, rank := range ranks[n:] {
		if rank > ranks[n-1] {
			return atRank(slot, rank)
		}
	}
	return position{slot: slot + 1}
}

// gather returns the keys of a slot that a node has, and what the node said when
// it named the last of them. probed is the slot itself, or -1 if the node would
// not serve it.
func (w *walk) gather(addr string, slot, probed int, h *hint) (listed, *view, error) {
	if h.slotted.Load() {
		keys, v, err := w.gatherSlotted(addr, slot, probed, h)
		return listed{keys: keys, addr: addr, sifted: true}, v, err
	}
	counts, err := w.counts(addr, []int{slot})
	if err != nil {
		return listed{}, nil, err
	}
	limit := slack(counts.keys[0])
	g, err := w.glimpse(addr, probed, listCommand(slot, limit), cmdDBs)
	if err != nil {
		return listed{}, nil, err
	}
	keys, ok := w.readKeys(g.replies[0])
	if !ok {
		return listed{}, nil, unexpected(addr, g.replies[0])
	}
	if len(keys) >= limit {
		return listed{}, nil, errMoved // many have been added in between
	}
	return listed{keys: keys, addr: addr, lasting: lasting(g.replies[1])}, g.view, nil
}

// slack is how many keys to ask for where there were n a moment ago. Servers
// list those first that were added last, so to ask for n could miss old ones.
func slack(n int) int { return 2*n + 1000 }

func listCommand(slot, limit int) [][]byte {
	return command("CLUSTER", "GETKEYSINSLOT", strconv.Itoa(slot), strconv.Itoa(limit))
}
