package scan

import "strconv"

// A cursor is a whole number below 2^53, so that it survives a client that
// keeps numbers as float64:
//
//	bit  0..13  the slot; all before it are done
//	bit 14..52  where in the slot; 0 is its begin:
//	  bit 52    1: a rank (rankBits), all keys below it are done
//	            0: a place (placeBits) and behind it the mark (markBits) of the
//	               process that it means something to
//
// The slot has the same bits as in the cursors of servers that keep a
// dictionary for each slot.
const (
	slotBits  = 14
	numSlots  = 1 << slotBits
	placeBits = 18
	markBits  = 20
	rankBits  = 38

	rankedFlag = 1 << rankBits
	withinMask = rankedFlag<<1 - 1
	placeMask  = 1<<placeBits - 1
	markMask   = 1<<markBits - 1
)

// position is how far a walk has come. Slot numSlots is the end.
type position struct {
	slot   int
	within uint64 // 0: before the slot's first key
}

// atRank is the position in slot before the keys of rank and above.
func atRank(slot int, rank uint64) position {
	return position{slot, rankedFlag | rank}
}

// atPlace is the position in slot where the process with that mark stands at
// place.
//
// A place is the lower part of a server's cursor. Servers count their cursors
// up from the highest bit of the table's size to the lowest (dictScan in Redis's
// dict.c), so leaving out upper bits means going back a little: what is lost by
// it in a slot of more than 2^placeBits buckets are repeats, not keys. There is
// no place 0: it is the begin.
func atPlace(slot int, mark, place uint64) position {
	if place &= placeMask; place == 0 {
		return position{slot: slot}
	}
	return position{slot, (mark&markMask)<<placeBits | place}
}

// next is the begin of the next slot.
func (p position) next() position { return position{slot: p.slot + 1} }

// ranked reports whether the position is a rank.
func (p position) ranked() bool { return p.within&rankedFlag != 0 }

// placed reports whether the position is a place.
func (p position) placed() bool { return p.within != 0 && !p.ranked() }

func (p position) rank() uint64  { return p.within &^ rankedFlag }
func (p position) place() uint64 { return p.within & placeMask }
func (p position) mark() uint64  { return p.within >> placeBits & markMask }

// cursor is what the client gets: 0 at the end, and nowhere else save at the
// very begin, which no call ends at.
func (p position) cursor() uint64 {
	if p.slot >= numSlots {
		return 0
	}
	return p.within<<slotBits | uint64(p.slot)
}

// positionOf is the position of a cursor. As with Redis, any number is some
// position.
func positionOf(cursor uint64) position {
	p := position{int(cursor % numSlots), cursor >> slotBits & withinMask}
	if p.placed() && p.place() == 0 || p.ranked() && p.rank() == 0 {
		p.within = 0
	}
	return p
}

// parseCursor reads a cursor as clients send it. Other forms, some of which
// some servers take, are not ok.
func parseCursor(arg []byte) (cursor uint64, ok bool) {
	for _, c := range arg {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	cursor, err := strconv.ParseUint(string(arg), 10, 64)
	return cursor, err == nil
}
