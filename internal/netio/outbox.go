package netio

import (
	"net"
	"os"
	"sync"
	"syscall"
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

// batch is output in order: own bytes with references put in between.
type batch struct {
	buf  *outBuf // nil: no own bytes
	refs []chunkRef
	size int // bytes in all, own and referenced
}

// outbox gathers output and writes it. It is part of Conn.
type outbox struct {
	wmu sync.Mutex
	// Guarded by wmu.
	gather  batch // not yet handed to the socket
	flush   bool  // gather is to be written by whoever is writing
	writing bool  // one goroutine owns the rest of this struct's fields below
	written int64 // bytes that the socket has taken since the beginning
	unsent  int   // bytes of the current batch that it has not taken yet
	awaited bool  // Resume is owed when nothing is left
	err     error // the first write error; output is dropped from then on

	// Owned by whoever set writing.
	current batch
	vec     net.Buffers // what is left of current
	vecBase net.Buffers // vec's array, to be used again
	block   bool        // writeFn parks when the socket is full
	writeFn func(fd uintptr) bool
	n       int // writeFn's result
	errno   syscall.Errno
}

// Append gathers a copy of b. Nothing is written before Flush.
func (c *Conn) Append(b []byte) {
	c.wmu.Lock()
	if c.err == nil {
		g := &c.gather
		if g.buf == nil {
			g.buf = outPool.Get().(*outBuf)
		}
		g.buf.b = append(g.buf.b, b...)
		g.size += len(b)
	}
	c.wmu.Unlock()
}

// AppendChunk gathers b, a part of chunk, without copying it: the chunk is
// retained until b is written or dropped.
func (c *Conn) AppendChunk(b []byte, chunk *Chunk) {
	c.wmu.Lock()
	if c.err == nil {
		g := &c.gather
		at := 0
		if g.buf != nil {
			at = len(g.buf.b)
		}
		chunk.Retain()
		g.refs = append(g.refs, chunkRef{at: at, b: b, chunk: chunk})
		g.size += len(b)
	}
	c.wmu.Unlock()
}

// Backlogged reports whether more than limit bytes are gathered and not yet
// taken by the socket. If so, Resume will be called when nothing is left; the caller
// relies on whoever gathered the bytes to flush them.
func (c *Conn) Backlogged(limit int) bool {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.gather.size+c.unsent <= limit {
		return false
	}
	c.awaited = true
	return true
}

// Written returns how many bytes the socket has taken since the beginning.
func (c *Conn) Written() int64 {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.written
}

// Flush writes what has gathered, as far as the socket takes it at once; a
// goroutine writes the rest. What is gathered while another Flush is writing is
// written by that one. An error ends the output for good and aborts the Conn.
// It returns how many bytes are left to write.
func (c *Conn) Flush() (left int) {
	c.wmu.Lock()
	if c.gather.size == 0 || c.err != nil {
		left = c.unsent
		c.wmu.Unlock()
		return left
	}
	c.flush = true
	if c.writing {
		left = c.gather.size + c.unsent
		c.wmu.Unlock()
		return left
	}
	c.writing = true
	if c.raw == nil {
		left = c.gather.size
		c.wmu.Unlock()
		go c.writeLoop()
		return left
	}
	for c.takeLocked() {
		c.wmu.Unlock()
		c.writeSome(false)
		c.wmu.Lock()
		c.settleLocked()
		if c.unsent > 0 {
			left = c.gather.size + c.unsent
			c.wmu.Unlock()
			go c.writeLoop() // the socket is full: writing stays set
			return left
		}
	}
	c.endWriting()
	return 0
}

// endWriting gives up writing and unlocks wmu.
func (c *Conn) endWriting() {
	c.writing = false
	failed := c.err != nil
	resume := c.awaited && c.gather.size == 0
	c.awaited = c.awaited && !resume
	c.wmu.Unlock()
	if failed {
		c.Abort()
	}
	if resume {
		c.Resume()
	}
}

// takeLocked moves what has gathered into current; false if there is nothing
// to write.
func (c *Conn) takeLocked() bool {
	if !c.flush || c.gather.size == 0 || c.err != nil {
		c.flush = false
		return false
	}
	c.flush = false
	refs := c.current.refs
	c.current, c.gather = c.gather, batch{refs: refs[:0]}
	c.unsent = c.current.size
	c.vec = c.current.vector(c.vecBase[:0])
	c.vecBase = c.vec
	return true
}

// vector appends the batch's stretches, in order, to vec.
func (b *batch) vector(vec net.Buffers) net.Buffers {
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

// writeSome writes as much of vec as the socket takes; with block it waits
// until the socket took everything. Called by the owner of writing.
func (c *Conn) writeSome(block bool) {
	c.n, c.errno, c.block = 0, 0, block
	if err := c.raw.Write(c.writeFn); err != nil && c.errno == 0 {
		c.errno = syscall.EPIPE // closed under us
	}
}

// writeReady is the callback of RawConn.Write; false parks until the socket
// has room.
func (c *Conn) writeReady(fd uintptr) bool {
	for len(c.vec) > 0 {
		n, errno := writeFD(fd, c.vec)
		switch errno {
		case 0:
			c.n += n
			c.vec = consume(c.vec, n)
		case syscall.EINTR:
		case syscall.EAGAIN:
			if c.block {
				c.progress()
			}
			return !c.block
		default:
			c.errno = errno
			return true
		}
	}
	return true
}

// progress publishes what a waiting writer has written so far.
func (c *Conn) progress() {
	c.wmu.Lock()
	c.written += int64(c.n)
	c.unsent -= c.n
	c.n = 0
	c.wmu.Unlock()
}

// consume drops the first n bytes of vec.
func consume(vec net.Buffers, n int) net.Buffers {
	for len(vec) > 0 && n >= len(vec[0]) {
		n -= len(vec[0])
		vec[0] = nil
		vec = vec[1:]
	}
	if n > 0 {
		vec[0] = vec[0][n:]
	}
	return vec
}

// settleLocked accounts for a write; when the batch is done or has failed it
// gives the buffers back.
func (c *Conn) settleLocked() {
	c.written += int64(c.n)
	c.unsent -= c.n
	if c.errno != 0 {
		c.failLocked(os.NewSyscallError("write", c.errno))
	}
	if c.unsent == 0 {
		c.current.release()
		c.vec = nil
		if cap(c.vecBase) > 64 {
			c.vecBase = nil
		}
	}
}

// failLocked ends the output: everything gathered is dropped.
func (c *Conn) failLocked(err error) {
	if c.err == nil {
		c.err = err
	}
	c.unsent = 0
	c.gather.release()
	c.flush = false
}

// release gives the batch's buffers back and empties it.
func (b *batch) release() {
	if b.buf != nil {
		if cap(b.buf.b) <= keepOutBytes {
			b.buf.b = b.buf.b[:0]
			outPool.Put(b.buf)
		}
		b.buf = nil
	}
	for i := range b.refs {
		b.refs[i].chunk.Release()
		b.refs[i] = chunkRef{}
	}
	b.refs = b.refs[:0]
	if cap(b.refs) > 64 {
		b.refs = nil
	}
	b.size = 0
}

// writeLoop owns the output while the socket is full, or, the ordinary way, for
// each burst. It ends when nothing is left to write.
func (c *Conn) writeLoop() {
	c.wmu.Lock()
	for c.unsent > 0 || c.takeLocked() {
		c.wmu.Unlock()
		if c.raw != nil {
			c.writeSome(true)
		} else {
			c.writeOrdinary()
		}
		c.wmu.Lock()
		c.settleLocked()
	}
	c.endWriting()
}

// writeOrdinary writes the whole batch with blocking calls.
func (c *Conn) writeOrdinary() {
	n, err := c.vec.WriteTo(c.nc)
	c.n, c.errno = int(n), 0
	if err != nil {
		c.errno = syscall.EPIPE
	}
}

// WriteError returns the error that ended the output, nil while it works.
func (c *Conn) WriteError() error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.err
}
