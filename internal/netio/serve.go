package netio

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

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

// stopped reports whether nothing more is to be handed over.
func (c *Conn) stopped() bool { return c.closed.Load() || c.ending.Load() }
