package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/netio"
	"redis-cluster-proxy/proxy"
	"redis-cluster-proxy/slots"
)

// reloadGap is the least time between the beginnings of two loads of the topology.
const reloadGap = 100 * time.Millisecond

// leaseLinger is for how long a connection that a client had of its own is kept for the next one, though there are
// -backend-idle-connections: those of a queue's workers are idle and in use by turns.
const leaseLinger = 10 * time.Second

// laneLinger is for how long a user's shared connections are kept while nobody says anything over them. Those of the proxy's
// own user are kept for ever.
const laneLinger = time.Minute

// lanePulse is how often a connection that tracks is looked at, which may be cut off without a word. It is given up after
// 8 to 10 s, when even a node that executes a script that takes too long has answered: it does so after 5 s.
const lanePulse = 2 * time.Second

// rooms is the proxy put together.
type rooms struct {
	poller     *netio.Poller // nil: goroutines
	source     *slots.Cluster
	watcher    *slots.Watcher
	pool       *backend.Pool
	dispatcher *dispatcher.Dispatcher
	server     *proxy.Server
	commands   *proxy.CommandKeeper
	listeners  []net.Listener
}

// newRooms builds the rooms and listens, so that a wrong -addr ends the start. Nothing runs yet.
func newRooms(o options, procs int) (*rooms, error) {
	r := &rooms{}
	if o.IODriver == ioPoller {
		var err error
		if r.poller, err = netio.NewPoller(o.pollers(procs)); err != nil {
			return nil, fmt.Errorf("-io-driver: %w", err)
		}
	}
	r.source = slots.NewCluster(slots.ClusterConfig{
		Seeds: o.StartupNodes, User: o.User, Password: o.Password, ConnectTimeout: o.ConnectTimeout,
	})
	r.watcher = slots.NewWatcher(r.source, o.SlotsReloadInterval, reloadGap)
	own := backend.Profile{User: o.User, Password: o.Password}
	r.pool = backend.NewPool(backend.Config{
		ConnectTimeout: o.ConnectTimeout, Lanes: o.lanes(procs), RequestTimeout: o.RequestTimeout, LaneLinger: laneLinger, Own: own,
		IdleLeases: o.BackendIdleConnections, LeaseLinger: leaseLinger, MaxLeases: o.BackendMaxLeases,
		Pulse: lanePulse, Poller: r.poller,
	})
	r.dispatcher = dispatcher.New(dispatcher.Config{
		ReadPrefer:      [...]dispatcher.ReadPrefer{dispatcher.PreferPrimary, dispatcher.PreferReplica, dispatcher.PreferReplicaIDC}[o.ReadPrefer],
		Near:            nearTo(o.ownIDC()),
		RejectCrossSlot: o.CrossSlot == crossSlotReject, SplitTransactions: o.CrossSlot == crossSlotAll,
		RetryIdempotent: o.RetryWrites == retryWritesIdempotent,
		ReadYourWrites:  o.ReadYourWrites,
		MaxRedirects:    orNone(o.MaxRedirects),
		RedirectTimeout: orNone(o.RedirectTimeout),
		Own:             own,
	}, r.pool, r.watcher)
	r.server = proxy.New(proxy.Config{
		User: o.User, Password: o.Password, RequireAuth: o.RequireAuth,
		IdleTimeout: o.ClientTimeout, SlowerThan: orAll(o.SlowerThan), SlowLogLen: orNone(o.SlowlogMaxLen),
		MaxClients: o.MaxClients, MaxBulkBytes: int(o.ProtoMaxBulkLen), MaxOutputBytes: int(o.ClientOutputBufferLimit),
		MaxMergedBytes: o.MaxMergedBytes,
		AdminCommands:  o.AdminCommands, NoClusterEmulation: !bool(o.ClusterEmulation), AnnounceAddr: o.AnnounceAddr,
		Version: versionName(), Poller: r.poller,
	}, r.dispatcher, command.Builtin())
	r.commands = proxy.NewCommandKeeper(r.source, r.server)
	r.watcher.OnChange(func(*slots.Table) { r.commands.Changed() })
	for _, at := range o.Listen {
		ln, err := net.Listen(at.Network, at.Address)
		if err != nil {
			r.close()
			return nil, fmt.Errorf("-addr: %w", err)
		}
		r.listeners = append(r.listeners, ln)
	}
	return r, nil
}

