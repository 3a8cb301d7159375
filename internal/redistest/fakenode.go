package redistest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// reviveTimeout bounds how long Revive waits for its port to be free again.
const reviveTimeout = 5 * time.Second

// FakeNode is a node of a FakeCluster.
type FakeNode struct {
	// Set at construction.
	Addr    string // host:port
	ID      string // 40 hexadecimal digits
	port    int
	cluster *FakeCluster
	serving sync.WaitGroup // acceptLoop and the connections

	// Guarded by cluster.mu.
	listener net.Listener // nil: not listening
	conns    map[*fakeConn]bool
	data     map[string]string
	lagging  bool
	frozen   *topology // nil: the node sees the true one
	faults   faults
	executed map[string]int // by command name
	errors   map[string]int // by the first word of the error
}

func newFakeNode(c *FakeCluster, port int, id string) *FakeNode {
	return &FakeNode{
		Addr: net.JoinHostPort(c.cfg.Host, strconv.Itoa(port)), ID: id, port: port, cluster: c,
		conns: map[*fakeConn]bool{}, data: map[string]string{},
		faults: faults{cutAfter: -1}, executed: map[string]int{}, errors: map[string]int{},
	}
}

// listen opens the node's port; a port that is still in use is tried again for a while.
func (n *FakeNode) listen() error {
	ctx, cancel := context.WithTimeout(context.Background(), reviveTimeout)
	defer cancel()
	var l net.Listener
	err := poll(ctx, "the port", func() (err error) {
		l, err = net.Listen("tcp", n.Addr)
		return err
	})
	if err != nil {
		return err
	}
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	n.listener = l
	n.serving.Add(1)
	go n.acceptLoop(l)
	return nil
}

func (n *FakeNode) acceptLoop(l net.Listener) {
	defer n.serving.Done()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c := newFakeConn(n, conn)
		if !n.admit(c, l) {
			conn.Close()
			return
		}
		go c.serve()
	}
}

// admit enters a connection, unless the node has stopped listening meanwhile.
func (n *FakeNode) admit(c *fakeConn, l net.Listener) bool {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	if n.listener != l {
		return false
	}
	n.cluster.lastConn++
	c.id = n.cluster.lastConn
	n.conns[c] = true
	n.serving.Add(1)
	return true
}

// shut stops listening, closes all connections and waits for what they run.
func (n *FakeNode) shut() {
	n.cluster.mu.Lock()
	if n.listener != nil {
		n.listener.Close()
		n.listener = nil
	}
	n.cutLocked()
	n.cluster.mu.Unlock()
	n.serving.Wait()
}

func (n *FakeNode) cutLocked() {
	for c := range n.conns {
		c.cut()
	}
}

// Conns returns the number of open connections.
func (n *FakeNode) Conns() int {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	return len(n.conns)
}

// Get returns what the node itself has for key, whoever owns it.
func (n *FakeNode) Get(key string) (value string, ok bool) {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	value, ok = n.data[key]
	return value, ok
}

// Put gives the node a value for key without a command: nothing is replicated or recorded.
func (n *FakeNode) Put(key, value string) {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	n.data[key] = value
}

// topologyLocked is what the node takes for the cluster's layout.
func (n *FakeNode) topologyLocked() *topology {
	if n.frozen != nil {
		return n.frozen
	}
	return n.cluster.topology
}

// setLocked writes a key and replicates it; nil deletes.
func (n *FakeNode) setLocked(key string, value *string) {
	n.cluster.version[key]++
	n.storeLocked(key, value)
	for _, r := range n.cluster.topology.replicasOf(n) {
		if !r.lagging {
			r.storeLocked(key, value)
		}
	}
}

func (n *FakeNode) storeLocked(key string, value *string) {
	if value == nil {
		delete(n.data, key)
	} else {
		n.data[key] = *value
	}
}

// keysInLocked returns up to limit keys of a slot, sorted.
func (n *FakeNode) keysInLocked(slot uint16, limit int) []string {
	var keys []string
	for key := range n.data {
		if Slot(key) == slot {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys[:min(limit, len(keys))]
}

// Lag holds replication to this replica back (true), or lets it catch up (false).
func (n *FakeNode) Lag(on bool) {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	n.lagging = on
	if p := n.cluster.topology.primaryOf[n]; !on && p != nil {
		n.data = maps.Clone(p.data)
	}
}

// String returns the address, for messages of tests.
func (n *FakeNode) String() string { return fmt.Sprint("fake node ", n.Addr) }
