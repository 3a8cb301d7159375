package backend

// entry is one reply that a connection owes.
type entry struct {
	task  *Task // nil: the reply is swallowed (ASKING's, or of a task past its deadline)
	begin int64 // the stream's offset of the first byte, in bytes
	sent  int64 // when it was flushed, by Now; 0 before that
}

// fifo is a growing ring of entries, oldest first. The zero value is ready.
type fifo struct {
	ring []entry // length is a power of two, or zero
	head uint32
	size uint32
}

func (f *fifo) push(e entry) {
	if int(f.size) == len(f.ring) {
		f.grow()
	}
	f.ring[(f.head+f.size)&uint32(len(f.ring)-1)] = e
	f.size++
}

func (f *fifo) grow() {
	ring := make([]entry, max(4, 2*len(f.ring)))
	for i := range f.size {
		ring[i] = *f.at(i)
	}
	f.ring, f.head = ring, 0
}

// at returns the i-th oldest entry, which must exist.
func (f *fifo) at(i uint32) *entry {
	return &f.ring[(f.head+i)&uint32(len(f.ring)-1)]
}

func (f *fifo) pop() entry {
	p := f.at(0)
	e := *p
	p.task = nil
	f.head++
	f.size--
	return e
}
