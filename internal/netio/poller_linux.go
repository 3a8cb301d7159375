package netio

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Poller drives Conns with a few goroutines, each of which waits for the
// sockets of all its Conns at once. It spends less on each request than a goroutine
// per Conn does: no goroutine is parked and woken, and what gathers during a round
// over all ready sockets is written at its end. A Poller is safe for concurrent use.
type Poller struct {
	loops   []*loop
	running sync.WaitGroup
}

// looping is how many goroutines all Pollers of the process have.
var looping atomic.Int32

// NewPoller starts a Poller of so many goroutines. One for each thread that may
// run Go code leaves none idle.
func NewPoller(loops int) (*Poller, error) {
	p := &Poller{}
	for range loops {
		l, err := newLoop()
		if err != nil {
			p.Close()
			return nil, fmt.Errorf("poller: %w", err)
		}
		p.loops = append(p.loops, l)
		p.running.Add(1)
		looping.Add(1)
		go p.run(l)
	}
	return p, nil
}

func (p *Poller) run(l *loop) {
	defer p.running.Done()
	defer looping.Add(-1)
	l.pollLoop()
}

// Close ends the goroutines. Every Conn must have been closed. It does nothing
// if p is nil.
func (p *Poller) Close() {
	if p == nil {
		return
	}
	for _, l := range p.loops {
		l.close()
	}
	p.running.Wait()
}

// NewConn makes a Conn of nc, which it owns from then on, and which must not be
// read, written or closed any more. Conns of equal affinity have the same goroutine,
// as far as there are enough of them for the others. A stream that is no plain
// socket gets a Conn that is driven by a goroutine of its own, and so does every one
// if p is nil.
func (p *Poller) NewConn(nc net.Conn, h Handler, affinity uint32) *Conn {
	c := NewConn(nc, h)
	if p == nil || c.raw == nil {
		return c
	}
	fd, err := takeSocket(c.raw)
	if err != nil {
		return c
	}
	l := p.loops[affinity%uint32(len(p.loops))]
	c.fd = fd
	if err := l.add(c); err != nil {
		_ = syscall.Close(fd)
		return c
	}
	_ = nc.Close() // the runtime's poller forgets it; fd lives on
	c.raw, c.loop = nil, l
	return c
}

// takeSocket returns a descriptor of the socket that the runtime's poller does
// not know.
func takeSocket(raw syscall.RawConn) (fd int, err error) {
	ctlErr := raw.Control(func(old uintptr) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	})
	if ctlErr != nil {
		return -1, ctlErr
	}
	return fd, err
}
