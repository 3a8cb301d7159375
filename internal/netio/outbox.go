package netio

import (
	"net"
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

// OutputError returns what has ended the output, nil if nothing has: a write that
// failed aborts the Conn, of which Serve says no more than that it was closed.
func (c *Conn) OutputError() error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.err
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

// WriteError returns the error that ended the output, nil while it works.
func (c *Conn) WriteError() error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.err
}
