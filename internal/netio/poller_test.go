//go:build linux

package netio

import (
	"bytes"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// startPoller starts a Poller of its own for a test, closed after the test's Conns.
func startPoller(tb testing.TB, loops int) *Poller {
	tb.Helper()
	p, err := NewPoller(loops)
	must(tb, err)
	tb.Cleanup(p.Close)
	return p
}

// recordOn is record with a Poller.
func recordOn(tb testing.TB, p *Poller, nc net.Conn, affinity uint32, set func(*tape)) *tape {
	tb.Helper()
	h := &tape{served: make(chan error, 1)}
	h.conn = p.NewConn(nc, h, affinity)
	set(h)
	tb.Cleanup(func() { h.conn.Abort(); h.conn.Close() })
	h.serve()
	return h
}

// TestSettleComesAfterTheRound has many sockets become readable while the Poller is
// held up in one of them: all have arrived before the first settles.
func TestSettleComesAfterTheRound(t *testing.T) {
	const conns = 20
	p := startPoller(t, 1)
	held, goOn := make(chan struct{}), make(chan struct{})
	server, client := tcpPair(t)
	recordOn(t, p, server, 0, func(h *tape) {
		h.onArrived = func() Action { close(held); <-goOn; return Continue }
	})
	var arrived, settled, early atomic.Int32
	clients, tapes := make([]net.Conn, conns), make([]*tape, conns)
	for i := range clients {
		var nc net.Conn
		nc, clients[i] = tcpPair(t)
		tapes[i] = recordOn(t, p, nc, 0, func(h *tape) {
			h.onArrived = func() Action {
				arrived.Add(1)
				for range 2 { // once is enough
					if !h.conn.Later() {
						t.Error("no Settle is promised")
					}
				}
				return Continue
			}
			h.onSettle = func() {
				settled.Add(1)
				if arrived.Load() < conns {
					early.Add(1)
				}
			}
		})
	}
	for _, h := range tapes {
		h.awaitQuiet(t) // or it would be begun only behind the hold-up, in a pass of its own
	}
	_, err := client.Write([]byte("x"))
	must(t, err)
	receive(t, "the first Conn to hold the Poller up", held)
	for _, c := range clients {
		_, err := c.Write([]byte("x"))
		must(t, err)
	}
	for _, h := range tapes {
		eventually(t, "a byte to come", func() bool {
			n, err := unix.IoctlGetInt(h.conn.fd, unix.TIOCINQ)
			return err == nil && n == 1
		})
	}
	close(goOn)
	eventually(t, "all to settle", func() bool { return settled.Load() == conns })
	if early.Load() > 0 {
		t.Errorf("%d settled before all had arrived", early.Load())
	}
}

// TestLaterFromOutside asks for a Settle from another goroutine while the Poller
// sleeps.
func TestLaterFromOutside(t *testing.T) {
	p := startPoller(t, 1)
	settled := make(chan struct{}, 1)
	server, _ := tcpPair(t)
	h := recordOn(t, p, server, 0, func(h *tape) {
		h.onSettle = func() { settled <- struct{}{} }
	})
	h.awaitQuiet(t)
	for range 1000 {
		h.conn.Later()
		receive(t, "Settle", settled)
	}
}

// TestNobodySettlesForAGoroutine: without a Poller there is no Settle to wait for.
func TestNobodySettlesForAGoroutine(t *testing.T) {
	server, _ := tcpPair(t)
	h := record(t, server, func(h *tape) { h.onSettle = func() { t.Error("settled") } })
	if h.conn.Later() {
		t.Error("a Settle is promised")
	}
}

// TestPollerIsFair has one client send without end; another one is served all the
// same.
func TestPollerIsFair(t *testing.T) {
	p := startPoller(t, 1)
	flood, flooder := tcpPair(t)
	f := recordOn(t, p, flood, 0, func(h *tape) { h.onBytes = func([]byte) {} })
	var wg sync.WaitGroup
	wg.Go(func() {
		for b := noise(256 << 10); ; {
			if _, err := flooder.Write(b); err != nil {
				return
			}
		}
	})
	nc, client := tcpPair(t)
	recordOn(t, p, nc, 0, (*tape).echo)
	for range 200 {
		_, err := client.Write([]byte("ping"))
		must(t, err)
		var got [4]byte
		_, err = io.ReadFull(client, got[:])
		must(t, err)
	}
	flooder.Close()
	wg.Wait()
	_ = f.result(t)
}

// TestAffinity: Conns of equal affinity have the same goroutine, others are spread.
func TestAffinity(t *testing.T) {
	p := startPoller(t, 3)
	of := map[*loop]int{}
	for i := range uint32(6) {
		server, _ := tcpPair(t)
		c := p.NewConn(server, nil, i)
		t.Cleanup(c.Close)
		if c.loop != p.loops[i%3] {
			t.Errorf("affinity %d has another goroutine", i)
		}
		of[c.loop]++
	}
	if len(of) != 3 {
		t.Errorf("spread over %d goroutines, want 3", len(of))
	}
}

// TestPolledDescriptorsAreClosed makes and ends many Conns, by both sides: no
// descriptor and no key stays behind.
func TestPolledDescriptorsAreClosed(t *testing.T) {
	p := startPoller(t, 1)
	before := descriptors(t)
	for i := range 200 {
		server, client := tcpPair(t)
		h := &tape{served: make(chan error, 1)}
		h.conn = p.NewConn(server, h, 0)
		h.serve()
		if i%2 == 0 {
			client.Close()
		} else {
			h.conn.Abort()
		}
		_ = h.result(t)
		h.conn.Close()
		client.Close()
	}
	eventually(t, "all descriptors to be closed", func() bool { return descriptors(t) <= before })
	l := p.loops[0]
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) > 20 || len(l.free) != len(l.conns)-1 {
		t.Errorf("%d keys, %d of them free", len(l.conns)-1, len(l.free))
	}
}

func descriptors(tb testing.TB) int {
	tb.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	must(tb, err)
	return len(list)
}

// TestPolledWritersFromOutside has goroutines write over one Conn at the same time
// to a client that reads slowly: nothing is torn, lost or doubled.
func TestPolledWritersFromOutside(t *testing.T) {
	p := startPoller(t, 1)
	server, client := tcpPair(t)
	narrow(t, server, client)
	h := recordOn(t, p, server, 0, func(*tape) {})
	const writers, lines = 4, 2000
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range lines {
				say(h.conn, []byte(strconv.Itoa(w)+" "+strconv.Itoa(i)+" "+string(bytes.Repeat([]byte("."), i%300))+"\n"))
			}
		})
	}
	var next [writers]int
	var rest []byte
	buf := make([]byte, 8<<10)
	for done := 0; done < writers*lines; {
		n, err := client.Read(buf)
		must(t, err)
		rest = append(rest, buf[:n]...)
		for {
			line, after, whole := bytes.Cut(rest, []byte("\n"))
			if !whole {
				break
			}
			rest = after
			done++
			fields := bytes.Fields(line)
			w, _ := strconv.Atoi(string(fields[0]))
			if got := string(fields[1]); got != strconv.Itoa(next[w]) {
				t.Fatalf("writer %d: line %s, want %d", w, got, next[w])
			}
			next[w]++
		}
	}
	wg.Wait()
}
