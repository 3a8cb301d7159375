package netio

import (
	"net"
	"sync"
)

// keepOutBytes is the largest output buffer that is pooled.
const keepOutBytes = 64 << 10

// outBuf is a pooled output buffer.
type outBuf struct{ b []byte }

var outPool = sync.Pool{New: func() any { return &outBuf{b: make([]byte, 0, 4<<10)} }}

// chunkRef is a stretch of someone else's chunk that follows the first at
// bytes of the batch's own buffer.
type chunkRef struct {
	at    int
	b     []byte
	chunk *Chunk
}

// Batch is output that gathers before it is given to a Conn: copies of small
// things and references to large ones, in order. It holds no memory while it is
// empty. The zero value is ready. Not safe for concurrent use.
type Batch struct {
	buf  *outBuf // nil: no own bytes
	refs []chunkRef
	size int // bytes in all, own and referenced
}

// Len returns how many bytes have gathered.
func (b *Batch) Len() int { return b.size }

// Append adds a copy of p.
func (b *Batch) Append(p []byte) {
	if b.buf == nil {
		b.buf = outPool.Get().(*outBuf)
	}
	b.buf.b = append(b.buf.b, p...)
	b.size += len(p)
}

// AppendChunk adds p, a part of chunk, without copying it: the chunk is
// retained until p is written or dropped. With a nil chunk p's memory is the
// garbage collector's, and never changes any more.
func (b *Batch) AppendChunk(p []byte, chunk *Chunk) {
	at := 0
	if b.buf != nil {
		at = len(b.buf.b)
	}
	if chunk != nil {
		chunk.Retain()
	}
	b.refs = append(b.refs, chunkRef{at: at, b: p, chunk: chunk})
	b.size += len(p)
}

// Drop empties the batch.
func (b *Batch) Drop() {
	if b.buf != nil {
		if cap(b.buf.b) <= keepOutBytes {
			b.buf.b = b.buf.b[:0]
			outPool.Put(b.buf)
		}
		b.buf = nil
	}
	for i := range b.refs {
		if c := b.refs[i].chunk; c != nil {
			c.Release()
		}
		b.refs[i] = chunkRef{}
	}
	b.refs = b.refs[:0]
	if cap(b.refs) > 64 {
		b.refs = nil
	}
	b.size = 0
}

// moveTo puts what is in b behind what is in to; b is empty then.
func (b *Batch) moveTo(to *Batch) {
	if to.size == 0 {
		*to, *b = *b, *to
		return
	}
	base := 0
	if b.buf != nil {
		if to.buf == nil {
			to.buf = outPool.Get().(*outBuf)
		}
		base = len(to.buf.b)
		to.buf.b = append(to.buf.b, b.buf.b...)
	} else if to.buf != nil {
		base = len(to.buf.b)
	}
	for _, r := range b.refs {
		r.at += base
		if r.chunk != nil {
			r.chunk.Retain()
		}
		to.refs = append(to.refs, r)
	}
	to.size += b.size
	b.Drop()
}

// vector appends the batch's stretches, in order, to vec.
func (b *Batch) vector(vec net.Buffers) net.Buffers {
	var own []byte
	if b.buf != nil {
		own = b.buf.b
	}
	from := 0
	for _, r := range b.refs {
		if r.at > from {
			vec = append(vec, own[from:r.at])
			from = r.at
		}
		vec = append(vec, r.b)
	}
	if len(own) > from {
		vec = append(vec, own[from:])
	}
	return vec
}
