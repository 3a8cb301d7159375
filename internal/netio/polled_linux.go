package netio

import (
	"io"
	"os"
	"syscall"
)

// polled is what a Conn has that a Poller drives. It is part of Conn.
type polled struct {
	// Set at construction.
	loop *loop // nil: a goroutine drives the Conn
	fd   int
	key  int32

	asked asks // guarded by loop.mu

	// Owned by the loop.
	state   polledState
	unread  bool // the socket may have bytes, or an end, that were not read
	resumed bool // Resume was called while there was no pause
	full    bool // what is to be written waits for room in the socket
	gone    bool // fd is closed
	end     func(error)
}

// polledState is where the reading of a polled Conn is.
type polledState uint8

const (
	statePrepared polledState = iota // Drive was not called yet
	stateReading
	statePaused
	stateEnded
)

// maxReads is how often one socket is read before others have their turn.
const maxReads = 4

// start begins to read; end is called once, when Serve would return.
func (c *Conn) start(end func(error)) {
	c.end = end // seen by the loop, which takes its lock before it looks
	c.loop.ask(c, askStart)
}

// answer does what the Conn asked of its loop. Called by the loop, as all below.
func (c *Conn) answer(what asks) {
	if what&askStart != 0 {
		c.begin()
	}
	if what&askStop != 0 {
		if c.stopped() {
			c.endReading(nil)
		}
		if c.closed.Load() {
			c.dropUnsent()
		}
	}
	if what&askWrite != 0 {
		c.full = true
		c.writeMore() // the room may have come before it was asked for
	}
	if what&askResume != 0 {
		c.resumed = true
		switch c.state {
		case statePaused:
			c.act(Pause)
		case statePrepared, stateEnded:
			c.passResume()
		}
	}
	if what&askClose != 0 {
		c.closeSocket()
	} else if c.unread && c.state == stateReading {
		c.readSome()
	}
}

// begin lets the Handler have what arrives.
func (c *Conn) begin() {
	c.state = stateReading
	select {
	case <-c.resume:
		c.resumed = true
	default:
	}
	c.unread = true
}

// handleEvent reacts to what the kernel says of the socket.
func (c *Conn) handleEvent(events uint32) {
	if c.gone {
		return
	}
	const ended = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
	if events&ended != 0 {
		c.hungUp.Store(true)
	}
	if events&(syscall.EPOLLOUT|ended) != 0 {
		c.writeMore()
	}
	if events&(syscall.EPOLLIN|ended) != 0 {
		c.unread = true
		if c.state == statePaused && events&ended != 0 {
			c.resumed = true
			c.act(Pause)
		}
		if c.state == stateReading {
			c.readSome()
		}
	}
}

// readSome reads what has arrived. A short read means that the socket is empty,
// unless the peer is known to have shut down its side: that end is still to be
// read. What comes after the read is reported anew.
func (c *Conn) readSome() {
	for range maxReads {
		if c.stopped() {
			c.endReading(nil)
			return
		}
		buf := c.handler.ReadBuffer()
		n, errno := readFD(uintptr(c.fd), buf)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			c.unread = false
			c.handler.Quiet()
			return
		case errno != 0:
			c.endReading(os.NewSyscallError("read", errno))
			return
		case n == 0:
			c.endReading(io.EOF)
			return
		}
		short := n < len(buf) && !c.hungUp.Load()
		c.unread = !short
		if !c.act(c.handler.Arrived(n)) {
			return
		}
		if short {
			c.handler.Quiet()
			return
		}
	}
	c.loop.ask(c, askRead)
}

// act does as the Handler says; true if it is to read on.
func (c *Conn) act(a Action) bool {
	switch a {
	case Continue:
		c.state = stateReading
		return true
	case Pause:
		if c.resumed {
			c.resumed = false
			return c.act(c.handler.Resumed())
		}
		c.state, c.loop.paused = statePaused, true
	case Stop:
		c.state = stateReading
		c.endReading(nil)
	}
	return false
}

// endReading lets the owner of the Conn go on, in a goroutine, which may block.
func (c *Conn) endReading(err error) {
	if c.state == stateEnded || c.state == statePrepared {
		return
	}
	c.state = stateEnded
	if err == nil {
		err = c.stopError()
	} else {
		err = c.readError(err)
	}
	c.passResume()
	go c.end(err)
}

// passResume leaves a Resume to who calls Wait, or to what comes after start.
func (c *Conn) passResume() {
	if !c.resumed {
		return
	}
	c.resumed = false
	c.token()
}

// writeMore goes on writing where the socket was full.
func (c *Conn) writeMore() {
	if !c.full {
		return
	}
	if c.closed.Load() {
		c.dropUnsent()
		return
	}
	c.wmu.Lock()
	for c.unsent > 0 || c.takeLocked() {
		c.wmu.Unlock()
		c.writeSome(false)
		c.wmu.Lock()
		c.settleLocked()
		if c.unsent > 0 {
			c.wmu.Unlock()
			return
		}
	}
	c.full = false
	c.endWriting()
}

// dropUnsent gives up what the loop was to write.
func (c *Conn) dropUnsent() {
	if !c.full {
		return
	}
	c.wmu.Lock()
	c.n, c.errno = 0, syscall.EPIPE
	c.settleLocked()
	c.full = false
	c.endWriting()
}

// closeSocket ends the Conn for good.
func (c *Conn) closeSocket() {
	if c.gone {
		return
	}
	c.gone = true
	c.loop.remove(c)
	_ = syscall.Close(c.fd)
}
