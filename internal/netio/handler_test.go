package netio

import (
	"net"
	"sync"
	"testing"
)

// tape is a Handler that keeps what arrives and does as a test says.
type tape struct {
	// Set at construction.
	conn      *Conn
	served    chan error       // gets what Serve returned
	onArrived func() Action    // nil: Continue
	onResumed func() Action    // nil: Continue
	onBytes   func(got []byte) // nil: they are kept
	onSettle  func()           // nil: nothing
	need      int              // given to Room

	in  Input // owned by Serve
	out Batch // owned by Serve

	mu sync.Mutex
	// Guarded by mu.
	got                       []byte
	arrivals, resumes, quiets int
}

// record starts serving nc with a tape, whose functions set may set. The Conn is
// closed, and Serve has returned, at the end of the test.
func record(tb testing.TB, nc net.Conn, set func(*tape)) *tape {
	h := prepare(tb, nc, set)
	go h.serve()
	return h
}

// prepare is record without the start.
func prepare(tb testing.TB, nc net.Conn, set func(*tape)) *tape {
	h := &tape{served: make(chan error, 1)}
	h.conn = newConn(tb, nc, h)
	if set != nil {
		set(h)
	}
	tb.Cleanup(func() { h.conn.Abort(); h.conn.Close() })
	return h
}

func (h *tape) serve() {
	h.conn.Drive(h.ended)
}

func (h *tape) ended(err error) {
	h.in.Release()
	h.served <- err
}

// result waits for Serve to return.
func (h *tape) result(tb testing.TB) error {
	tb.Helper()
	return receive(tb, "Serve to return", h.served)
}

func (h *tape) ReadBuffer() []byte { return h.in.Room(h.need) }

func (h *tape) Arrived(n int) Action {
	h.in.Filled(n)
	if h.onBytes != nil {
		h.onBytes(h.in.Bytes())
	} else {
		h.mu.Lock()
		h.got = append(h.got, h.in.Bytes()...)
		h.mu.Unlock()
	}
	h.in.Consume(h.in.Len())
	h.mu.Lock()
	h.arrivals++
	h.mu.Unlock()
	if h.onArrived != nil {
		return h.onArrived()
	}
	return Continue
}

func (h *tape) Resumed() Action {
	h.mu.Lock()
	h.resumes++
	h.mu.Unlock()
	if h.onResumed != nil {
		return h.onResumed()
	}
	return Continue
}

func (h *tape) Settle() {
	if h.onSettle != nil {
		h.onSettle()
	}
}

func (h *tape) Quiet() {
	h.in.Rest()
	h.mu.Lock()
	h.quiets++
	h.mu.Unlock()
}

// text returns what has arrived.
func (h *tape) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.got)
}

// calls returns how often Arrived, Resumed and Quiet were called.
func (h *tape) calls() (arrivals, resumes, quiets int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.arrivals, h.resumes, h.quiets
}

// echo makes a tape send back what arrives, large pieces without copying them.
func (h *tape) echo() {
	h.onBytes = func(got []byte) {
		if len(got) >= 1<<10 {
			h.out.AppendChunk(got, h.in.Chunk())
		} else {
			h.out.Append(got)
		}
		h.conn.Queue(&h.out)
		h.conn.Flush()
	}
}

// awaitQuiet waits until Serve waits for bytes. Ordinary connections do not
// tell; there it makes no difference.
func (h *tape) awaitQuiet(tb testing.TB) {
	tb.Helper()
	if !fast(h.conn) {
		return
	}
	eventually(tb, "Quiet", func() bool { _, _, n := h.calls(); return n > 0 })
}

// say queues b and flushes it.
func say(c *Conn, b []byte) (left int) {
	var out Batch
	out.Append(b)
	c.Queue(&out)
	return c.Flush()
}
