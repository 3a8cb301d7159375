package scan

import (
	"bytes"
	"errors"
	"strconv"
	"sync/atomic"
)

// hint is what is remembered of a node: how to ask it. It may be wrong.
type hint struct {
	slotted atomic.Bool   // it has a dictionary for each slot
	odd     atomic.Uint64 // the mark, plus 1, of a process that says so and has not
	window  atomic.Int64  // how many slots to look at for keys, of one that has not
}

// learn notes what the node says about itself and returns slotted.
func (h *hint) learn(id identity) bool {
	slotted := id.slotted && h.odd.Load() != id.mark+1
	h.slotted.Store(slotted)
	return slotted
}

// hint returns what is known of the node at addr.
func (w *walk) hint(addr string, slot int) (*hint, error) {
	if h, ok := w.hints.Load(addr); ok {
		return h.(*hint), nil
	}
	g, err := w.glimpse(addr, slot)
	if err != nil {
		return nil, err
	}
	h := &hint{}
	h.learn(g.identity)
	h.window.Store(minWindow)
	w.hints.Store(addr, h)
	return h, nil
}

// fetch asks the owner of p's slot for a page from p on. Keys of slots from to
// on are of no interest.
func (w *walk) fetch(addr string, p position, to int) (*page, error) {
	h, err := w.hint(addr, p.slot)
	switch {
	case err != nil:
		return nil, err
	case p.ranked():
		return w.fetchListed(addr, p, h)
	case h.slotted.Load():
		return w.fetchSlotted(addr, p, h)
	case p.placed():
		return w.fetchPicked(addr, p, h)
	}
	return w.fetchFlat(addr, p, to, h)
}

// errMoved says that a node is not a slot's owner.
var errMoved = &trouble{errors.New("CLUSTERDOWN the owner of a slot cannot be found")}

// scanCommand is SCAN with the client's options.
func (w *walk) scanCommand(cursor uint64, count int) [][]byte {
	args := make([][]byte, 0, 4+len(w.req.options))
	args = append(args, []byte("SCAN"), strconv.AppendUint(nil, cursor, 10), []byte("COUNT"), strconv.AppendInt(nil, int64(count), 10))
	return append(args, w.req.options...)
}

// readScan reads a server's reply to SCAN. The keys are in the server's order.
func (w *walk) readScan(addr string, reply []byte) (next uint64, keys []found, err error) {
	if text, failed := errorText(reply); failed {
		return 0, nil, errors.New(text)
	}
	if elems, ok := elements(reply); ok && len(elems) == 2 {
		cursor, ok1 := bulk(elems[0])
		next, err = strconv.ParseUint(string(cursor), 10, 64)
		keys, ok2 := w.readKeys(elems[1])
		if ok1 && ok2 && err == nil {
			return next, keys, nil
		}
	}
	return 0, nil, unexpected(addr, reply)
}

// readKeys reads an array of keys.
func (w *walk) readKeys(reply []byte) (keys []found, ok bool) {
	elems, ok := elements(reply)
	if !ok {
		return nil, false
	}
	keys = make([]found, len(elems))
	for i, e := range elems {
		key, ok := bulk(e)
		if !ok {
			return nil, false
		}
		keys[i] = found{int(w.c.SlotOf(key)), key}
	}
	return keys, true
}

// of returns the keys that are in slot.
func of(keys []found, slot int) []found {
	n := 0
	for _, k := range keys {
		if k.slot == slot {
			keys[n] = k
			n++
		}
	}
	return keys[:n]
}

// spread is a hash of all 64 bits, the same in each process.
func spread(s []byte) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for _, c := range s {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9 // the end of splitmix64
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// sameKey reports whether two keys are equal.
func sameKey(a, b found) bool { return bytes.Equal(a.key, b.key) }
