package backend

import (
	"context"
	"math"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"redis-cluster-proxy/internal/netio"
)

// Config is what a Pool needs to know. The zero value works.
type Config struct {
	// ConnectTimeout bounds a dial with its handshake. Zero means 3 s.
	ConnectTimeout time.Duration
	// Lanes is the number of lanes per node and profile. Zero means half of
	// GOMAXPROCS, at least one.
	Lanes int
	// Poller drives the connections; nil: a goroutine for each does. Whoever
	// made it closes it after the Pool.
	Poller *netio.Poller
	// RequestTimeout fails a task that got no reply for so long; its
	// connection goes on. Zero means never.
	RequestTimeout time.Duration
	// IdleLeases is how many leased connections per node are kept for the next
	// holder. Zero means none.
	IdleLeases int
	// LeaseLinger is for how long more of them than IdleLeases are kept. Zero
	// means not at all.
	LeaseLinger time.Duration
	// LaneLinger is for how long a lane keeps its connection while nobody sends
	// anything over it; the next task connects again. Zero means for ever.
	LaneLinger time.Duration
	// Own is the user whose lanes keep their connections all the same. Only User and
	// Password count.
	Own Profile
	// Pulse is how often private lanes are looked at. Those that are quiet are asked for
	// a sign of life, and given up after five looks without one. Zero means never.
	Pulse time.Duration
	// MaxLeases is how many connections per node may be held at a time; see
	// Node.Hold. Zero means any number.
	MaxLeases int
}

// Pool holds the nodes, by address. It is safe for concurrent use.
type Pool struct {
	// Set at construction.
	cfg     Config
	dialer  net.Dialer
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup // serveLoops

	slow      atomic.Int64 // see SetSlow
	onSilence func(*Node)  // set before Run; nil: nobody wants to know

	mu sync.Mutex
	// Guarded by mu.
	nodes   map[string]*Node
	leaving []*Node   // dropped, and their lanes may still answer
	gone    LaneStats // of the nodes that left for good; see settleLocked
}

// NewPool makes an empty pool. It starts nothing; a caller who uses it must
// Run it, or Close it.
func NewPool(cfg Config) *Pool {
	if cfg.ConnectTimeout <= 0 {
		cfg.ConnectTimeout = 3 * time.Second
	}
	if cfg.Lanes <= 0 {
		cfg.Lanes = max(1, runtime.GOMAXPROCS(0)/2)
	}
	p := &Pool{cfg: cfg, nodes: make(map[string]*Node)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.SetSlow(-1)
	// A node that lost power sends no FIN: unacknowledged data ends the connection
	// after setUserTimeout's time, an idle one's keep-alive probes included. There are
	// connections over which nothing is said for long that somebody waits for.
	p.dialer = net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 3 * time.Second, Interval: time.Second, Count: 7}}
	p.dialer.Control = func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { setUserTimeout(fd, max(10*time.Second, 2*cfg.ConnectTimeout)) })
	}
	return p
}

// SetSlow makes lanes tell the time of tasks that took d or longer, see Task;
// negative: of none. Safe at any time.
func (p *Pool) SetSlow(d time.Duration) {
	if d < 0 {
		d = math.MaxInt64
	}
	p.slow.Store(int64(d))
}

// Slow is what SetSlow said, in nanoseconds; math.MaxInt64 for none.
func (p *Pool) Slow() int64 { return p.slow.Load() }

// Run fails tasks past their deadline, finds out which nodes are silent, has idle
// lanes rest and feels for private ones, until ctx ends; then it closes the pool and
// returns when all of its goroutines have ended.
func (p *Pool) Run(ctx context.Context) {
	defer p.Close()
	var due <-chan time.Time // nil: tasks have no deadline
	var expiring *ticker
	if p.cfg.RequestTimeout > 0 {
		expiring = newTicker(max(time.Millisecond, p.cfg.RequestTimeout/8))
		defer expiring.Stop()
		due = expiring.C
	}
	var resting <-chan time.Time // nil: lanes keep their connections
	if p.cfg.LaneLinger > 0 {
		tick := time.NewTicker(max(time.Millisecond, p.cfg.LaneLinger/restsPerLinger))
		defer tick.Stop()
		resting = tick.C
	}
	var beat <-chan time.Time // nil: private lanes are not felt for
	var feeling *ticker
	if p.cfg.Pulse > 0 {
		feeling = newTicker(p.cfg.Pulse)
		defer feeling.Stop()
		beat = feeling.C
	}
	listening := newTicker(listenEvery)
	defer listening.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-resting:
			p.restIdle(Now() - int64(p.cfg.LaneLinger))
		case <-beat:
			if feeling.counts() {
				p.feel()
			}
		case <-due:
			if expiring.counts() {
				p.expire(Now() - int64(p.cfg.RequestTimeout))
			}
		case <-listening.C:
			if listening.counts() {
				p.listen(Now())
			}
		}
	}
}

// expire fails the tasks that were flushed before limit.
func (p *Pool) expire(limit int64) {
	for _, n := range p.present() {
		n.eachLane(func(r *TaskRunner) { r.expire(limit) })
	}
}

// Close ends every connection at once; tasks in flight fail. It returns when
// all goroutines of the pool have ended.
func (p *Pool) Close() {
	p.cancel()
	for _, n := range p.present() {
		n.closeNow()
	}
	p.running.Wait()
}

// Node returns the node at addr, "host:port", making it if need be. It does not
// connect.
func (p *Pool) Node(addr string) *Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[addr]
	if n == nil {
		n = &Node{Addr: addr, pool: p}
		p.nodes[addr] = n
	}
	return n
}

// RequestTimeout is the Config's.
func (p *Pool) RequestTimeout() time.Duration { return p.cfg.RequestTimeout }

// Nodes returns the nodes of now, in no order.
func (p *Pool) Nodes() []*Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	nodes := make([]*Node, 0, len(p.nodes))
	for _, n := range p.nodes {
		nodes = append(nodes, n)
	}
	return nodes
}

// present returns the nodes and those that are leaving.
func (p *Pool) present() []*Node {
	nodes := p.Nodes()
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(nodes, p.leaving...)
}

// dropDelay is how long the lanes of a node that left have to answer what they
// hold. A node that nobody names any more is mostly dead.
const dropDelay = time.Second

// Drop takes the node out of the pool. Its lanes answer what they hold and
// close, after a second at the latest; Enqueue refuses from then on.
func (p *Pool) Drop(n *Node) {
	p.mu.Lock()
	if n.dropped.Swap(true) { // counted once in leaving and gone
		p.mu.Unlock()
		return
	}
	if p.nodes[n.Addr] == n {
		delete(p.nodes, n.Addr)
	}
	p.settleLocked()
	p.leaving = append(p.leaving, n)
	p.mu.Unlock()
	n.eachRunner(func(r *TaskRunner) { r.Close(true) })
	n.streams.close()
	AfterPatience(dropDelay, n.closeNow)
}

// Verify asks the node whether it accepts the profile and then the commands of
// more, over a connection made for it. A refusal is a *HandshakeError.
func (p *Pool) Verify(ctx context.Context, n *Node, profile Profile, more ...[]string) error {
	nc, _, err := n.dial(ctx, append(profile.handshake(), more...))
	if err != nil {
		return err
	}
	return nc.Close()
}
