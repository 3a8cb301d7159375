package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// errNotRunning is what signals to a killed server answer.
var errNotRunning = errors.New("the server is not running")

// Server is one real redis-server. Its methods are safe for concurrent use.
type Server struct {
	// Addr is where clients reach it, host:port. Set at construction.
	Addr string

	// Set at construction.
	port, busPort int // busPort is 0 for a server that is no cluster node
	dir           string
	cfg           Config
	tempDir       bool   // Close removes dir
	program       string // the path of what runs
	release       release

	mu sync.Mutex
	// Guarded by mu.
	proc    *process // nil: not running
	stopped bool
	closed  bool
	client  *redis.Client
}

// LaunchServer starts one plain redis-server and waits until it answers. Of cfg it uses Password, Host, Binary, Dir and
// Conf. The caller closes it. Without a server to start the error wraps ErrNoServer.
func LaunchServer(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	var err error
	for range launchAttempts {
		var s *Server
		if s, err = newServer(cfg, "", false); err != nil {
			return nil, err
		}
		if err = s.run(); err == nil {
			err = s.waitAnswers(ctx)
		}
		if err == nil {
			return s, nil
		}
		err = s.explain(err)
		s.Close()
		if errors.Is(err, ErrNoServer) || ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// newServer reserves ports and writes redis.conf. With parent it is a cluster node whose directory lies in parent.
func newServer(cfg Config, parent string, cluster bool) (*Server, error) {
	program, err := exec.LookPath(cfg.Binary)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoServer, err)
	}
	rel, err := releaseOf(program)
	if err != nil {
		return nil, err
	}
	got, err := reservePorts(cfg.Host, cluster, rel)
	if err != nil {
		return nil, err
	}
	s := &Server{port: got[0], cfg: cfg, Addr: net.JoinHostPort(cfg.Host, strconv.Itoa(got[0])), program: program, release: rel}
	if cluster {
		s.busPort = got[1]
	}
	switch {
	case parent != "":
		s.dir = filepath.Join(parent, strconv.Itoa(s.port))
		err = os.MkdirAll(s.dir, 0o700)
	case cfg.Dir != "":
		s.dir = cfg.Dir
		err = os.MkdirAll(s.dir, 0o700)
	default:
		s.tempDir = true
		s.dir, err = os.MkdirTemp("", "redistest-")
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, "redis.conf"), []byte(s.conf()), 0o600)
	}
	s.client = s.newClient()
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// conf is the text of redis.conf: quick to start, quick to replicate, nothing kept on disk.
func (s *Server) conf() string {
	lines := []string{
		"port " + strconv.Itoa(s.port), "bind " + s.cfg.Host, "protected-mode no", "daemonize no", "tcp-backlog 128",
		"save \"\"", "appendonly no",
		"repl-diskless-sync yes", "repl-diskless-sync-delay 0", "repl-ping-replica-period 1",
	}
	if s.release.at(7) {
		lines = append(lines, "shutdown-timeout 0", "enable-debug-command yes")
	}
	if s.busPort != 0 {
		lines = append(lines,
			"cluster-enabled yes", "cluster-config-file nodes.conf",
			"cluster-announce-ip "+s.cfg.Host,
			fmt.Sprintf("cluster-node-timeout %d", s.cfg.quick(formingTimeout).Milliseconds()),
			"cluster-replica-validity-factor 0", // a replica tries to take over however long it was cut off
		)
		if s.release.at(7) {
			lines = append(lines, "cluster-port "+strconv.Itoa(s.busPort),
				"cluster-allow-replica-migration no") // the layout changes when a test changes it
		} else {
			lines = append(lines, "cluster-migration-barrier 100") // does the same
		}
	}
	if s.cfg.Password != "" {
		lines = append(lines, "requirepass "+strconv.Quote(s.cfg.Password), "masterauth "+strconv.Quote(s.cfg.Password))
	}
	return strings.Join(append(lines, s.cfg.Conf...), "\n") + "\n"
}

func (s *Server) newClient() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: s.Addr, Password: s.cfg.Password, Protocol: 2, DisableIdentity: true,
		MaxRetries: -1, DialerRetries: 1, PoolSize: 8, ContextTimeoutEnabled: true,
		DialTimeout: queryTimeout, ReadTimeout: queryTimeout,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// run starts the process, which must not be running.
func (s *Server) run() error {
	out, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("the server was closed")
	}
	s.proc, err = startProcess(s.program, []string{"redis.conf"}, s.dir, out)
	return err
}

// waitAnswers returns once PING is answered with PONG.
func (s *Server) waitAnswers(ctx context.Context) error {
	var died error
	err := poll(ctx, "an answer of "+s.Addr, func() error {
		if s.process() == nil {
			died = errors.New("redis-server exited")
			return nil
		}
		// Without go-redis first, which logs each connection that it cannot open.
		conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
		if err != nil {
			return err
		}
		conn.Close()
		return s.Client().Ping(ctx).Err()
	})
	return errors.Join(err, died)
}

// process returns the running process, nil if there is none.
func (s *Server) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil || s.proc.exited() {
		return nil
	}
	return s.proc
}

// answering reports whether the server runs and is not stopped.
func (s *Server) answering() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc != nil && !s.proc.exited() && !s.stopped
}

// Client returns a client of this one server, logged in. It is the server's: do not close it. It is another one after a
// Restart. It never retries.
func (s *Server) Client() *redis.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}

// Kill ends the server by SIGKILL and returns when it is gone. A server that is not running is left alone.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.kill()
	}
	s.proc, s.stopped = nil, false
}

// Stop halts the server by SIGSTOP: its connections stay open and nothing is answered until Cont.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return errNotRunning
	}
	err := s.proc.stop()
	s.stopped = err == nil
	return err
}

// Cont lets a stopped server go on.
func (s *Server) Cont() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return errNotRunning
	}
	s.stopped = false
	return s.proc.cont()
}

// Restart kills the server if it runs, starts it again on the same port and waits until it answers. Its data are gone
// unless Conf made it persistent; a cluster node still knows the cluster, and comes back as what it was.
func (s *Server) Restart(ctx context.Context) error {
	s.Kill()
	s.mu.Lock()
	s.client.Close()
	s.client = s.newClient()
	s.mu.Unlock()
	if err := s.run(); err != nil {
		return err
	}
	return s.waitAnswers(ctx)
}

// Close kills the server and removes what it left behind. It may be called twice.
func (s *Server) Close() {
	s.Kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.client.Close()
	ports.release(s.port, s.busPort)
	if s.tempDir {
		os.RemoveAll(s.dir)
	}
}

func (s *Server) logPath() string { return filepath.Join(s.dir, "redis.log") }

// Log returns the last lines of the server's log.
func (s *Server) Log(lines int) string {
	text, err := os.ReadFile(s.logPath())
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// explain adds the end of the log to err.
func (s *Server) explain(err error) error {
	if errors.Is(err, ErrNoServer) {
		return err
	}
	return fmt.Errorf("%s: %w; its log ends:\n%s", s.Addr, err, s.Log(5))
}
