package netio

import (
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is one driven connection. Queue, Flush, Resume and Abort
// are safe for concurrent use; Serve is called once, and its caller closes the
// Conn after it.
type Conn struct {
	// Set at construction.
	nc      net.Conn
	raw     syscall.RawConn // nil: the ordinary way
	resume  chan struct{}   // holds at most one token
	handler Handler

	// Owned by Serve.
	readFn  func(fd uintptr) bool
	watchID int32 // 0: not watched
	action  Action
	readErr error

	hungUp  atomic.Bool // the peer has shut down its side; bytes may still wait
	watched bool        // hungUp will be set, so a short read may park
	closed  atomic.Bool
	ending  atomic.Bool // StopReading was called

	outbox
	polled
}

// NewConn makes a Conn of nc, which it owns from then on. It starts nothing.
func NewConn(nc net.Conn, h Handler) *Conn {
	c := &Conn{nc: nc, handler: h, resume: make(chan struct{}, 1)}
	if raw := rawConnOf(nc); raw != nil {
		c.raw = raw
		c.readFn = c.readReady
		c.writeFn = c.writeReady
	}
	return c
}

// aLongTimeAgo is a deadline that has passed: it wakes whoever waits.
var aLongTimeAgo = time.Unix(1, 0)

var noDeadline time.Time

// rawConnOf returns nil unless nc is a plain socket whose bytes are the stream.
func rawConnOf(nc net.Conn) syscall.RawConn {
	if !fastPath {
		return nil
	}
	var sc syscall.Conn
	switch v := nc.(type) {
	case *net.TCPConn:
		sc = v
	case *net.UnixConn:
		sc = v
	default:
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// NetConn returns the connection that NewConn was given, for its addresses and
// options. Its Read and Write must not be used.
func (c *Conn) NetConn() net.Conn { return c.nc }

// Drive hands what arrives to the Handler until the stream ends, and then calls
// end with what Serve would have returned. It does not return before, unless a
// Poller drives the Conn: then end is called from a goroutine made for it. It is
// called once.
func (c *Conn) Drive(end func(error)) {
	if c.loop != nil {
		c.start(end)
		return
	}
	end(c.Serve())
}

// Later has Handler.Settle called soon. It returns false if there is nobody to
// call it, since no Poller drives the Conn.
func (c *Conn) Later() bool {
	if c.loop == nil {
		return false
	}
	c.loop.ask(c, askSettle)
	return true
}

// HungUp reports whether the peer is known to have shut down its side.
func (c *Conn) HungUp() bool { return c.hungUp.Load() }

// Resume ends a Pause, or the next one at once. It never blocks.
func (c *Conn) Resume() {
	if c.loop != nil {
		c.loop.ask(c, askResume) // which knows who waits
	} else {
		c.token()
	}
}

// token leaves a token in resume.
func (c *Conn) token() {
	select {
	case c.resume <- struct{}{}:
	default:
	}
}

// StopReading makes Serve return nil as if the Handler had said Stop. What is
// to be written is still written.
func (c *Conn) StopReading() {
	if !c.ending.Swap(true) {
		c.rouse()
	}
}

// rouse makes whoever reads or waits look at closed and ending.
func (c *Conn) rouse() {
	if c.loop != nil {
		c.loop.ask(c, askStop|askResume)
		return
	}
	_ = c.nc.SetReadDeadline(aLongTimeAgo)
	c.token()
}

// Wait waits for Resume or Abort, once Serve has returned; false after Abort.
func (c *Conn) Wait() bool {
	if !c.closed.Load() {
		<-c.resume
	}
	return !c.closed.Load()
}

// Abort makes Serve return and drops unwritten output. It never blocks, also
// when called from a Handler, where Close would wait for its own caller. It
// reports whether this was the first call.
func (c *Conn) Abort() bool {
	if c.closed.Swap(true) {
		return false
	}
	if c.loop == nil {
		_ = c.nc.SetWriteDeadline(aLongTimeAgo)
	}
	c.rouse()
	return true
}

// Close closes the socket. It waits for a read or write that is under way and
// is meant for the one who called Serve, after it returned.
func (c *Conn) Close() {
	c.Abort()
	c.EndOutput()
	if c.loop != nil {
		c.loop.ask(c, askClose)
		return
	}
	_ = c.nc.Close()
}
