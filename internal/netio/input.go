package netio

// minRoom is the least number of bytes worth a system call.
const minRoom = 2 << 10

// Input is the read buffer of one connection: what has arrived and is not
// consumed, and room behind it. It holds no memory while it is empty and at rest.
// The zero value is ready. Not safe for concurrent use.
type Input struct {
	chunk    *Chunk // nil: empty
	from, to int    // the bytes of chunk that are not consumed
}

// Room returns where the next bytes go. need is how many bytes the unit that
// is being read is known to have, with what has arrived of it; 0 if unknown.
// Slices handed out before stay valid if their chunk was retained.
func (in *Input) Room(need int) []byte {
	if in.chunk == nil {
		in.chunk = NewChunk(1)
		in.from, in.to = 0, 0
	}
	have, room := in.to-in.from, len(in.chunk.B)-in.to
	switch missing := max(need-have, 1); {
	case have == 0 && !in.chunk.Shared():
		in.from, in.to = 0, 0
	case missing > room, room < minRoom && have < minRoom:
		in.grow(max(have+missing, 2*have))
	}
	return in.chunk.B[in.to:]
}

// RoomUpTo is Room for a unit of which need is no more than what the other side says. What is set aside grows with what has
// arrived, from first bytes on, and each step is used up before the next: at every read a step would copy all that is there.
func (in *Input) RoomUpTo(need, first int) []byte {
	have := in.Len()
	step := 4 * have
	if step <= first {
		return in.Room(min(need, first))
	}
	if left := len(in.chunk.B) - in.to; left >= minRoom {
		return in.chunk.B[in.to:]
	}
	if need <= 2*step {
		step = need // rather than another copy of half of it
	}
	return in.Room(min(need, step))
}

// grow moves the unconsumed bytes to a chunk of at least need bytes.
func (in *Input) grow(need int) {
	bigger := NewChunk(need)
	in.to = copy(bigger.B, in.chunk.B[in.from:in.to])
	in.from = 0
	in.chunk.Release()
	in.chunk = bigger
}

// Filled says that n bytes were put into Room.
func (in *Input) Filled(n int) { in.to += n }

// Len returns how many bytes are not consumed.
func (in *Input) Len() int { return in.to - in.from }

// Bytes returns what is not consumed, valid until the next Room or Rest.
func (in *Input) Bytes() []byte {
	if in.chunk == nil {
		return nil
	}
	return in.chunk.B[in.from:in.to]
}

// Chunk returns the chunk that Bytes is a part of, to be retained by whoever
// keeps a slice of it.
func (in *Input) Chunk() *Chunk { return in.chunk }

// Consume drops the first n bytes.
func (in *Input) Consume(n int) { in.from += n }

// Rest gives the memory back if everything was consumed.
func (in *Input) Rest() {
	if in.chunk != nil && in.from == in.to {
		in.Release()
	}
}

// Release gives the memory back and drops what was not consumed.
func (in *Input) Release() {
	if in.chunk != nil {
		in.chunk.Release()
		in.chunk = nil
	}
	in.from, in.to = 0, 0
}
