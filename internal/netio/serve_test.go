package netio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
)

// noise returns n bytes that repeat nowhere near each other.
func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*i>>7 + i>>3 + i)
	}
	return b
}

// send writes b in pieces of random sizes.
func send(tb testing.TB, nc net.Conn, b []byte) {
	for len(b) > 0 {
		n := min(len(b), 1+rand.N(1+rand.N(40<<10)))
		if _, err := nc.Write(b[:n]); err != nil {
			tb.Errorf("client's write: %v", err)
			return
		}
		b = b[n:]
	}
}

func TestEcho(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		server, client := tr.pair(t)
		h := record(t, server, (*tape).echo)
		if fast := fast(h.conn); fast != tr.fast {
			t.Fatalf("driven inside RawConn: %t, want %t", fast, tr.fast)
		}
		if p, ok := server.(forPoller); ok {
			server = p.Conn
		}
		if h.conn.NetConn() != server {
			t.Error("NetConn is not what NewConn was given")
		}
		want := noise(2 << 20)
		var wg sync.WaitGroup
		wg.Go(func() { send(t, client, want) })
		got := make([]byte, len(want))
		_, err := io.ReadFull(client, got)
		must(t, err)
		wg.Wait()
		if !bytes.Equal(got, want) {
			t.Error("the echo differs")
		}
		if n := h.conn.Written(); n != int64(len(want)) {
			// The client may have the bytes before they are counted.
			eventually(t, "Written", func() bool { return h.conn.Written() == int64(len(want)) })
		}
		client.Close()
		if err := h.result(t); err != io.EOF {
			t.Errorf("Serve returned %v, want io.EOF", err)
		}
	})
}

// TestEndWithLastBytes sends bytes and the end of the stream in one go, so that
// an edge-triggered poller reports them once.
func TestEndWithLastBytes(t *testing.T) {
	each(t, sockets, func(t *testing.T, tr transport) {
		for i := range 150 {
			server, client := tr.pair(t)
			h := record(t, server, nil)
			if i%2 == 0 {
				h.awaitQuiet(t)
			}
			_, err := client.Write([]byte("last"))
			must(t, err)
			closeWrite(t, client)
			if err := h.result(t); err != io.EOF || h.text() != "last" {
				t.Fatalf("%q and %v, want \"last\" and io.EOF", h.text(), err)
			}
			h.conn.Close()
			client.Close()
		}
	})
}

// TestEndWhileHandling has the last bytes and the end arrive while earlier ones
// are being handled: there is surely but one wake-up for both.
func TestEndWhileHandling(t *testing.T) {
	each(t, sockets, func(t *testing.T, tr transport) {
		for range 50 {
			server, client := tr.pair(t)
			entered, proceed := make(chan struct{}), make(chan struct{})
			h := record(t, server, func(h *tape) {
				h.onArrived = func() Action {
					if h.text() == "first" {
						close(entered)
						<-proceed
					}
					return Continue
				}
			})
			_, err := client.Write([]byte("first"))
			must(t, err)
			receive(t, "the first bytes", entered)
			_, err = client.Write([]byte("last"))
			must(t, err)
			closeWrite(t, client)
			close(proceed)
			if err := h.result(t); err != io.EOF || h.text() != "firstlast" {
				t.Fatalf("%q and %v, want \"firstlast\" and io.EOF", h.text(), err)
			}
			h.conn.Close()
			client.Close()
		}
	})
}

// TestUnwatched serves a socket that cannot be watched, here because it already
// is: short reads must not be trusted then.
func TestUnwatched(t *testing.T) {
	if !fastPath {
		t.Skip("there is no watcher on this system")
	}
	for range 50 {
		server, client := tcpPair(t)
		first := record(t, server, func(h *tape) { h.onArrived = func() Action { return Stop } })
		_, err := client.Write([]byte("stop"))
		must(t, err)
		must(t, first.result(t))
		second := record(t, server, nil)
		second.awaitQuiet(t)
		_, err = client.Write([]byte("last"))
		must(t, err)
		closeWrite(t, client)
		if err := second.result(t); err != io.EOF || second.text() != "last" {
			t.Fatalf("%q and %v, want \"last\" and io.EOF", second.text(), err)
		}
		if second.conn.watched {
			t.Fatal("one socket was watched twice")
		}
		second.conn.Close()
	}
}

