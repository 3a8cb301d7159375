package netio

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestConcurrentOutput has many goroutines write records, small ones copied and
// large ones by reference to chunks that are used again at once. Each record must
// come whole and each goroutine's in its order.
func TestConcurrentOutput(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		const writers, records = 8, 200
		server, client := tr.pair(t)
		c := newConn(t, server, nil)
		t.Cleanup(c.Close)
		var wg sync.WaitGroup
		for id := range writers {
			wg.Go(func() { writeRecords(c, byte(id), records) })
		}
		var next [writers]uint32
		for range writers * records {
			id, number := readRecord(t, client)
			if number != next[id] {
				t.Fatalf("record %d of writer %d came in the place of %d", number, id, next[id])
			}
			next[id]++
		}
		wg.Wait()
	})
}

// TestNoFlushIsLost has goroutines flush at the same time, over and over: what is
// queued while another one writes must go with it.
func TestNoFlushIsLost(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		const writers, rounds = 3, 300
		server, client := tr.pair(t)
		c := newConn(t, server, nil)
		t.Cleanup(c.Close)
		var wg sync.WaitGroup
		var goOn [writers]chan struct{}
		for i := range goOn {
			goOn[i] = make(chan struct{}, 1)
			wg.Go(func() {
				for range goOn[i] {
					say(c, []byte("x"))
				}
			})
		}
		must(t, client.SetReadDeadline(time.Now().Add(patience)))
		var got [writers]byte
		for range rounds {
			for _, ch := range goOn {
				ch <- struct{}{}
			}
			if _, err := io.ReadFull(client, got[:]); err != nil {
				t.Error(err)
				break
			}
		}
		for _, ch := range goOn {
			close(ch)
		}
		wg.Wait()
	})
}

// TestEchoKeepsChunks has a client send much ahead, so that its echo waits in
// chunks that the server goes on to read into: what was handed out is never
// overwritten, and chunks that are used again belong to nobody else.
func TestEchoKeepsChunks(t *testing.T) {
	each(t, transports, func(t *testing.T, tr transport) {
		server, client := tr.pair(t)
		h := record(t, server, (*tape).echo)
		const rounds, pieces, size = 2, 1000, 5003
		got := make([]byte, size)
		for round := range rounds {
			for i := range pieces {
				_, err := client.Write(bytes.Repeat([]byte{byte(i + round)}, size))
				must(t, err)
			}
			eventually(t, "a backlog", func() bool { return h.conn.Written()+int64(backlog(h.conn)) == (int64(round)+1)*pieces*size })
			for i := range pieces {
				_, err := io.ReadFull(client, got)
				must(t, err)
				if !bytes.Equal(got, bytes.Repeat([]byte{byte(i + round)}, size)) {
					t.Fatalf("piece %d is corrupt", i)
				}
			}
		}
	})
}

// recordHeader is the writer's id, the record's number and its length.
const recordHeader = 9

// writeRecords writes records 0 to n-1, each filled with what its header makes.
func writeRecords(c *Conn, id byte, n int) {
	var out Batch
	for number := range uint32(n) {
		size := recordHeader + rand.N(100)
		if number%8 == 0 {
			size = recordHeader + rand.N(30<<10)
		}
		chunk := NewChunk(size)
		record := chunk.B[:size]
		record[0] = id
		binary.BigEndian.PutUint32(record[1:], number)
		binary.BigEndian.PutUint32(record[5:], uint32(size))
		for i := recordHeader; i < size; i++ {
			record[i] = filler(id, number)
		}
		if number%2 == 0 {
			out.AppendChunk(record[:size/2], chunk)
			out.AppendChunk(record[size/2:], chunk)
		} else {
			out.Append(record[:size/2])
			out.Append(record[size/2:])
		}
		chunk.Release() // the output's references are the last ones
		if number%3 == 0 {
			c.Queue(&out)
			if number%2 == 0 {
				c.Flush()
			}
		}
	}
	c.Queue(&out)
	c.Flush()
}

func filler(id byte, number uint32) byte { return id<<5 ^ byte(number) }

func readRecord(t *testing.T, r io.Reader) (id byte, number uint32) {
	t.Helper()
	var header [recordHeader]byte
	_, err := io.ReadFull(r, header[:])
	must(t, err)
	id, number = header[0], binary.BigEndian.Uint32(header[1:])
	body := make([]byte, binary.BigEndian.Uint32(header[5:])-recordHeader)
	_, err = io.ReadFull(r, body)
	must(t, err)
	for _, b := range body {
		if b != filler(id, number) {
			t.Fatalf("record %d of writer %d is corrupt: %x, want %x", number, id, b, filler(id, number))
		}
	}
	return id, number
}
