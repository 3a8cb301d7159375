package proxy

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/glog"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/netio"
	"redis-cluster-proxy/pubsub"
	"redis-cluster-proxy/scan"
)

// Config is a Server's settings; CONFIG SET may change some of them later.
type Config struct {
	// User and Password are what a client that did not authenticate acts as.
	User, Password string
	// RequireAuth answers NOAUTH to a client that did not authenticate.
	RequireAuth bool
	// MaxClients is how many clients may be connected; 0 means any number.
	MaxClients int
	// MaxBulkBytes is the longest argument of a command. Zero means 512 MiB.
	MaxBulkBytes int
	// MaxMergedBytes is how many bytes the replies of all nodes to one command
	// may have together where they are kept to become one. Zero means 512 MiB.
	MaxMergedBytes int64
	// MaxOutputBytes is how much a client may leave unread before it is
	// closed. Zero means any amount.
	MaxOutputBytes int
	// IdleTimeout closes a client that asks nothing for longer. Zero means
	// never.
	IdleTimeout time.Duration
	// SlowerThan is the time from which a request is slow, that is, remembered
	// for SLOWLOG. Zero means 10 ms, negative never.
	SlowerThan time.Duration
	// SlowLogLen is how many slow requests are remembered. Zero means 128,
	// negative none.
	SlowLogLen int
	// AdminCommands are the commands that are allowed though they are denied
	// by default: names like "debug" and "cluster|reset", or "all".
	AdminCommands []string
	// NoClusterEmulation answers what is about clusters as a standalone server
	// does. Otherwise clients may take the proxy for a cluster of one node.
	NoClusterEmulation bool
	// AnnounceAddr is where that node is, host:port; "" means the address that
	// the client is connected to.
	AnnounceAddr string
	// Poller drives the clients' connections; nil: a goroutine for each does.
	// Whoever made it closes it after Shutdown.
	Poller *netio.Poller
	// Version is the proxy's own version, for INFO.
	Version string
}

// Server is the proxy as its clients see it.
type Server struct {
	// Set at construction.
	cfg     Config
	d       *dispatcher.Dispatcher
	started time.Time
	allowed allowance
	runID   string
	ctx     context.Context // of what runs beside the sessions; ends with Shutdown
	cancel  context.CancelFunc

	settings atomic.Pointer[settings]
	changing sync.Mutex // held to replace settings
	slow     slowLog
	monitors monitors

	walker    scan.Walker
	hub       *pubsub.Hub
	table     atomic.Pointer[command.Table]
	gate      atomic.Pointer[pause] // of CLIENT PAUSE; nil: none. Written under mu
	databases atomic.Int32
	servers   atomic.Pointer[serverVersion]
	modules   atomic.Pointer[[]any]

	lastID             atomic.Uint64
	accepted           atomic.Uint64
	refused            atomic.Uint64
	aborted            atomic.Uint64                 // clients closed for what they left unread
	abortedSubscribers atomic.Uint64                 // those of them with subscriptions
	baseline           atomic.Pointer[serverFigures] // as of CONFIG RESETSTAT

	mu sync.Mutex
	// Guarded by mu.
	listeners map[net.Listener]struct{}
	sessions  map[*session]struct{}
	closing   bool
	full      bool   // clients are refused; see noteFullLocked
	goneIn    uint64 // bytes of the sessions that have ended
	goneOut   uint64
	ungate    *time.Timer   // ends the pause
	idleTimer *time.Timer   // see watchIdle; nil: there is no limit
	idleLooks backend.Looks // for who is idle

	ending  sync.WaitGroup // sessions and what runs beside them
	hangups hangupWatch
}

// New makes a Server that dispatches to d and knows the commands of table. It
// starts nothing.
func New(cfg Config, d *dispatcher.Dispatcher, table *command.Table) *Server {
	s := &Server{
		cfg: cfg, d: d, started: time.Now(), runID: newRunID(), allowed: newAllowance(cfg.AdminCommands),
		listeners: make(map[net.Listener]struct{}),
		sessions:  make(map[*session]struct{}),
	}
	s.adopt(cfg.firstSettings())
	s.hub = s.newHub()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.SetTable(table)
	s.SetServerVersion("7.0.0")
	s.SetDatabases(1)
	return s
}

// SetTable replaces the command table, to which the Server adds its own PROXY.
// Safe at any time.
func (s *Server) SetTable(t *command.Table) { s.table.Store(t.With(operatorInfos)) }

// Table returns the command table, with the Server's own PROXY.
func (s *Server) Table() *command.Table { return s.table.Load() }

// SetServerVersion sets what the cluster's nodes are, like "valkey 8.1.0" or
// "7.0.15", which is Redis: HELLO tells it, and the proxy answers as they would.
// Safe at any time.
func (s *Server) SetServerVersion(v string) {
	version := parseServerVersion(v)
	s.servers.Store(version)
	s.d.SetServerVersion(version.release)
}

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("proxy: server closed")

// Serve accepts clients from ln, which it closes, until Shutdown or an error
// that is not temporary.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		_ = ln.Close()
		return ErrServerClosed
	}
	s.listeners[ln] = struct{}{}
	s.mu.Unlock()
	s.watchIdle()
	defer s.forgetListener(ln)
	return s.acceptLoop(ln)
}

func (s *Server) forgetListener(ln net.Listener) {
	s.mu.Lock()
	delete(s.listeners, ln)
	s.mu.Unlock()
	_ = ln.Close()
}

func (s *Server) acceptLoop(ln net.Listener) error {
	wait := time.Duration(0)
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			wait = 0
			s.start(nc, ln)
		case s.Draining() || errors.Is(err, net.ErrClosed):
			return ErrServerClosed
		default: // out of descriptors, or a client that was gone at once
			if wait == 0 {
				glog.Warningf("accept: %v", err)
			}
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			time.Sleep(wait)
		}
	}
}

// Draining reports whether Shutdown was called. Safe at any time.
func (s *Server) Draining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// Shutdown stops accepting and reading, lets what is under way answer, and
// closes each client when it has its replies. When ctx ends first, it closes
// the rest at once and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.hub.Close()
	defer s.cancel()
	s.mu.Lock()
	s.closing = true
	for ln := range s.listeners {
		_ = ln.Close()
	}
	for sess := range s.sessions {
		sess.conn.StopReading()
	}
	s.openLocked()
	s.mu.Unlock()
	s.watchIdle()

	done := make(chan struct{})
	go s.awaitSessions(done)
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	left := len(s.sessions)
	for sess := range s.sessions {
		sess.conn.Abort()
	}
	s.mu.Unlock()
	s.cancel()
	glog.Warningf("shutdown: closed %d clients with requests under way", left)
	<-done
	return ctx.Err()
}

func (s *Server) awaitSessions(done chan<- struct{}) {
	s.ending.Wait()
	close(done)
}

// Clients returns how many clients are connected.
func (s *Server) Clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// defaultProfile is that of a client that did not authenticate.
func (s *Server) defaultProfile() backend.Profile {
	return backend.Profile{User: s.cfg.User, Password: s.cfg.Password}
}

// port returns the port of the first TCP listener, 0 if there is none.
func (s *Server) port() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ln := range s.listeners {
		if addr, ok := ln.Addr().(*net.TCPAddr); ok {
			return addr.Port
		}
	}
	return 0
}
