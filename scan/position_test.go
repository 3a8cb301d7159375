package scan

import (
	"math"
	"math/bits"
	"strconv"
	"testing"
)

// FuzzCursor: each number is a position, each position but the begin of slot 0 is
// a number other than 0 that a float64 and an int64 can carry, and both ways lead
// back.
func FuzzCursor(f *testing.F) {
	for _, n := range []uint64{0, 1, 16383, 16384, 1<<32 + 5, 1<<52 + 7, 1<<53 - 1, 1 << 53, math.MaxInt64, math.MaxUint64} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n uint64) {
		p := positionOf(n)
		c := p.cursor()
		if p.slot < 0 || p.slot >= numSlots || p.within > withinMask {
			t.Fatalf("%d is %+v", n, p)
		}
		if (c == 0) != (p == position{}) {
			t.Fatalf("%+v is cursor %d", p, c)
		}
		if c >= 1<<53 || uint64(float64(c)) != c {
			t.Fatalf("%+v is cursor %d", p, c)
		}
		if back := positionOf(c); back != p {
			t.Fatalf("%+v is cursor %d, which is %+v", p, c, back)
		}
		if p.ranked() && (p.placed() || p.rank() == 0) || p.placed() && p.place() == 0 {
			t.Fatalf("%d is %+v", n, p)
		}
		if got, ok := parseCursor(strconv.AppendUint(nil, n, 10)); !ok || got != n {
			t.Fatalf("parseCursor(%d) is %d, %t", n, got, ok)
		}
	})
}

// TestPositions: what goes into a position comes out of it.
func TestPositions(t *testing.T) {
	for _, slot := range []int{0, 1, 9999, numSlots - 1} {
		if p := atRank(slot, 77); !p.ranked() || p.rank() != 77 || p.slot != slot {
			t.Errorf("atRank(%d, 77) is %+v", slot, p)
		}
		if p := atRank(slot, 1<<rankBits-1); positionOf(p.cursor()) != p {
			t.Errorf("the highest rank is %+v", positionOf(p.cursor()))
		}
		p := atPlace(slot, markMask, placeMask)
		if !p.placed() || p.mark() != markMask || p.place() != placeMask || positionOf(p.cursor()) != p {
			t.Errorf("the highest place is %+v", p)
		}
		if p := atPlace(slot, 5, 1<<placeBits); p != (position{slot: slot}) {
			t.Errorf("a place that has no bits left is %+v", p)
		}
	}
	if c := (position{slot: numSlots}).cursor(); c != 0 {
		t.Errorf("the end is %d", c)
	}
}

// TestPlacesNeverSkip: of a table of any size, what remains from a cursor of the
// server's on remains from its place on, too.
func TestPlacesNeverSkip(t *testing.T) {
	for _, size := range []int{1, 4, placeBits, placeBits + 1, 30} {
		mask := uint64(1)<<size - 1
		at := func(n uint64) uint64 { return bits.Reverse64(n) >> (64 - size) } // the n-th cursor
		for _, n := range []uint64{1, 2, 3, mask / 3, mask / 2, mask - 1, mask} {
			n = min(max(n, 1), mask)
			cursor := at(n)
			place := atPlace(3, 9, cursor).place()
			if back := bits.Reverse64(place) >> (64 - size); back > n {
				t.Errorf("table of 2^%d: the %d-th cursor is the place of the %d-th", size, n, back)
			}
			if size <= placeBits && place != cursor {
				t.Errorf("table of 2^%d: cursor %d is place %d", size, cursor, place)
			}
		}
	}
}

func TestParseCursor(t *testing.T) {
	for text, want := range map[string]uint64{"0": 0, "7": 7, "007": 7, "18446744073709551615": math.MaxUint64} {
		if got, ok := parseCursor([]byte(text)); !ok || got != want {
			t.Errorf("parseCursor(%q) is %d, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "-1", "+1", " 1", "1 ", "x", "0x1", "18446744073709551616"} {
		if got, ok := parseCursor([]byte(text)); ok {
			t.Errorf("parseCursor(%q) is %d", text, got)
		}
	}
}
