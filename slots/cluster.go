package slots

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/golang/glog"
)

// ErrClosed is what the methods of a Cluster return after Close.
var ErrClosed = errors.New("slots: cluster source is closed")

// ErrUnreachable is wrapped by errors that say that no node gave an answer.
var ErrUnreachable = errors.New("no cluster node could be asked")

const defaultConnectTimeout = time.Second

// ClusterConfig says how to reach a Redis Cluster.
type ClusterConfig struct {
	// Seeds are addresses (host:port) of any nodes; one that lives is enough.
	Seeds []string
	// User and Password authenticate; both empty: no authentication, User empty: the default user.
	User, Password string
	// ConnectTimeout bounds all that one question to one node takes: dial, handshake, reply. Zero: one second.
	ConnectTimeout time.Duration
}

// Cluster is the Source of a Redis Cluster. It keeps a connection per node for the control plane. Safe for concurrent use.
// Close it when the Watcher that uses it has ended.
type Cluster struct {
	// Set at construction.
	cfg    ClusterConfig
	pace   pace
	ctx    context.Context // ends with Close; bounds questions, which may outlive the call that asked
	cancel context.CancelFunc
	asks   sync.WaitGroup

	// Guarded by loadMu, which is held for a whole Load.
	loadMu  sync.Mutex
	current accepted
	keeping string // why the last Load kept its table; "" if it did not

	// Guarded by mu.
	mu     sync.Mutex
	closed bool
	nodes  map[string]*nodeClient // by address
	known  []*Node                // of the table last returned
}

// NewCluster returns a Cluster. It connects to nothing yet.
func NewCluster(cfg ClusterConfig) *Cluster {
	if cfg.ConnectTimeout <= 0 {
		cfg.ConnectTimeout = defaultConnectTimeout
	}
	cfg.Seeds = slices.Clone(cfg.Seeds)
	bridgeLibraryLog()
	c := &Cluster{cfg: cfg, pace: usualPace, nodes: map[string]*nodeClient{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Close closes all connections, makes pending calls fail, and returns when every goroutine of c has ended.
func (c *Cluster) Close() error {
	c.cancel()
	c.mu.Lock()
	c.closed = true
	nodes := c.nodes
	c.nodes = map[string]*nodeClient{}
	c.mu.Unlock()
	for _, n := range nodes {
		n.close()
	}
	c.asks.Wait()
	return nil
}

// Load asks a few nodes at once, known ones before seeds, and returns the best view: of a node that sees the majority, of the
// highest epoch, of the most slots, of the most nodes. If that is worse than what an earlier Load returned, it returns the Table of
// that one again. The error wraps ErrUnreachable if no node answered. A node that hangs does not hold up the others; with none that
// answers Load takes about the connect timeout.
func (c *Cluster) Load(ctx context.Context) (*Table, error) {
	c.loadMu.Lock()
	defer c.loadMu.Unlock()
	views, err := c.newRound().collect(ctx)
	if len(views) == 0 {
		return nil, err
	}
	now := time.Now()
	best, why := c.current.choose(views, now)
	c.logKeeping(why)
	if best == nil {
		return c.current.view.table, nil
	}
	best.table.Epoch = best.epoch
	best.table.Loaded = now
	c.adopt(best.table)
	return best.table, nil
}

// logKeeping logs when views begin or cease to be turned down.
func (c *Cluster) logKeeping(why string) {
	if why == c.keeping {
		return
	}
	if why != "" {
		glog.Warningf("slots: keeping the layout of epoch %d: %s", c.current.view.epoch, why)
	} else {
		glog.Infof("slots: layout follows the cluster again, epoch %d", c.current.view.epoch)
	}
	c.keeping = why
}

// adopt remembers the nodes of t as those to ask, and drops the connections of nodes that are gone.
func (c *Cluster) adopt(t *Table) {
	known := t.Nodes()
	keep := map[string]bool{}
	for _, n := range known {
		keep[n.Addr] = true
	}
	for _, seed := range c.cfg.Seeds {
		keep[seed] = true
	}
	var gone []*nodeClient
	c.mu.Lock()
	c.known = known
	for addr, n := range c.nodes {
		if !keep[addr] {
			gone = append(gone, n)
			delete(c.nodes, addr)
		}
	}
	c.mu.Unlock()
	for _, n := range gone {
		n.close()
	}
}

// candidates returns the addresses to ask in order: known nodes, seeds, then those of both that failed when last asked or have
// not answered yet. Within each the order is random.
func (c *Cluster) candidates() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	rank := map[string]int{}
	var addrs []string
	add := func(addr string, r int) {
		if _, seen := rank[addr]; seen {
			return
		}
		if n := c.nodes[addr]; n != nil && n.suspect() {
			r = 2
		}
		rank[addr] = r
		addrs = append(addrs, addr)
	}
	for _, n := range c.known {
		add(n.Addr, 0)
	}
	for _, seed := range c.cfg.Seeds {
		add(seed, 1)
	}
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	slices.SortStableFunc(addrs, func(a, b string) int { return rank[a] - rank[b] })
	return addrs
}

// node returns the client for addr, making one if there is none.
func (c *Cluster) node(addr string) (*nodeClient, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	n := c.nodes[addr]
	if n == nil {
		n = newNodeClient(addr, c.cfg)
		c.nodes[addr] = n
	}
	return n, nil
}