// orNone is n in the words of dispatcher.Config, where zero is a default and none is negative.
func orNone[T int | time.Duration](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

// orAll is d in the words of proxy.Config, where zero is a default.
func orAll(d time.Duration) time.Duration {
	if d == 0 {
		return 1
	}
	return d
}

// close undoes newRooms where nothing was served.
func (r *rooms) close() {
	for _, ln := range r.listeners {
		_ = ln.Close()
	}
	r.pool.Close()
	r.poller.Close()
	_ = r.source.Close()
}

// register lets the rooms' figures be scraped.
func (r *rooms) register(registry *prometheus.Registry) {
	registry.MustRegister(r.server, r.dispatcher, r.pool, r.watcher)
}

// services returns what runs, in the order of construction.
func (r *rooms) services() []service {
	list := []service{
		newLoop(r.watcher.Run, r.source.Close),
		newLoop(r.pool.Run, nil),
		newLoop(r.dispatcher.Run, nil),
		newLoop(r.commands.Run, nil),
	}
	for _, ln := range r.listeners {
		list = append(list, listening{r.server, ln})
	}
	return list
}

// ready reports whether new clients can be served: every slot has a shard, and the proxy is not about to end. A shard that
// has failed makes no proxy less able than another.
func (r *rooms) ready() (bool, string) {
	if r.server.Draining() {
		return false, "draining"
	}
	n := r.dispatcher.Covered()
	detail := fmt.Sprintf("%d of %d slots covered", n, slots.NumSlots)
	if failed := r.watcher.Table().Failed(); failed > 0 {
		detail += fmt.Sprintf(", %d of them without a working primary", failed)
	}
	return n == slots.NumSlots, detail
}

// status writes the page for a person who looks at this one proxy.
func (r *rooms) status(w io.Writer) {
	_, detail := r.ready()
	table := r.watcher.Table()
	fmt.Fprintf(w, "%s\n%s, epoch %d\n%d clients\n\n", versionLine(), detail, table.Epoch, r.server.Clients())
	for _, sh := range table.Shards {
		if sh.Primary != nil {
			fmt.Fprintf(w, "primary %s healthy=%t\n", sh.Primary.Addr, sh.Primary.Healthy)
		}
		for _, n := range sh.Replicas {
			fmt.Fprintf(w, "  replica %s healthy=%t\n", n.Addr, n.Healthy)
		}
	}
	fmt.Fprintln(w)
	nodes := r.pool.Nodes()
	slices.SortFunc(nodes, func(a, b *backend.Node) int { return strings.Compare(a.Addr, b.Addr) })
	for _, n := range nodes {
		n.Describe(w)
	}
}

// nearTo returns a function that tells whether the host of an address lies in one of the networks.
func nearTo(networks []netip.Prefix) func(string) bool {
	return func(addr string) bool {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return false
		}
		for _, ip := range addressesOf(host) {
			for _, n := range networks {
				if n.Contains(ip.Unmap()) {
					return true
				}
			}
		}
		return false
	}
}

// lookupTimeout bounds the resolution of a node's name, which is done once per node.
const lookupTimeout = time.Second

func addressesOf(host string) []netip.Addr {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	return ips
}

// listening is a listener of the server.
type listening struct {
	server *proxy.Server
	ln     net.Listener
}

// Serve implements service.
func (l listening) Serve() error {
	if err := l.server.Serve(l.ln); !errors.Is(err, proxy.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown implements service.
func (l listening) Shutdown(ctx context.Context) error { return l.server.Shutdown(ctx) }

// loop is a service made of a function that runs until its context ends.
type loop struct {
	run    func(context.Context)
	after  func() error // called once run has returned; may be nil
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}
}

func newLoop(run func(context.Context), after func() error) *loop {
	l := &loop{run: run, after: after, ended: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Serve implements service.
func (l *loop) Serve() error {
	defer close(l.ended)
	l.run(l.ctx)
	if l.after != nil {
		return l.after()
	}
	return nil
}

// Shutdown implements service.
func (l *loop) Shutdown(ctx context.Context) error {
	l.cancel()
	select {
	case <-l.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
