package e2e

import (
	"bufio"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// keysMemory is how much memory KEYS may take: a window for each of three nodes, what a client may leave unread, and as much
// again that the garbage collector has not seen yet.
const keysMemory = 8 << 20

// TestKeysOfAMillionStream: KEYS of a million keys is passed on as it comes, in memory that does not depend on how many there
// are, also for a client that does not read.
func TestKeysOfAMillionStream(t *testing.T) {
	const perNode = 340_000
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	d.Do("FLUSHALL")
	defer d.Do("FLUSHALL")
	for i, n := range c.Primaries() {
		populate(t, n, perNode, fmt.Sprintf("key-of-node-%d", i))
	}
	base := liveHeap()
	d.Say("KEYS *\r\n")
	in := bufio.NewReaderSize(d.NetConn(), 64<<10)
	if got := readLine(t, in); got != fmt.Sprintf("*%d", 3*perNode) {
		t.Fatalf("the header is %q", got)
	}
	// What follows is 30 MB, of which the sockets hold some, and the client reads nothing.
	most := uint64(0)
	for range 50 {
		most = max(most, liveHeap())
	}
	if took := int64(most) - int64(base); took > keysMemory {
		t.Errorf("while the client does not read, it takes %d bytes", took)
	}
	seen := [3][]bool{make([]bool, perNode), make([]bool, perNode), make([]bool, perNode)}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	base, most = m.HeapAlloc, 0
	for i := range 3 * perNode {
		readLine(t, in) // the length
		at, number, _ := strings.Cut(strings.TrimPrefix(readLine(t, in), "key-of-node-"), ":")
		node, err1 := strconv.Atoi(at)
		key, err2 := strconv.Atoi(number)
		if err1 != nil || err2 != nil || seen[node][key] {
			t.Fatalf("element %d: node %q, key %q, seen before: %t", i, at, number, err1 == nil && err2 == nil)
		}
		seen[node][key] = true
		if i%10_000 == 0 {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	// The test makes garbage as well: two strings a key. The collector lets the heap double.
	if took := int64(most) - 2*int64(base); took > keysMemory {
		t.Errorf("while the client reads, it takes %d bytes more than %d", took, base)
	}
	if got := d.Do("PING"); got.Str != "PONG" {
		t.Errorf("after it, PING: %+v", got)
	}
}

func readLine(t *testing.T, in *bufio.Reader) string {
	line, err := in.ReadSlice('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(line), "\r\n")
}

// liveHeap returns how much memory is in use.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestKeysOfManyClientsAtOnce: each gets its own, in order with what comes behind.
func TestKeysOfManyClientsAtOnce(t *testing.T) {
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	d.Do("FLUSHALL")
	defer d.Do("FLUSHALL")
	const perNode = 20_000
	for i, n := range c.Primaries() {
		populate(t, n, perNode, fmt.Sprintf("node%d", i))
	}
	l := startLoad(t, p.Addr, 4, func(c *proxytest.Client, session, round int) error {
		mark := fmt.Sprintf("%d:%d", session, round)
		if err := c.Send([]byte("DBSIZE\r\nKEYS *\r\nPING " + mark + "\r\n")); err != nil {
			return err
		}
		size, err := c.Read()
		if err != nil || size.Int != 3*perNode {
			return fmt.Errorf("DBSIZE: %+v, %w", size, err)
		}
		if keys, err := c.Read(); err != nil || len(keys.Elems) != 3*perNode {
			return fmt.Errorf("KEYS: %d, %w", len(keys.Elems), err)
		}
		if pong, err := c.Read(); err != nil || pong.Str != mark {
			return fmt.Errorf("PING: %+v, %w", pong, err)
		}
		return nil
	})
	l.pass(1)
	l.end()
}

// populate gives a node keys prefix:0, prefix:1 ... of any slot, which KEYS does not look at: filling is quick that way. It
// takes steps, since a node that is silent for long is replaced by its replica, which gets none of this.
func populate(t *testing.T, n *redistest.Node, keys int, prefix string) {
	t.Helper()
	const step = 50_000
	for have := min(step, keys); ; have = min(have+step, keys) { // the command leaves what is there
		if err := n.Client().Do(testContext(t), "DEBUG", "POPULATE", have, prefix, 1).Err(); err != nil {
			t.Fatal(err)
		}
		if have == keys {
			return
		}
	}
}

// TestKeysOfClientThatLeaves: nothing is left of it, and the next one is not disturbed.
func TestKeysOfClientThatLeaves(t *testing.T) {
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	d.Do("FLUSHALL")
	defer d.Do("FLUSHALL")
	const keys = 500_000
	n := c.Primaries()[1]
	populate(t, n, keys, strings.Repeat("x", 50))
	for range 3 {
		left := proxytest.Connect(t, p.Addr)
		left.Say("KEYS *\r\n")
		if _, err := io.ReadFull(left.NetConn(), make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		if err := left.Close(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the end of what they asked", func() bool { return p.Pool.Node(n.Addr).InFlight() == 0 && p.Server.Clients() == 1 })
	d.Say("KEYS *\r\n")
	in := bufio.NewReader(d.NetConn())
	if got := readLine(t, in); got != fmt.Sprintf("*%d", keys) {
		t.Fatalf("the header is %q", got)
	}
	for range 2 * keys {
		readLine(t, in)
	}
}
