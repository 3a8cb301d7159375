package netio

import (
	"net"
	"os"
	"sync"
	"syscall"
)

// outbox gathers output and writes it. It is part of Conn.
type outbox struct {
	wmu sync.Mutex
	// Guarded by wmu.
	gather  Batch         // queued, not yet handed to the socket
	writing bool          // one goroutine owns the rest of this struct's fields below
	written int64         // bytes that the socket has taken since the beginning
	unsent  int           // bytes of the current batch that it has not taken yet
	awaited bool          // Resume is owed when nothing is left
	err     error         // the first write error; output is dropped from then on
	idle    chan struct{} // made by EndOutput, closed when nobody is writing
	drained chan struct{} // made by Drained, closed when nothing is left to write

	// Owned by whoever set writing.
	current Batch
	vec     net.Buffers // what is left of current
	vecBase net.Buffers // vec's array, to be used again
	block   bool        // writeFn parks when the socket is full
	writeFn func(fd uintptr) bool
	n       int // writeFn's result
	errno   syscall.Errno
}

// Queue takes over what is in b, which is empty then. Nothing is written before
// Flush. The order of Queue's calls is the order on the wire.
func (c *Conn) Queue(b *Batch) {
	c.wmu.Lock()
	if c.err == nil {
		b.moveTo(&c.gather)
	} else {
		b.Drop()
	}
	c.wmu.Unlock()
}

// Backlogged reports whether more than limit bytes are queued and not yet taken
// by the socket. If so, Resume will be called when nothing is left; whoever queued
// the bytes is relied on to flush them.
func (c *Conn) Backlogged(limit int) bool {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.gather.size+c.unsent <= limit {
		return false
	}
	c.awaited = true
	return true
}

// Drained returns nil unless more than limit bytes are queued and not yet taken
// by the socket, else a channel that is closed when nothing is left to write or
// nothing will be written any more. Whoever queued the bytes must have flushed
// them.
func (c *Conn) Drained(limit int) <-chan struct{} {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.gather.size+c.unsent <= limit {
		return nil
	}
	if c.drained == nil {
		c.drained = make(chan struct{})
	}
	return c.drained
}

// drainLocked ends the wait of those who asked Drained.
func (c *Conn) drainLocked() {
	if c.drained != nil && c.gather.size == 0 {
		close(c.drained)
		c.drained = nil
	}
}

// Written returns how many bytes the socket has taken since the beginning.
func (c *Conn) Written() int64 {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.written
}

// EndOutput drops what is not written, waits for a write that is under way, and
// returns Written for good: nothing is written after it. It follows Abort, which
// makes the wait a short one.
func (c *Conn) EndOutput() int64 {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.err == nil {
		c.err = net.ErrClosed
	}
	c.gather.Drop()
	c.drainLocked()
	for c.writing {
		if c.idle == nil {
			c.idle = make(chan struct{})
		}
		idle := c.idle
		c.wmu.Unlock()
		<-idle
		c.wmu.Lock()
	}
	return c.written
}

// Flush writes what was queued, as far as the socket takes it at once; a
// goroutine writes the rest. What is queued while another Flush is writing is
// written by that one. An error ends the output for good and aborts the Conn.
// It returns how many bytes are left to write.
func (c *Conn) Flush() (left int) {
	c.wmu.Lock()
	if c.gather.size == 0 || c.err != nil {
		left = c.unsent
		c.wmu.Unlock()
		return left
	}
	if c.writing {
		left = c.gather.size + c.unsent
		c.wmu.Unlock()
		return left
	}
	c.writing = true
	if c.raw == nil && c.loop == nil {
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
			// The socket is full: writing stays set.
			if c.loop != nil {
				c.loop.ask(c, askWrite)
			} else {
				go c.writeLoop()
			}
			return left
		}
	}
	c.endWriting()
	return 0
}

// endWriting gives up writing and unlocks wmu.
func (c *Conn) endWriting() {
	c.writing = false
	if c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
	failed := c.err != nil
	resume := c.awaited && c.gather.size == 0
	c.awaited = c.awaited && !resume
	c.drainLocked()
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
	if c.gather.size == 0 || c.err != nil {
		return false
	}
	c.current, c.gather = c.gather, c.current
	c.unsent = c.current.size
	c.vec = c.current.vector(c.vecBase[:0])
	c.vecBase = c.vec
	return true
}

// writeSome writes as much of vec as the socket takes; with block it waits
// until the socket took everything. Called by the owner of writing.
func (c *Conn) writeSome(block bool) {
	c.n, c.errno, c.block = 0, 0, block
	if c.loop != nil {
		if c.closed.Load() {
			c.errno = syscall.EPIPE // Abort drops what is not written
			return
		}
		c.writeReady(uintptr(c.fd))
		return
	}
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
		c.current.Drop()
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
	c.gather.Drop()
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
