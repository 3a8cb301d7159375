package netio

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
)

// TestSlowReader has a client read nothing while much is written, and then all:
// order and content stay, and Resume comes when all is written, not before.
func TestSlowReader(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		server, client := tr.pair(t)
		narrow(t, server, client)
		c := newConn(t, server, nil)
		t.Cleanup(c.Close)
		want := noise(4 << 20)
		chunk := ownChunk(want)
		var out Batch
		left := 0
		for b := want; len(b) > 0; {
			n := min(len(b), 1+rand.N(64<<10))
			if n%2 == 0 {
				out.Append(b[:n])
			} else {
				out.AppendChunk(b[:n], chunk.Chunk)
			}
			c.Queue(&out)
			if out.Len() != 0 {
				t.Fatal("Queue left something in the batch")
			}
			if rand.N(3) > 0 {
				left = c.Flush()
			}
			b = b[n:]
		}
		left = max(left, c.Flush())
		if left == 0 {
			t.Fatal("the buffers took everything: the test is not about a slow reader")
		}
		if !c.Backlogged(1<<20) || !c.Backlogged(0) {
			t.Fatal("not backlogged")
		}
		drained := c.Drained(1 << 20)
		if drained == nil || c.Drained(5<<20) != nil {
			t.Fatal("drained")
		}
		if len(c.resume) != 0 {
			t.Fatal("resumed before the client read anything")
		}

		got := make([]byte, len(want))
		_, err := io.ReadFull(client, got[:len(got)/2])
		must(t, err)
		if len(c.resume) != 0 && c.Written() < int64(len(want)) {
			t.Error("resumed with bytes left")
		}
		_, err = io.ReadFull(client, got[len(got)/2:])
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Error("what came differs")
		}
		receive(t, "what Drained promised", drained)
		if !c.Wait() {
			t.Fatal("Wait says that the Conn was aborted")
		}
		if n := c.Written(); n != int64(len(want)) {
			t.Errorf("resumed when %d of %d bytes were written", n, len(want))
		}
		if c.Backlogged(0) {
			t.Error("backlogged with nothing left")
		}
		chunk.awaitSole(t)

		// Without a backlog there is no Resume.
		say(c, []byte("x"))
		_, err = io.ReadFull(client, got[:1])
		must(t, err)
		eventually(t, "Written", func() bool { return c.Written() == int64(len(want))+1 })
		if len(c.resume) != 0 {
			t.Error("a Resume that nobody waits for")
		}
	})
}

// TestBacklogUnflushed checks that Resume comes with the Flush that whoever
// queued the bytes owes, also if that is a moment later.
func TestBacklogUnflushed(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		server, client := tr.pair(t)
		c := newConn(t, server, nil)
		t.Cleanup(c.Close)
		var out Batch
		out.Append(make([]byte, 100))
		c.Queue(&out)
		if c.Backlogged(100) {
			t.Error("100 bytes are more than 100")
		}
		if !c.Backlogged(99) {
			t.Error("100 bytes are not more than 99")
		}
		if len(c.resume) != 0 {
			t.Error("resumed before the Flush")
		}
		c.Flush()
		_, err := io.ReadFull(client, make([]byte, 100))
		must(t, err)
		if !c.Wait() {
			t.Error("aborted")
		}
	})
}

// TestWrittenIsExact fills the buffers of a client that reads nothing, aborts,
// and counts what the client gets.
func TestWrittenIsExact(t *testing.T) {
	each(t, transports[:3], func(t *testing.T, tr transport) {
		for range 10 {
			server, client := tr.pair(t)
			narrow(t, server, client)
			c := newConn(t, server, nil)
			var out Batch
			for range 100 {
				out.Append(make([]byte, 1+rand.N(40<<10)))
				c.Queue(&out)
				c.Flush()
			}
			if !c.Backlogged(0) {
				t.Fatal("the buffers took everything")
			}
			read := rand.N(1 << 20)
			_, err := io.CopyN(io.Discard, client, int64(read))
			must(t, err)
			if tr.fast { // else Written grows with whole batches only
				eventually(t, "Written to follow", func() bool { return c.Written() >= int64(read) })
			}
			c.Abort()
			n := c.EndOutput()
			c.Close()
			rest, _ := io.Copy(io.Discard, client)
			if int64(read)+rest != n {
				t.Fatalf("%d bytes written, the client got %d", n, int64(read)+rest)
			}
			if c.Written() != n {
				t.Fatalf("%d bytes written after EndOutput said %d", c.Written(), n)
			}
			client.Close()
		}
	})
}

// TestEndOutput aborts at a random moment of several goroutines' writing. What
// EndOutput says is what the peer gets, to the byte: nothing is written later.
func TestEndOutput(t *testing.T) {
	each(t, transports[:4], func(t *testing.T, tr transport) {
		for range 40 {
			server, client := tr.pair(t)
			c := newConn(t, server, nil)
			got := make(chan []byte, 1)
			go drain(client, got)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					for !c.closed.Load() {
						say(c, make([]byte, 1+rand.N(100)))
						if rand.N(4) == 0 {
							runtime.Gosched()
						}
					}
					say(c, []byte("too late"))
				})
			}
			limit := rand.Int64N(4000)
			eventually(t, "some output", func() bool { return c.Written() >= limit })
			c.Abort()
			n := c.EndOutput()
			c.Close()
			wg.Wait()
			if sum := len(receive(t, "the end", got)); int64(sum) != n {
				t.Fatalf("EndOutput said %d, the peer got %d bytes", n, sum)
			}
			if c.Written() != n || c.EndOutput() != n {
				t.Fatal("Written has changed after EndOutput")
			}
		}
	})
}

// backlog returns how many bytes wait to be written.
func backlog(c *Conn) int {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.gather.size + c.unsent
}

// failing is a net.Conn whose output fails after limit bytes.
type failing struct {
	net.Conn
	limit int
}

func (f *failing) Write(b []byte) (int, error) {
	n := min(len(b), f.limit)
	f.limit -= n
	if n < len(b) {
		return n, fmt.Errorf("cut")
	}
	return n, nil
}

// TestWriteErrorReleases checks the references after an error at each byte of the
// output.
func TestWriteErrorReleases(t *testing.T) {
	chunk := ownChunk(make([]byte, 100))
	for limit := range 31 {
		server, _ := net.Pipe()
		c := NewConn(&failing{server, limit}, nil)
		var out Batch
		for range 3 {
			out.Append([]byte("12345"))
			out.AppendChunk(chunk.B[:5], chunk.Chunk)
		}
		c.Queue(&out)
		c.Flush()
		eventually(t, "the write's end", func() bool { return c.WriteError() != nil || c.Written() == 30 })
		if c.Written() != int64(limit) || (c.WriteError() == nil) != (limit == 30) {
			t.Errorf("limit %d: %d bytes written, %v", limit, c.Written(), c.WriteError())
		}
		out.AppendChunk(chunk.B[:5], chunk.Chunk)
		c.Queue(&out) // is dropped, or never written
		c.Close()
		chunk.awaitSole(t)
	}
}
