package netio

import (
	"sync"
	"sync/atomic"
)

// chunkSizes are the capacities that are pooled, in bytes. The slack above a
// power of two lets a value of 16 KiB or 1 MiB and its header share a chunk.
var chunkSizes = [...]int{18 << 10, 64<<10 + 512, 256<<10 + 512, 1<<20 + 512, 4<<20 + 512}

var chunkPools [len(chunkSizes)]sync.Pool

// Chunk is a read buffer with a reference count. Whoever keeps a slice of B
// beyond the call it was handed in must Retain the chunk first and Release it
// after the last use. Bytes that were handed out are never written again.
type Chunk struct {
	// B is the whole buffer, len(B) == cap(B).
	B []byte

	refs  atomic.Int32
	class int8 // index into chunkPools, -1 if not pooled
}

// NewChunk returns a chunk of at least min bytes with one reference, which
// belongs to the caller.
func NewChunk(min int) *Chunk {
	for class, size := range chunkSizes {
		if min > size {
			continue
		}
		c, _ := chunkPools[class].Get().(*Chunk)
		if c == nil {
			c = &Chunk{B: make([]byte, size), class: int8(class)}
		}
		c.refs.Store(1)
		return c
	}
	c := &Chunk{B: make([]byte, min), class: -1}
	c.refs.Store(1)
	return c
}

// Retain adds a reference. Safe for concurrent use, as Release is.
func (c *Chunk) Retain() { c.refs.Add(1) }

// Release drops a reference; the last one gives the buffer back.
func (c *Chunk) Release() {
	switch n := c.refs.Add(-1); {
	case n > 0:
	case n < 0:
		panic("netio: chunk released more often than retained")
	case c.class >= 0:
		chunkPools[c.class].Put(c)
	}
}

// Shared reports whether anyone but the caller, who holds a reference, holds one.
func (c *Chunk) Shared() bool { return c.refs.Load() > 1 }
