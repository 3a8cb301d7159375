package netio

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// put appends b to in as reads of at most piece bytes would.
func put(in *Input, b []byte, need, piece int) {
	for len(b) > 0 {
		room := in.Room(need)
		n := copy(room, b[:min(len(b), piece)])
		in.Filled(n)
		b = b[n:]
	}
}

// TestInputKeepsBytes is a model test: what is put in comes out, whatever the
// sizes, and slices whose chunk was retained stay as they were.
func TestInputKeepsBytes(t *testing.T) {
	var in Input
	defer in.Release()
	var model []byte
	type kept struct {
		is, was []byte
		chunk   *Chunk
	}
	var keep []kept
	stream := noise(4 << 20)
	for len(stream) > 0 {
		n := min(len(stream), 1+rand.N(20<<10))
		need := 0
		if rand.N(3) == 0 {
			need = in.Len() + rand.N(200<<10)
		}
		put(&in, stream[:n], need, 1+rand.N(10<<10))
		model = append(model, stream[:n]...)
		stream = stream[n:]
		if !bytes.Equal(in.Bytes(), model) || in.Len() != len(model) {
			t.Fatal("the input differs")
		}
		used := rand.N(len(model) + 1)
		if rand.N(3) > 0 {
			used = len(model)
		}
		if used > 0 && rand.N(2) == 0 {
			in.Chunk().Retain()
			is := in.Bytes()[:used:used]
			keep = append(keep, kept{is, bytes.Clone(is), in.Chunk()})
		}
		in.Consume(used)
		model = model[used:]
		if rand.N(2) == 0 {
			in.Rest()
		}
		for len(keep) > 20 || len(keep) > 0 && len(stream) == 0 {
			if !bytes.Equal(keep[0].is, keep[0].was) {
				t.Fatal("a retained slice was overwritten")
			}
			keep[0].chunk.Release()
			keep = keep[1:]
		}
	}
}

// TestInputGrowth puts in a unit of 12 MiB piece by piece and counts how much is
// copied from chunk to chunk: no more than a few times its length, whether or not
// the length is known before.
func TestInputGrowth(t *testing.T) {
	const size = 12 << 20
	for _, tt := range []struct {
		name  string
		known bool
		piece int
		most  int // bytes copied
	}{
		{"unknown, small pieces", false, 100, 2 * size},
		{"unknown, large pieces", false, 100 << 10, 2 * size},
		{"known, small pieces", true, 1000, 64 << 10},
		{"known, large pieces", true, 1 << 20, 64 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var in Input
			defer in.Release()
			copied, chunks := 0, 1
			for in.Len() < size {
				before, have := in.Chunk(), in.Len()
				need := have + 1
				if tt.known && have > 0 {
					need = size
				}
				room := in.Room(need)
				if before != nil && in.Chunk() != before {
					copied += have
					chunks++
				}
				in.Filled(min(len(room), tt.piece, size-have))
			}
			if copied > tt.most {
				t.Errorf("%d bytes copied over %d chunks, want at most %d", copied, chunks, tt.most)
			}
			if len(in.Chunk().B) > 2*size {
				t.Errorf("a chunk of %d bytes for %d", len(in.Chunk().B), size)
			}
		})
	}
}

// TestInputGrowthOfAClaim puts in a unit whose length is claimed first, in pieces as a slow client sends them: little is copied, and no
// more set aside than goes with what has come.
func TestInputGrowthOfAClaim(t *testing.T) {
	const first = 64 << 10
	for _, size := range []int{100 << 10, 1<<20 + 30, 40<<20 + 30} {
		for _, piece := range []int{3000, 100 << 10, 8 << 20} {
			var in Input
			copied, setAside := 0, 0
			for in.Len() < size {
				before, have := in.Chunk(), in.Len()
				room := in.RoomUpTo(size, first)
				if in.Chunk() != before {
					copied += have
					setAside += len(in.Chunk().B)
				}
				if most := max(16*have, 5*first); len(in.Chunk().B) > most {
					t.Fatalf("%d bytes of %d by %d: a chunk of %d", have, size, piece, len(in.Chunk().B))
				}
				in.Filled(min(len(room), piece, size-have))
			}
			if copied > size {
				t.Errorf("%d bytes by %d: %d copied", size, piece, copied)
			}
			if setAside > 2*size+8*first {
				t.Errorf("%d bytes by %d: %d set aside over all", size, piece, setAside)
			}
			in.Release()
		}
	}
}