// TestHalfClose checks that a client that has said all it had to say still gets
// its replies.
func TestHalfClose(t *testing.T) {
	each(t, sockets, func(t *testing.T, tr transport) {
		server, client := tr.pair(t)
		h := record(t, server, func(h *tape) {
			h.echo()
			h.need = 100 << 10
		})
		want := noise(4 << 20)
		var wg sync.WaitGroup
		wg.Go(func() {
			send(t, client, want)
			closeWrite(t, client)
		})
		// Nothing is read before all has arrived: the writer has to wait.
		if err := h.result(t); err != io.EOF {
			t.Fatalf("Serve returned %v, want io.EOF", err)
		}
		wg.Wait()
		got := make(chan []byte, 1)
		go drain(client, got)
		for h.conn.Backlogged(0) && h.conn.Wait() {
		}
		if n := h.conn.Written(); n != int64(len(want)) {
			t.Errorf("%d bytes written, want %d", n, len(want))
		}
		h.conn.Close()
		if !bytes.Equal(receive(t, "the client's end", got), want) {
			t.Error("the replies differ")
		}
	})
}

// drain reads to the end and hands over what there was.
func drain(nc net.Conn, to chan<- []byte) {
	b, _ := io.ReadAll(nc)
	to <- b
}

func TestReset(t *testing.T) {
	for _, paused := range []bool{false, true} {
		t.Run(fmt.Sprintf("paused=%t", paused), func(t *testing.T) {
			server, client := tcpPair(t)
			h := record(t, server, func(h *tape) {
				h.onArrived = func() Action {
					if paused {
						return Pause
					}
					return Continue
				}
			})
			_, err := client.Write([]byte("x"))
			must(t, err)
			eventually(t, "the byte", func() bool { return h.text() == "x" })
			must(t, client.(*net.TCPConn).SetLinger(0))
			client.Close()
			if paused {
				if fastPath {
					eventually(t, "HungUp", h.conn.HungUp)
				}
				h.conn.Resume()
			}
			if err := h.result(t); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("Serve returned %v, want ECONNRESET", err)
			}
		})
	}
}

// TestOneRead counts the reads of requests and replies in turn: a short read is
// not followed by a second one.
func TestOneRead(t *testing.T) {
	if !fastPath {
		t.Skip("sockets are read in the ordinary way")
	}
	server, client := tcpPair(t)
	reads := 0 // owned by Serve until it returns
	h := prepare(t, server, (*tape).echo)
	counting := countReads{h, &reads}
	h.conn.handler = counting
	go h.serve()
	buf := make([]byte, 8)
	const rounds = 100
	for range rounds {
		_, err := client.Write([]byte("12345678"))
		must(t, err)
		_, err = io.ReadFull(client, buf)
		must(t, err)
	}
	closeWrite(t, client)
	if err := h.result(t); err != io.EOF {
		t.Fatal(err)
	}
	if reads < rounds || reads > rounds+rounds/4 {
		t.Errorf("%d reads for %d requests", reads, rounds)
	}
}

// countReads counts the buffers that are asked for, one per read.
type countReads struct {
	*tape
	n *int
}

func (c countReads) ReadBuffer() []byte {
	*c.n++
	return c.tape.ReadBuffer()
}

// TestQuietGivesBack checks that a connection that waits holds no read buffer.
func TestQuietGivesBack(t *testing.T) {
	if !fastPath {
		t.Skip("sockets are read in the ordinary way")
	}
	server, client := tcpPair(t)
	h := prepare(t, server, nil)
	held := make(chan bool, 16)
	h.conn.handler = quietProbe{h, held}
	go h.serve()
	if receive(t, "Quiet", held) {
		t.Error("a buffer is held before anything arrived")
	}
	_, err := client.Write([]byte("x"))
	must(t, err)
	for told := ""; told == ""; told = h.text() {
		if receive(t, "Quiet", held) {
			t.Error("a buffer is held while waiting")
		}
	}
}

// quietProbe tells whether the tape holds a chunk after Quiet.
type quietProbe struct {
	*tape
	held chan<- bool
}

func (q quietProbe) Quiet() {
	q.tape.Quiet()
	q.held <- q.in.Chunk() != nil
}
