package redistest

import (
	"maps"
	"time"
)

// Error texts of Redis that Refuse and FailNext may be given.
const (
	ErrorLoading     = "LOADING Redis is loading the dataset in memory"
	ErrorMasterDown  = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
	ErrorClusterDown = "CLUSTERDOWN The cluster is down"
	ErrorTryAgain    = "TRYAGAIN Multiple keys request during rehashing of slot"
	ErrorReadonly    = "READONLY You can't write against a read only replica."
)

// Request is a command that has arrived at a fake node, as its interceptor sees it.
type Request struct {
	Node *FakeNode
	Conn int // number of the connection, unique in the cluster
	Args []string
}

// Verdict says what becomes of a Request. The zero value: what would have become of it anyway.
type Verdict struct {
	Error     string // instead of being executed it is answered with this error, e.g. "MOVED 1 127.0.0.1:7000"
	CutBefore bool   // it is not executed, and the connection is closed after the replies to what came before it
	CutAfter  bool   // it is executed, and the connection is closed after the replies to what came before it
}

// faults is what is wrong with a node. Guarded by the cluster's mu.
type faults struct {
	intercept func(Request) Verdict
	refuse    string
	fails     []string      // errors of the next commands
	down      bool          // cluster_state:fail
	paused    chan struct{} // nil: not paused; closed by Resume
	held      chan struct{} // nil: replies go out; closed by ReleaseReplies
	delay     time.Duration
	cutAfter  int // bytes of replies until the connection is cut; negative: never
}

func (n *FakeNode) change(f func(*faults)) {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	f(&n.faults)
}

// CutConns closes all connections of the node. Replies that were not sent are lost.
func (n *FakeNode) CutConns() {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	n.cutLocked()
}

// CutAfterReplyBytes lets the node send that many more bytes of replies, over all its connections, and then closes the
// connection whose reply would have gone past it. It happens once. The command itself has been executed. Negative: never.
func (n *FakeNode) CutAfterReplyBytes(bytes int) { n.change(func(f *faults) { f.cutAfter = bytes }) }

// Delay makes the node wait before it sends the replies to what has arrived together; 0: not any more.
func (n *FakeNode) Delay(d time.Duration) { n.change(func(f *faults) { f.delay = d }) }

// Pause halts the node as SIGSTOP would: connections stay open, nothing more is executed or answered until Resume.
func (n *FakeNode) Pause() {
	n.change(func(f *faults) {
		if f.paused == nil {
			f.paused = make(chan struct{})
		}
	})
}

// Resume ends Pause.
func (n *FakeNode) Resume() {
	n.change(func(f *faults) {
		if f.paused != nil {
			close(f.paused)
			f.paused = nil
		}
	})
}

// HoldReplies holds back the node's replies until ReleaseReplies. What has arrived together is still executed, but what
// arrives on the same connection afterwards waits.
func (n *FakeNode) HoldReplies() {
	n.change(func(f *faults) {
		if f.held == nil {
			f.held = make(chan struct{})
		}
	})
}

// ReleaseReplies ends HoldReplies.
func (n *FakeNode) ReleaseReplies() {
	n.change(func(f *faults) {
		if f.held != nil {
			close(f.held)
			f.held = nil
		}
	})
}

// FailNext answers the next times commands that have keys with an error, instead of looking at them.
func (n *FakeNode) FailNext(times int, text string) {
	n.change(func(f *faults) {
		for range times {
			f.fails = append(f.fails, text)
		}
	})
}

// Refuse answers all commands with keys that the node would have executed with an error, e.g. ErrorLoading or
// ErrorMasterDown, until it is called with "". Redirects are answered as before, as Redis does. With ErrorLoading the
// node is "loading" in CLUSTER SHARDS, too.
func (n *FakeNode) Refuse(text string) { n.change(func(f *faults) { f.refuse = text }) }

// SetDown makes the node take the cluster for down: cluster_state:fail, and CLUSTERDOWN for all commands with keys.
func (n *FakeNode) SetDown(down bool) { n.change(func(f *faults) { f.down = down }) }

// SetDown makes all nodes take the cluster for down, as when the majority or a slot is lost.
func (c *FakeCluster) SetDown(down bool) {
	for _, n := range c.Nodes() {
		n.SetDown(down)
	}
}

// Intercept has f decide what becomes of each command that arrives at the node, also of handshakes; nil ends it. f is called on
// the goroutine of the connection, without any lock: it may block, which holds up that connection, and use the cluster.
func (n *FakeNode) Intercept(f func(Request) Verdict) {
	n.change(func(fs *faults) { fs.intercept = f })
}

// Freeze makes the node keep the layout of this moment: it goes on to announce it and to redirect by it, as a node does that
// a partition cuts off. Thaw ends it.
func (n *FakeNode) Freeze() {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	n.frozen = n.cluster.topology.clone()
}

// Thaw ends Freeze.
func (n *FakeNode) Thaw() {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	n.frozen = nil
}

// Kill closes the node's port and all its connections and returns when nothing of it runs. The other nodes call it
// failed. Its data stay.
func (n *FakeNode) Kill() {
	n.cluster.mu.Lock()
	n.cluster.topology.failed[n] = true
	n.cluster.mu.Unlock()
	n.shut()
}

// Revive lets a killed node listen again. A replica is in sync at once.
func (n *FakeNode) Revive() error {
	n.cluster.mu.Lock()
	delete(n.cluster.topology.failed, n)
	if p := n.cluster.topology.primaryOf[n]; p != nil && !n.lagging {
		n.data = maps.Clone(p.data)
	}
	running := n.listener != nil
	n.cluster.mu.Unlock()
	if running {
		return nil
	}
	return n.listen()
}

// AnnounceHost sets the host that all nodes announce for all nodes in redirects and in CLUSTER SLOTS and SHARDS, e.g. a
// name; "" announces none, which means the host that answers (cluster-preferred-endpoint-type unknown-endpoint).
func (c *FakeCluster) AnnounceHost(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.announced = host
}
