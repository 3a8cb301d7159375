package backend

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestSentIsExact resets a connection while many sessions write. The node, which
// says nothing, reads all that it was sent: as many tasks as began there know that
// they were sent, and those that came whole are among them.
func TestSentIsExact(t *testing.T) {
	for range 20 {
		sentIsExact(t, 32, true)
		sentIsExact(t, 20_000, false) // the socket fills up
	}
}

func sentIsExact(t *testing.T, size int, reading bool) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := NewPool(Config{Lanes: 1, ConnectTimeout: patience})
	defer p.Close()
	p.dialer.Control = smallBuffer
	lane := p.lane(l.Addr().String(), Profile{})
	lane.rtt = selfClockRTT // no holding back
	var all [4][]*call
	var wg sync.WaitGroup
	for id := range all {
		wg.Go(func() { all[id] = writeUntilLost(t, lane, id, size) })
	}
	nc, err := l.Accept()
	must(t, err)
	defer nc.Close()
	l.Close()
	limit := 1 + rand.Int64N(int64(8*size))
	eventually(t, "some output", func() bool { return lane.written() >= limit })
	if reading {
		wg.Go(lane.Reset)
	} else {
		lane.Reset()
	}
	must(t, nc.SetReadDeadline(time.Now().Add(patience)))
	got, err := io.ReadAll(nc)
	must(t, err)
	wg.Wait()

	sent := 0
	for id := range all {
		for _, k := range all[id] {
			if k.wait(t); k.lost == nil {
				t.Fatal("a reply of a node that says nothing")
			}
			if k.lost.Sent {
				sent++
			}
		}
	}
	if begun := (len(got) + size - 1) / size; sent != begun {
		t.Fatalf("%d tasks say that they were sent; the node got %d bytes, which is %d of %d bytes each", sent, len(got), begun, size)
	}
	for ; len(got) >= size; got = got[size:] {
		var id, i int
		if _, err := fmt.Sscanf(string(got[:8]), "%d-%d", &id, &i); err != nil {
			t.Fatal(err)
		}
		if k := all[id][i]; !k.lost.Sent {
			t.Fatalf("%s came to the node whole, and does not know that it was sent", k.Wire[:8])
		}
	}
}

// smallBuffer makes little fill a socket's output.
func smallBuffer(_, _ string, raw syscall.RawConn) error {
	var set error
	err := raw.Control(func(fd uintptr) {
		set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 64<<10)
	})
	return errors.Join(err, set)
}

// writeUntilLost sends calls of a size that say who they are, until the lane has
// lost its connection, or no more than what is surely enough.
func writeUntilLost(t *testing.T, lane *TaskRunner, id, size int) (calls []*call) {
	c := newCaller(t)
	for i := range min(3000, 2<<20/size) {
		k := c.raw(fmt.Sprintf("%d-%06d", id, i) + strings.Repeat("x", size-8))
		calls = append(calls, k)
		if !lane.Enqueue(&k.Task) {
			return calls[:i]
		}
		lane.Flush()
		runtime.Gosched()
	}
	return calls
}

// written returns how many bytes the present connection has taken.
func (r *TaskRunner) written() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.link == nil {
		return 0
	}
	return r.link.conn.Written()
}
