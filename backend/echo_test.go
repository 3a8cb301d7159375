package backend

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// echo is a node that sends back whatever it gets: a task whose bytes are a bulk
// string is its own reply.
type echo struct {
	addr     string
	listener net.Listener
	cutAfter func() int // bytes after which a connection is cut; nil: never
	wait     sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	conns map[net.Conn]bool
}

func startEcho(tb testing.TB, cutAfter func() int) *echo {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	e := &echo{addr: l.Addr().String(), listener: l, cutAfter: cutAfter, conns: map[net.Conn]bool{}}
	e.wait.Go(e.acceptLoop)
	tb.Cleanup(e.close)
	return e
}

func (e *echo) close() {
	e.listener.Close()
	e.mu.Lock()
	for nc := range e.conns {
		nc.Close()
	}
	e.mu.Unlock()
	e.wait.Wait()
}

func (e *echo) acceptLoop() {
	for {
		nc, err := e.listener.Accept()
		if err != nil {
			return
		}
		e.mu.Lock()
		e.conns[nc] = true
		e.mu.Unlock()
		e.wait.Go(func() { e.serve(nc.(*net.TCPConn)) })
	}
}

func (e *echo) serve(nc *net.TCPConn) {
	defer nc.Close()
	if e.cutAfter == nil {
		_, _ = io.CopyBuffer(struct{ io.Writer }{nc}, struct{ io.Reader }{nc}, make([]byte, 32<<10))
		return
	}
	n := e.cutAfter()
	_, _ = io.CopyN(nc, nc, int64(n))
	if rand.N(2) == 0 {
		_ = nc.SetLinger(0) // reset
	}
}
