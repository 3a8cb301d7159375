package netio

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPauseAndResume(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		server, client := tr.pair(t)
		h := record(t, server, func(h *tape) { h.onArrived = func() Action { return Pause } })
		for i, word := range []string{"one", "two", "three"} {
			_, err := client.Write([]byte(word))
			must(t, err)
			eventually(t, word, func() bool { n, _, _ := h.calls(); return n == i+1 })
			h.conn.Resume()
			eventually(t, "Resumed", func() bool { _, n, _ := h.calls(); return n == i+1 })
		}
		client.Close()
		if err := h.result(t); err != io.EOF || h.text() != "onetwothree" {
			t.Errorf("%q and %v, want \"onetwothree\" and io.EOF", h.text(), err)
		}
	})
}

// TestPausedReadsNothing lets a client send more than the buffers hold: it must
// be stopped by them until the pause is over.
func TestPausedReadsNothing(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		server, client := tr.pair(t)
		narrow(t, server, client)
		pause := true // owned by Serve
		h := record(t, server, func(h *tape) {
			h.onArrived = func() Action {
				if pause {
					pause = false
					return Pause
				}
				return Continue
			}
		})
		_, err := client.Write([]byte("x"))
		must(t, err)
		eventually(t, "the pause", func() bool { return h.text() == "x" })

		// The deadline ends a write that the buffers have stopped.
		must(t, client.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
		sent, more := 1, make([]byte, 64<<10)
		for err == nil {
			var n int
			n, err = client.Write(more)
			sent += n
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the client's writes ended with %v", err)
		}
		if n, _, _ := h.calls(); n != 1 {
			t.Fatalf("bytes arrived %d times during the pause", n-1)
		}
		h.conn.Resume()
		if tr.name == "tls" {
			return // a write that was cut short leaves a broken record
		}
		client.Close()
		if err := h.result(t); err != io.EOF || len(h.text()) != sent {
			t.Errorf("%d bytes and %v, want %d and io.EOF", len(h.text()), err, sent)
		}
	})
}

// TestResumeBeforePause checks that a Resume that comes too early is not lost,
// and counts once.
func TestResumeBeforePause(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		server, client := tr.pair(t)
		h := record(t, server, func(h *tape) {
			h.onArrived = func() Action {
				h.conn.Resume()
				h.conn.Resume()
				return Pause
			}
			h.onResumed = func() Action {
				if _, n, _ := h.calls(); n == 1 {
					return Pause
				}
				return Continue
			}
		})
		_, err := client.Write([]byte("x"))
		must(t, err)
		eventually(t, "Resumed", func() bool { _, n, _ := h.calls(); return n == 1 })
		h.conn.Resume()
		eventually(t, "Resumed again", func() bool { _, n, _ := h.calls(); return n == 2 })
		if n := len(h.conn.resume); n != 0 {
			t.Error("a Resume is left over")
		}
		client.Close()
		if err := h.result(t); err != io.EOF {
			t.Errorf("Serve returned %v, want io.EOF", err)
		}
	})
}

// TestHangUpWhilePaused checks that a hang-up is told of although nothing is read,
// and that what came before it is still handed over.
func TestHangUpWhilePaused(t *testing.T) {
	if !fastPath {
		t.Skip("there is no watcher on this system")
	}
	each(t, slices.Concat(transports[:2], transports[5:]), func(t *testing.T, tr transport) {
		server, client := tr.pair(t)
		var over atomic.Bool
		h := record(t, server, func(h *tape) {
			h.onArrived = func() Action { return Pause }
			h.onResumed = func() Action {
				if over.Load() {
					return Continue
				}
				return Pause
			}
		})
		_, err := client.Write([]byte("first"))
		must(t, err)
		eventually(t, "the pause", func() bool { return h.text() == "first" })
		if h.conn.HungUp() {
			t.Error("hung up too early")
		}
		_, err = client.Write([]byte("last"))
		must(t, err)
		closeWrite(t, client)
		eventually(t, "Resumed", func() bool { _, n, _ := h.calls(); return n == 1 })
		if !h.conn.HungUp() {
			t.Error("it was not by the hang-up")
		}
		if got := h.text(); got != "first" {
			t.Errorf("%q arrived during the pause", got)
		}
		over.Store(true)
		h.conn.Resume()
		eventually(t, "the rest", func() bool { return h.text() == "firstlast" })
		h.conn.Resume()
		if err := h.result(t); err != io.EOF {
			t.Errorf("Serve returned %v, want io.EOF", err)
		}
	})
}

