package proxytest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/netio"
	"redis-cluster-proxy/proxy"
	"redis-cluster-proxy/slots"
)

const (
	// readyTimeout bounds how long Start waits; machines that run many tests are slow.
	readyTimeout = 30 * time.Second
	// drainTimeout is what Close leaves for requests in flight. What is in flight at the end of a test is forgotten.
	drainTimeout = time.Second
	// pollInterval is how often a condition is looked at while it is awaited.
	pollInterval = 5 * time.Millisecond
	// reloadGap is the program's own.
	reloadGap = 100 * time.Millisecond
	// leaseLinger is the program's own.
	leaseLinger = 10 * time.Second
	// laneLinger is the program's own.
	laneLinger = time.Minute
	// lanePulse is the program's own.
	lanePulse = 2 * time.Second
)

// Config says which proxy to start. The zero value of a field is what the zero value in the room's own Config is, save
// where it says otherwise.
type Config struct {
	// Seeds are addresses of nodes, at least one.
	Seeds []string
	// User and Password are the proxy's own at the nodes, and those of clients that did not AUTH.
	User, Password string
	// ReloadInterval is the time between two loads of the topology; zero: 3 s, the program's default.
	ReloadInterval time.Duration
	// ConnectTimeout bounds a connection to a node; zero: 3 s, the program's default.
	ConnectTimeout time.Duration
	// Unready makes Start return without waiting for the cluster.
	Unready bool

	// Proxy is for the server; User and Password in it are not looked at.
	Proxy proxy.Config
	// Dispatcher is for the dispatcher.
	Dispatcher dispatcher.Config
	// Backend is for the pool; ConnectTimeout and Own in it are not looked at, and
	// IdleLeases, LeaseLinger, LaneLinger and Pulse are the program's if they are zero.
	Backend backend.Config
}

// Proxy is a running proxy. Its methods are safe for concurrent use.
type Proxy struct {
	// Addr is where it listens, host:port.
	Addr string
	// Server, Dispatcher, Watcher and Pool are its rooms.
	Server     *proxy.Server
	Dispatcher *dispatcher.Dispatcher
	Watcher    *slots.Watcher
	Pool       *backend.Pool

	// Set at construction.
	poller  *netio.Poller // nil: goroutines
	source  *slots.Cluster
	keeper  *proxy.CommandKeeper
	cancel  context.CancelFunc
	running sync.WaitGroup
	closing sync.Once
	served  chan error // what Serve returned; holds one
}

// Start launches the proxy on a free port of loopback and takes it down at the end of the test. It ends the test if the
// proxy cannot start, or does not become ready.
func Start(tb testing.TB, cfg Config) *Proxy {
	tb.Helper()
	p, err := launch(cfg)
	if err != nil {
		tb.Fatalf("proxytest: %v", err)
	}
	tb.Cleanup(p.Close)
	if !cfg.Unready {
		ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
		defer cancel()
		if err := p.WaitReady(ctx); err != nil {
			tb.Fatalf("proxytest: %v", err)
		}
	}
	return p
}

// launch puts the rooms together and runs them.
func launch(cfg Config) (*Proxy, error) {
	if cfg.ReloadInterval <= 0 {
		cfg.ReloadInterval = 3 * time.Second
	}
	if cfg.ConnectTimeout <= 0 {
		cfg.ConnectTimeout = 3 * time.Second
	}
	if cfg.Backend.IdleLeases == 0 {
		cfg.Backend.IdleLeases = 5
	}
	if cfg.Backend.LeaseLinger == 0 {
		cfg.Backend.LeaseLinger = leaseLinger
	}
	if cfg.Backend.LaneLinger == 0 {
		cfg.Backend.LaneLinger = laneLinger
	}
	if cfg.Backend.Pulse == 0 {
		cfg.Backend.Pulse = lanePulse
	}
	cfg.Backend.ConnectTimeout = cfg.ConnectTimeout
	cfg.Proxy.User, cfg.Proxy.Password = cfg.User, cfg.Password
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Addr: ln.Addr().String(), served: make(chan error, 1)}
	if pollers > 0 {
		if p.poller, err = netio.NewPoller(pollers); err != nil {
			_ = ln.Close()
			return nil, err
		}
		cfg.Proxy.Poller, cfg.Backend.Poller = p.poller, p.poller
	}
	p.source = slots.NewCluster(slots.ClusterConfig{
		Seeds: cfg.Seeds, User: cfg.User, Password: cfg.Password, ConnectTimeout: cfg.ConnectTimeout,
	})
	cfg.Dispatcher.Own = backend.Profile{User: cfg.User, Password: cfg.Password}
	cfg.Backend.Own = cfg.Dispatcher.Own
	p.Watcher = slots.NewWatcher(p.source, cfg.ReloadInterval, reloadGap)
	p.Pool = backend.NewPool(cfg.Backend)
	p.Dispatcher = dispatcher.New(cfg.Dispatcher, p.Pool, p.Watcher)
	p.Server = proxy.New(cfg.Proxy, p.Dispatcher, command.Builtin())
	p.keeper = proxy.NewCommandKeeper(p.source, p.Server)
	p.Watcher.OnChange(func(*slots.Table) { p.keeper.Changed() })

	var ctx context.Context
	ctx, p.cancel = context.WithCancel(context.Background())
	for _, room := range []func(context.Context){p.Watcher.Run, p.Pool.Run, p.Dispatcher.Run, p.keeper.Run} {
		p.running.Add(1)
		go p.runRoom(ctx, room)
	}
	p.running.Add(1)
	go p.serve(ln)
	return p, nil
}

func (p *Proxy) runRoom(ctx context.Context, run func(context.Context)) {
	defer p.running.Done()
	run(ctx)
}

func (p *Proxy) serve(ln net.Listener) {
	defer p.running.Done()
	p.served <- p.Server.Serve(ln)
}

// WaitReady waits until each slot has a primary and the cluster's own commands are known.
func (p *Proxy) WaitReady(ctx context.Context) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		covered := p.Dispatcher.Covered()
		if covered == slots.NumSlots && p.keeper.Known() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %d slots covered, commands known: %t", covered, p.keeper.Known())
		case err := <-p.served:
			return fmt.Errorf("serving ended: %w", err)
		case <-tick.C:
		}
	}
}

// Shutdown is the server's: no more clients, and what is under way is answered until ctx ends. The rooms behind it run on
// until Close.
func (p *Proxy) Shutdown(ctx context.Context) error { return p.Server.Shutdown(ctx) }

// Close takes the proxy down from the top and returns when nothing of it runs. It may be called twice.
func (p *Proxy) Close() { p.closing.Do(p.takeDown) }

func (p *Proxy) takeDown() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	_ = p.Shutdown(ctx) // past the timeout it has cut the clients off
	p.cancel()
	p.running.Wait()
	p.poller.Close()
	_ = p.source.Close()
}
