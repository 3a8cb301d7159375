package netio

import (
	"net"
	"os"
	"syscall"
)

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
		if c.closed.Load() {
			err = net.ErrClosed // by us, and the write failed of that
		}
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
