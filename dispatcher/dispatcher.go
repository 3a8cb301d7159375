package dispatcher

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/slots"
)

// Config is a Dispatcher's settings.
type Config struct {
	// ReadPrefer says which nodes answer reads.
	ReadPrefer ReadPrefer
	// Near reports whether a node at this address is in the proxy's own data
	// centre. It serves PreferReplicaIDC and may be nil otherwise.
	Near func(addr string) bool
	// RejectCrossSlot answers CROSSSLOT where a request would be split.
	RejectCrossSlot bool
	// SplitTransactions executes a transaction over keys of several slots as one
	// for each slot.
	SplitTransactions bool
	// RetryIdempotent sends writes again whose result is unknown, if doing
	// them twice does no harm.
	RetryIdempotent bool
	// ReadYourWrites keeps a session's reads of a slot on the primary for so
	// long after its last write to the slot.
	ReadYourWrites time.Duration
	// MaxRedirects is how many MOVED and ASK one part follows. Zero means 8,
	// negative none.
	MaxRedirects int
	// RedirectTimeout is how long a part is sent again after the first
	// trouble. Zero means 5 s, negative not at all.
	RedirectTimeout time.Duration
	// MaxInFlight is how many requests of one session may be under way.
	// Zero means 1024.
	MaxInFlight int
	// MaxInFlightBytes is how many bytes of requests one session may have
	// under way; one request always may. Zero means 1 MiB.
	MaxInFlightBytes int
	// MaxScriptBytes is how many bytes of scripts that clients have run are
	// kept for nodes that lack them. Zero means 16 MiB.
	MaxScriptBytes int
	// LullPatience bounds how long a Lull waits for messages under way, and how
	// long a message waits for Lulls: their node may hang. Receivers may be counted
	// wrong then. Zero means 250 ms.
	LullPatience time.Duration
	// Straggle is for how long the cluster's bus may take to pass on a message
	// that was answered. Zero means 50 ms.
	Straggle time.Duration
	// Own is what the proxy acts as on its own behalf: when it loads function
	// libraries at a node that lacks them.
	Own backend.Profile
}

func (c Config) withDefaults() Config {
	if c.MaxRedirects == 0 {
		c.MaxRedirects = 8
	}
	if c.RedirectTimeout == 0 {
		c.RedirectTimeout = 5 * time.Second
	}
	if c.MaxInFlight <= 0 {
		c.MaxInFlight = 1024
	}
	if c.MaxInFlightBytes <= 0 {
		c.MaxInFlightBytes = 1 << 20
	}
	if c.MaxScriptBytes <= 0 {
		c.MaxScriptBytes = 16 << 20
	}
	if c.LullPatience == 0 {
		c.LullPatience = lullPatience
	}
	if c.Straggle == 0 {
		c.Straggle = straggle
	}
	if c.Near == nil {
		c.Near = func(string) bool { return false }
	}
	return c
}

// Topology is where the Dispatcher learns the routes and reports that they
// are wrong. *slots.Watcher is one.
type Topology interface {
	Table() *slots.Table
	OnChange(func(*slots.Table))
	Moved(slot uint16, addr string)
	Refresh(reason string)
}

// Dispatcher routes the requests of all sessions. It is safe for concurrent use.
type Dispatcher struct {
	// Set at construction.
	cfg      Config
	pool     *backend.Pool
	topology Topology

	routes   atomic.Pointer[routes]
	members  memberSet
	moving   movingSlots
	shifts   shifts
	tracking trackingSet
	retries  retryQueue
	late     lateList
	stats    Stats

	messages  messages
	audience  atomic.Pointer[Audience]
	onReroute atomic.Pointer[func()]

	waitsForWrites atomic.Bool // WAIT is about the connection's last write; see upToDate

	scripts   scriptSet
	functions functionKeeper
	claims    claimSet
	grants    Grants
}

// New makes a Dispatcher that sends over pool as topology says. It registers
// with topology and starts nothing.
func New(cfg Config, pool *backend.Pool, topology Topology) *Dispatcher {
	d := &Dispatcher{cfg: cfg.withDefaults(), pool: pool, topology: topology}
	d.retries.init()
	d.late.init()
	d.messages.init(d)
	d.scripts.init(d.cfg.MaxScriptBytes)
	d.functions.init(d)
	d.claims.init(d)
	d.members.byAddr = make(map[string]*member)
	d.routes.Store(newRoutes(topology.Table()))
	topology.OnChange(d.reroute)
	pool.OnSilence(d.noteSilence)
	return d
}

// Run waits for retries and late output, and looks after functions and awaited
// keys, until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) {
	var others sync.WaitGroup
	others.Go(func() { d.late.lateLoop(ctx) })
	others.Go(func() { d.functions.functionLoop(ctx) })
	others.Go(func() { d.claims.claimLoop(ctx) })
	d.retryLoop(ctx)
	others.Wait()
}

// Pool returns the pool that the Dispatcher sends over.
func (d *Dispatcher) Pool() *backend.Pool { return d.pool }

// AnyNode returns a node that is in use, by preference one that works, for
// questions that any node can answer. Nil if none is known.
func (d *Dispatcher) AnyNode(seed uint32) *backend.Node {
	rt := d.routes.Load()
	var last *backend.Node
	for i := range rt.shards {
		sh := &rt.shards[(uint32(i)+seed)%uint32(len(rt.shards))]
		if sh.primary == nil {
			continue
		}
		last = sh.primary.node
		if sh.primary.fit() {
			break
		}
	}
	return last
}

// NumSlots is how many slots there are.
const NumSlots = slots.NumSlots

// SlotOf returns the slot of a key.
func (d *Dispatcher) SlotOf(key []byte) uint16 { return d.hash(key) }

// Covered returns how many slots have a primary.
func (d *Dispatcher) Covered() int { return d.routes.Load().table.Covered() }
