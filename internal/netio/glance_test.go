//go:build linux

package netio

import (
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestGlance has Pollers take all threads that there are, while an ordinary pair of sockets, which waits with the
// runtime's poller, talks.
func TestGlance(t *testing.T) {
	p := startPoller(t, runtime.GOMAXPROCS(0))
	var over atomic.Bool
	t.Cleanup(func() { over.Store(true) })
	glanced := make(chan struct{}, len(p.loops))
	for i, l := range p.loops {
		server, _ := tcpPair(t)
		told := false
		h := recordOn(t, p, server, uint32(i), func(h *tape) {
			h.onSettle = func() { // called by l
				if !told && l.glance.last > 0 {
					told = true
					glanced <- struct{}{}
				}
				if !over.Load() {
					h.conn.Later() // so that l never waits
				}
			}
		})
		h.conn.Later()
	}
	for range p.loops {
		receive(t, "the Poller to have the scheduler look", glanced)
	}

	server, client := tcpPair(t)
	defer server.Close()
	echoed := make(chan error, 1)
	go echoAll(server, echoed)
	began := time.Now()
	const trips = 100
	for i := range trips {
		if _, err := client.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		var got [4]byte
		if _, err := io.ReadFull(client, got[:]); err != nil {
			t.Fatalf("after %d of %d round trips: %v", i, trips, err)
		}
	}
	t.Logf("%d round trips took %v", trips, time.Since(began))
	client.Close()
	if err := receive(t, "the echo to end", echoed); err != nil {
		t.Error(err)
	}
}

// echoAll sends back what arrives until the other end closes.
func echoAll(nc net.Conn, ended chan<- error) {
	_, err := io.Copy(nc, nc)
	ended <- err
}
