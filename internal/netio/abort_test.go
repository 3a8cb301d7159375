package netio

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// TestAbort checks that Serve returns net.ErrClosed from wherever it is.
func TestAbort(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		for _, moment := range moments {
			server, client := tr.pair(t)
			var first, second atomic.Bool
			h, err := meddle(t, server, client, moment, func(c *Conn) {
				first.Store(c.Abort())
				second.Store(c.Abort())
			})
			if err != net.ErrClosed {
				t.Errorf("%s: Serve returned %v, want net.ErrClosed", moment, err)
			}
			if !first.Load() || second.Load() {
				t.Errorf("%s: the first Abort says %t, the second %t", moment, first.Load(), second.Load())
			}
			if h.conn.Wait() {
				t.Errorf("%s: Wait returned true after Abort", moment)
			}
			h.conn.Close()
		}
	})
}

// TestAbortStopsTheWriter aborts while the writer waits for a client that does
// not read: Serve returns, Close leaves nothing behind.
func TestAbortStopsTheWriter(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		h, client, chunk := stuck(t, tr, func(h *tape) {})
		if !h.conn.Abort() {
			t.Error("Abort says that it was not the first")
		}
		if err := h.result(t); err != net.ErrClosed {
			t.Errorf("Serve returned %v, want net.ErrClosed", err)
		}
		h.checkClosed(t, tr, client, chunk)
	})
}

// TestAbortEndsWait does the same when Serve has returned and its caller waits
// for the output.
func TestAbortEndsWait(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		h, client, chunk := stuck(t, tr, func(h *tape) { h.onArrived = func() Action { return Stop } })
		must(t, h.result(t))
		waited := make(chan bool, 1)
		go h.wait(waited)
		h.conn.Abort()
		if receive(t, "Wait", waited) {
			t.Error("Wait returned true after Abort")
		}
		h.checkClosed(t, tr, client, chunk)
	})
}

func (h *tape) wait(to chan<- bool) { to <- h.conn.Wait() }

// stuck returns a served Conn to which a byte has come and whose writer waits.
func stuck(t *testing.T, tr transport, set func(*tape)) (h *tape, client net.Conn, chunk testChunk) {
	server, client := tr.pair(t)
	narrow(t, server, client)
	h = record(t, server, set)
	_, err := client.Write([]byte("x"))
	must(t, err)
	eventually(t, "the byte", func() bool { return h.text() == "x" })
	chunk = ownChunk(make([]byte, 4<<20))
	var out Batch
	out.AppendChunk(chunk.B, chunk.Chunk)
	h.conn.Queue(&out)
	if h.conn.Flush() == 0 {
		t.Fatal("the client's buffers took everything")
	}
	if !h.conn.Backlogged(1 << 20) {
		t.Error("not backlogged")
	}
	return h, client, chunk
}

// checkClosed closes an aborted Conn and looks at what is left of it.
func (h *tape) checkClosed(t *testing.T, tr transport, client net.Conn, chunk testChunk) {
	t.Helper()
	h.out.AppendChunk(chunk.B[:10], chunk.Chunk)
	h.conn.Queue(&h.out) // nobody flushes it
	drained := h.conn.Drained(0)
	closed := make(chan struct{})
	go closeThen(h.conn, closed)
	if tr.name == "tls" {
		_, _ = io.Copy(io.Discard, client) // Close says goodbye and waits for room
	}
	receive(t, "Close", closed)
	if drained != nil { // else the end of the output was quicker
		receive(t, "what Drained promised", drained)
	}
	if n := chunk.refs.Load(); n != 1 {
		t.Errorf("%d references are left after Close", n-1)
	}
	if h.conn.Backlogged(0) {
		t.Error("backlogged after Close")
	}
	if left := say(h.conn, []byte("more")); left != 0 {
		t.Errorf("%d bytes left after Close", left)
	}
	if h.conn.WriteError() == nil {
		t.Error("no WriteError after Close")
	}
	h.conn.Close() // a second time
}

func closeThen(c *Conn, done chan<- struct{}) {
	c.Close()
	close(done)
}

// TestWriteFails checks that an error of the output ends Serve and drops what is
// queued.
func TestWriteFails(t *testing.T) {
	each(t, sockets, func(t *testing.T, tr transport) {
		server, client := tr.pair(t)
		h := record(t, server, func(h *tape) {
			h.onArrived = func() Action { return Pause }
			h.onResumed = h.onArrived // also by the hang-up
		})
		_, err := client.Write([]byte("x"))
		must(t, err)
		eventually(t, "the pause", func() bool { return h.text() == "x" })
		client.Close()
		eventually(t, "a failed write", func() bool {
			say(h.conn, []byte("nobody reads this"))
			return h.conn.WriteError() != nil
		})
		if err := h.result(t); err != net.ErrClosed {
			t.Errorf("Serve returned %v, want net.ErrClosed", err)
		}
		h.conn.Close()
	})
}

// TestEverythingAtOnce calls all methods from several goroutines while the
// connection is ended; the race detector and the leak check are the judges.
func TestEverythingAtOnce(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		for i := range 30 {
			server, client := tr.pair(t)
			h := record(t, server, func(h *tape) {
				h.echo()
				h.onArrived = func() Action { return Action(i % 2) } // Continue or Pause
			})
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = client.Write(make([]byte, 100<<10)) })
			wg.Go(func() { _, _ = io.Copy(io.Discard, client) })
			for range 3 {
				wg.Go(func() {
					for range 50 {
						say(h.conn, make([]byte, 1000))
						h.conn.Resume()
						h.conn.Backlogged(i)
						h.conn.Written()
						h.conn.HungUp()
					}
				})
			}
			switch i % 3 {
			case 0:
				wg.Go(func() { h.conn.Abort() })
			case 1:
				wg.Go(func() { h.conn.StopReading() })
			case 2:
				wg.Go(func() { client.Close() })
			}
			if i%3 == 2 && i%2 == 1 {
				// A pause may still hold Serve when its last Resume was early.
				go h.resumeUntilServed()
			}
			_ = h.result(t)
			h.conn.Close()
			client.Close()
			wg.Wait()
		}
	})
}

// resumeUntilServed resumes until the Conn is closed.
func (h *tape) resumeUntilServed() {
	for !h.conn.closed.Load() {
		h.conn.Resume()
	}
}
