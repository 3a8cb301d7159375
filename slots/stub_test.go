package slots

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stubNode is a node of a cluster that answers what a test tells it to.
type stubNode struct {
	// Set at construction.
	tb   testing.TB
	addr string
	ln   net.Listener
	wg   sync.WaitGroup

	// Guarded by mu.
	mu      sync.Mutex
	replies map[string]string // by upper-case command with its arguments; raw RESP
	hang    bool
	conns   map[net.Conn]bool
	dials   int
	heard   []string
}

func startStub(t testing.TB) *stubNode {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &stubNode{tb: t, addr: ln.Addr().String(), ln: ln, replies: map[string]string{}, conns: map[net.Conn]bool{}}
	n.wg.Add(1)
	go n.acceptLoop()
	t.Cleanup(n.stop)
	return n
}

var deadAddrs atomic.Uint32

// deadAddr returns an address that refuses connections. Nobody gets that port by chance, as one that was free a moment ago.
func deadAddr() string { return fmt.Sprintf("127.1.0.%d:1", deadAddrs.Add(1)%250+1) }

func (n *stubNode) stop() {
	n.ln.Close()
	n.mu.Lock()
	for c := range n.conns {
		c.Close()
	}
	n.mu.Unlock()
	n.wg.Wait()
}

// cut closes the connections that the node has.
func (n *stubNode) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.Close()
	}
}

func (n *stubNode) setHang(hang bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hang = hang
}

func (n *stubNode) dialed() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

func (n *stubNode) commands() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.heard, ", ")
}

// on sets the raw reply to a command, "" to an unknown command.
func (n *stubNode) on(command, raw string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.replies[command] = raw
}

// says makes the node tell a view of its cluster: its state, epoch, and the nodes by shard, which have equal ranges of slots.
func (n *stubNode) says(state string, epoch int, shards ...[]*stubNode) {
	n.on("CLUSTER INFO", bulk(fmt.Sprintf("cluster_state:%s\r\ncluster_slots_assigned:16384\r\ncluster_current_epoch:%d\r\n", state, epoch)))
	var nodes, reply strings.Builder
	fmt.Fprintf(&reply, "*%d\r\n", len(shards))
	for i, shard := range shards {
		fmt.Fprintf(&reply, "*4\r\n%s*2\r\n:%d\r\n:%d\r\n%s*%d\r\n", bulk("slots"), i*NumSlots/len(shards), (i+1)*NumSlots/len(shards)-1, bulk("nodes"), len(shard))
		for j, node := range shard {
			role, flag := "master", "master"
			if j > 0 {
				role, flag = "replica", "slave"
			}
			if node == n {
				flag = "myself," + flag
			}
			host, port, _ := net.SplitHostPort(node.addr)
			fmt.Fprintf(&nodes, "%s %s@0 %s - 0 0 1 connected\n", node.id(), node.addr, flag)
			fmt.Fprintf(&reply, "*12\r\n%s%s%s:%s\r\n%s%s%s%s%s%s%s%s", bulk("id"), bulk(node.id()), bulk("port"), port,
				bulk("ip"), bulk(host), bulk("endpoint"), bulk(host), bulk("role"), bulk(role), bulk("health"), bulk("online"))
		}
	}
	n.on("CLUSTER NODES", bulk(nodes.String()))
	n.on("CLUSTER SHARDS", reply.String())
}

func (n *stubNode) id() string { return "id-" + n.addr }

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

func (n *stubNode) acceptLoop() {
	defer n.wg.Done()
	for {
		c, err := n.ln.Accept()
		if err != nil {
			return
		}
		n.mu.Lock()
		n.conns[c] = true
		n.dials++
		n.mu.Unlock()
		n.wg.Add(1)
		go n.serve(c)
	}
}

func (n *stubNode) serve(c net.Conn) {
	defer n.wg.Done()
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		command, err := readCommand(r)
		if err != nil {
			n.mu.Lock()
			delete(n.conns, c)
			n.mu.Unlock()
			return
		}
		if reply := n.reply(command); reply != "" {
			io.WriteString(c, reply)
		}
	}
}

func (n *stubNode) reply(command string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.heard = append(n.heard, command)
	if n.hang {
		return ""
	}
	if raw, ok := n.replies[command]; ok {
		return raw
	}
	return "-ERR unknown command\r\n"
}

// readCommand returns a command's words in one line, the name in upper case.
func readCommand(r *bufio.Reader) (string, error) {
	count, err := readNumber(r, '*')
	if err != nil {
		return "", err
	}
	words := make([]string, count)
	for i := range words {
		length, err := readNumber(r, '$')
		if err != nil {
			return "", err
		}
		buf := make([]byte, length+2)
		if _, err := io.ReadFull(r, buf); err != nil {
			return "", err
		}
		words[i] = string(buf[:length])
	}
	words[0] = strings.ToUpper(words[0])
	return strings.Join(words, " "), nil
}

func readNumber(r *bufio.Reader, kind byte) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, fmt.Errorf("line %q is no %c", line, kind)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

// newTestCluster returns a Cluster whose loads have the answers of all nodes that they ask.
func newTestCluster(t testing.TB, seeds ...string) *Cluster {
	t.Helper()
	c := newTestClusterWithin(t, testConnectTimeout, seeds...)
	c.pace = pace{settle: testConnectTimeout, settleBad: testConnectTimeout, hedge: testConnectTimeout, askAgain: testConnectTimeout}
	return c
}

// testConnectTimeout is longer than the slowest machine takes.
const testConnectTimeout = 2 * time.Minute

// newTestClusterWithin returns one that waits for nobody longer than usual.
func newTestClusterWithin(t testing.TB, limit time.Duration, seeds ...string) *Cluster {
	c := NewCluster(ClusterConfig{Seeds: seeds, ConnectTimeout: limit})
	t.Cleanup(func() { c.Close() })
	return c
}

func mustLoad(t testing.TB, c *Cluster) *Table {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testConnectTimeout)
	defer cancel()
	table, err := c.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// eventually polls until cond holds; it ends the test if that takes too long.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited until %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
