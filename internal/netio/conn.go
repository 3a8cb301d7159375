package netio

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Action is a Handler's answer to bytes that arrived.
type Action uint8

const (
	// Continue asks for more bytes.
	Continue Action = iota
	// Pause asks for no more bytes until Conn.Resume.
	Pause
	// Stop ends Serve with a nil error.
	Stop
)

// Handler consumes what a Conn reads. Serve calls its methods one at a time
// from its own goroutine. None of them may block.
type Handler interface {
	// ReadBuffer returns where the next bytes go. It is never empty and stays
	// untouched by the handler until Arrived or Quiet.
	ReadBuffer() []byte
	// Arrived says that n > 0 bytes stand at the start of the last ReadBuffer.
	Arrived(n int) Action
	// Resumed is called after Resume, to go on with what had arrived before a
	// Pause, and when the peer has hung up during one. It may answer Pause again.
	Resumed() Action
	// Quiet is called when all that had arrived was handed over, right before
	// Serve waits: the moment to give buffers back.
	Quiet()
	// Settle is called after Conn.Later, when all Conns of the same Poller
	// goroutine have handled what had arrived: the moment to write. It may come
	// after the end of Drive.
	Settle()
}

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

// Serve reads until the stream ends and hands everything to the Handler. It
// returns io.EOF when the peer closed, nil after a Stop, net.ErrClosed after
// Abort, else the read's error. It does not close the connection.
func (c *Conn) Serve() error {
	if c.raw == nil {
		return c.serveOrdinary()
	}
	c.watched = c.watchHangup()
	defer c.forgetHangup()
	for {
		c.action, c.readErr = Continue, nil
		err := c.raw.Read(c.readFn)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			// hangUp's wake-up: read on, without parking, to the end. Or
			// Abort's, which sets closed before the deadline.
			_ = c.nc.SetReadDeadline(noDeadline)
			if c.closed.Load() {
				return net.ErrClosed
			}
			if c.ending.Load() {
				return nil
			}
			continue
		case err != nil:
			return c.readError(err)
		case c.readErr != nil:
			return c.readError(c.readErr)
		}
		if act := c.waitWhilePaused(c.action); act == Stop {
			return c.stopError()
		}
	}
}

// readReady is the callback of RawConn.Read; false parks the goroutine until
// the socket is readable.
func (c *Conn) readReady(fd uintptr) bool {
	for {
		if c.stopped() { // bytes woke us before that did, or are without end
			c.action = Stop
			return true
		}
		buf := c.handler.ReadBuffer()
		n, errno := readFD(fd, buf)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			c.handler.Quiet()
			return false
		case errno != 0:
			c.readErr = os.NewSyscallError("read", errno)
			return true
		case n == 0:
			c.readErr = io.EOF
			return true
		}
		if c.action = c.handler.Arrived(n); c.action != Continue {
			return true
		}
		if n < len(buf) && c.watched && !c.hungUp.Load() {
			c.handler.Quiet()
			return false
		}
	}
}

func (c *Conn) serveOrdinary() error {
	for {
		if c.stopped() { // TLS may have bytes left, and asks no deadline then
			return c.stopError()
		}
		n, err := c.nc.Read(c.handler.ReadBuffer())
		if n > 0 {
			if act := c.waitWhilePaused(c.handler.Arrived(n)); act == Stop {
				return c.stopError()
			}
		}
		if err != nil {
			return c.readError(err)
		}
	}
}

// waitWhilePaused returns Continue or Stop.
func (c *Conn) waitWhilePaused(act Action) Action {
	for act == Pause {
		<-c.resume
		if c.stopped() {
			return Stop
		}
		act = c.handler.Resumed()
	}
	return act
}

// stopped reports whether nothing more is to be handed over.
func (c *Conn) stopped() bool { return c.closed.Load() || c.ending.Load() }

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

// hangUp notes that the peer will send nothing more and wakes Serve, also out
// of a Pause.
func (c *Conn) hangUp() {
	if !c.hungUp.Swap(true) {
		_ = c.nc.SetReadDeadline(aLongTimeAgo)
		c.token()
	}
}

func (c *Conn) readError(err error) error {
	switch {
	case c.closed.Load():
		return net.ErrClosed
	case c.ending.Load():
		return nil
	}
	return err
}

func (c *Conn) stopError() error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	return nil
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