// TestInputSmallUnits puts in many small units, none of which ever waits whole:
// almost nothing is copied and chunks are used to their end.
func TestInputSmallUnits(t *testing.T) {
	for _, retain := range []bool{false, true} {
		var in Input
		copied, chunks, total := 0, 0, 0
		var last *Chunk
		for range 10_000 {
			have := in.Len()
			room := in.Room(have + 1)
			if in.Chunk() != last {
				last = in.Chunk()
				copied += have
				chunks++
			}
			n := min(len(room), 500)
			in.Filled(n)
			total += n
			if retain {
				last.Retain()
			}
			in.Consume(in.Len() - 100*min(1, chunks%2)) // now and then a piece stays
		}
		in.Release()
		if copied > total/50 {
			t.Errorf("retained %t: %d of %d bytes copied", retain, copied, total)
		}
		if limit := 2 + total/(chunkSizes[0]-2*minRoom); chunks > limit {
			t.Errorf("retained %t: %d chunks for %d bytes", retain, chunks, total)
		}
	}
}

// TestInputRest checks that an empty Input holds nothing, and that Rest keeps
// what is not consumed.
func TestInputRest(t *testing.T) {
	var in Input
	in.Rest()
	if in.Bytes() != nil || in.Len() != 0 {
		t.Error("the zero Input is not empty")
	}
	put(&in, []byte("abc"), 0, 1)
	chunk := in.Chunk()
	in.Consume(1)
	in.Rest()
	if string(in.Bytes()) != "bc" {
		t.Errorf("Rest left %q, want \"bc\"", in.Bytes())
	}
	chunk.Retain() // a reader of "abc"
	in.Consume(2)
	in.Rest()
	if in.Chunk() != nil || in.Len() != 0 {
		t.Error("Rest kept the chunk of an empty Input")
	}
	if chunk.Shared() || string(chunk.B[:3]) != "abc" {
		t.Error("the chunk is not its last reader's alone, as it was")
	}
	chunk.Release()
	put(&in, []byte("def"), 0, 3)
	if string(in.Bytes()) != "def" {
		t.Errorf("after Rest: %q", in.Bytes())
	}
	in.Release()
	if in.Chunk() != nil || in.Len() != 0 {
		t.Error("Release kept something")
	}
}

// TestInputRoom checks that there is always room, in the same chunk as long as
// that is worth a read.
func TestInputRoom(t *testing.T) {
	var in Input
	defer in.Release()
	first := in.Room(0)
	in.Filled(len(first))
	if len(in.Room(0)) == 0 || len(in.Room(in.Len()+100_000)) < 100_000 {
		t.Error("no room behind a full chunk")
	}
	in.Consume(in.Len())
	room := in.Room(0)
	if len(room) != len(in.Chunk().B) {
		t.Errorf("%d bytes of room in an empty chunk of %d", len(room), len(in.Chunk().B))
	}
	chunk := in.Chunk()
	chunk.Retain()
	defer chunk.Release()
	in.Filled(len(room) - minRoom)
	in.Consume(in.Len() - 10)
	if got := in.Room(0); len(got) != minRoom || in.Chunk() != chunk {
		t.Errorf("%d bytes of room, want the chunk's last %d", len(got), minRoom)
	}
	in.Filled(1)
	if got := in.Room(0); len(got) < minRoom || in.Chunk() == chunk {
		t.Errorf("%d bytes of room are not worth a read", len(got))
	}
}