func TestStop(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		for _, resumed := range []bool{false, true} {
			server, client := tr.pair(t)
			h := record(t, server, func(h *tape) {
				h.onArrived = func() Action {
					if !resumed {
						return Stop
					}
					h.conn.Resume()
					return Pause
				}
				h.onResumed = func() Action { return Stop }
			})
			_, err := client.Write([]byte("x"))
			must(t, err)
			if err := h.result(t); err != nil {
				t.Errorf("Serve returned %v after a Stop (from Resumed: %t)", err, resumed)
			}
		}
	})
}

// moments are states of a Conn in which a test meddles with it.
var moments = []string{"before Serve", "waiting", "paused", "handling"}

// meddle brings a Conn to a moment and calls f then, which must end Serve. It
// returns what Serve did.
func meddle(t *testing.T, server, client net.Conn, moment string, f func(*Conn)) (*tape, error) {
	t.Helper()
	h := prepare(t, server, func(h *tape) {
		h.onArrived = func() Action {
			switch {
			case moment == "paused":
				return Pause
			case moment == "handling":
				f(h.conn)
			}
			return Continue
		}
	})
	if moment == "before Serve" {
		f(h.conn)
	}
	go h.serve()
	switch moment {
	case "waiting":
		h.awaitQuiet(t)
		f(h.conn)
	case "paused", "handling":
		_, err := client.Write([]byte("x"))
		must(t, err)
		if moment == "paused" {
			eventually(t, "the pause", func() bool { return h.text() == "x" })
			f(h.conn)
		}
	}
	return h, h.result(t)
}

// TestStopReading checks that Serve returns nil from wherever it is, and that
// output goes on.
func TestStopReading(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		for _, moment := range moments {
			if tr.name == "tls" && moment != "paused" && moment != "handling" {
				continue // a handshake that is cut short leaves no way to write
			}
			server, client := tr.pair(t)
			h, err := meddle(t, server, client, moment, func(c *Conn) { c.StopReading(); c.StopReading() })
			if err != nil {
				t.Errorf("%s: Serve returned %v", moment, err)
			}
			if _, n, _ := h.calls(); n > 0 {
				t.Errorf("%s: Resumed was called", moment)
			}
			want := noise(1 << 20)
			say(h.conn, want)
			got := make([]byte, len(want))
			_, err = io.ReadFull(client, got)
			must(t, err)
			if string(got) != string(want) {
				t.Errorf("%s: the output differs", moment)
			}
			for h.conn.Backlogged(0) && h.conn.Wait() {
			}
			if n := h.conn.Written(); n != int64(len(want)) {
				t.Errorf("%s: %d bytes written, want %d", moment, n, len(want))
			}
			h.conn.Close()
		}
	})
}

// TestStoppedLeavesBytes stops, or aborts, while more bytes are there to be read:
// they are not handed over, else a client that sends without end would go on.
func TestStoppedLeavesBytes(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		for _, tt := range []struct {
			stop func(*Conn)
			want error
		}{
			{func(c *Conn) { c.StopReading() }, nil},
			{func(c *Conn) { c.Abort() }, net.ErrClosed},
		} {
			server, client := tr.pair(t)
			h := prepare(t, server, func(h *tape) {
				h.onArrived = func() Action {
					tt.stop(h.conn)
					return Continue
				}
			})
			h.conn.handler = singleBytes{h}
			go h.serve()
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = client.Write([]byte("ab")) })
			if err := h.result(t); err != tt.want || h.text() != "a" {
				t.Errorf("%q arrived and Serve returned %v, want \"a\" and %v", h.text(), err, tt.want)
			}
			h.conn.Close()
			wg.Wait()
		}
	})
}

// singleBytes has room for one byte at a time.
type singleBytes struct{ *tape }

func (s singleBytes) ReadBuffer() []byte { return s.tape.ReadBuffer()[:1] }
