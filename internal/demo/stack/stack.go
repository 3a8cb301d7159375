package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"time"

	"redis-cluster-proxy/internal/redistest"
)

// readyTimeout bounds how long Start waits for the proxy, and drainTimeout how long Close does. A node that is silent for
// nodeTimeout is replaced.
const (
	readyTimeout = time.Minute
	drainTimeout = 5 * time.Second
	nodeTimeout  = 2 * time.Second
)

// Config says what to run. The zero value of a field is no flag for the proxy, save where it says otherwise.
type Config struct {
	Binary    string    // the proxy's program; needed
	Addr      string    // host:port where the proxy listens; needed
	DebugAddr string    // host:port of the proxy's HTTP pages
	Args      []string  // further flags of the proxy
	Log       io.Writer // gets the proxy's output as it comes; nil: see LogTail
}

// Stack is a running cluster with the proxy in front. Close may be called on a nil Stack.
type Stack struct {
	// Set at construction.
	cluster *redistest.Cluster
	proxy   *program
}

// Start launches the cluster, then the proxy, and waits until the proxy serves. The error says what did not work, with
// the end of the log of who failed; nothing runs then. The caller closes the Stack.
func Start(ctx context.Context, cfg Config) (*Stack, error) {
	for _, addr := range []string{cfg.Addr, cfg.DebugAddr} {
		if err := checkFree(addr); err != nil {
			return nil, err
		}
	}
	if _, err := exec.LookPath(cfg.Binary); err != nil {
		return nil, fmt.Errorf("no proxy to run, build it first: %w", err)
	}
	cluster, err := redistest.LaunchCluster(ctx, redistest.Config{NodeTimeout: nodeTimeout})
	if err != nil {
		return nil, err
	}
	s := &Stack{cluster: cluster}
	args := []string{"-addr", cfg.Addr, "-startup-nodes", strings.Join(cluster.Addrs(), ",")}
	if cfg.DebugAddr != "" {
		args = append(args, "-debug-addr", cfg.DebugAddr)
	}
	s.proxy, err = startProgram(cfg.Binary, append(args, cfg.Args...), cfg.Log)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("starting the proxy: %w", err)
	}
	if err := s.waitServes(ctx, cfg.Addr); err != nil {
		s.Close()
		return nil, fmt.Errorf("the proxy does not serve: %w; its log ends:\n%s", err, s.proxy.log.tail())
	}
	return s, nil
}

// checkFree returns an error if something listens at addr already, which would answer in the proxy's place.
func checkFree(addr string) error {
	if addr == "" {
		return nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%s is not free: %w", addr, err)
	}
	return l.Close()
}

// waitServes returns when a client has been served at addr, or when the proxy has ended, or is late.
func (s *Stack) waitServes(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := served(ctx, addr)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %v: %w", readyTimeout, err)
		case <-s.proxy.done:
			return errors.New("it ended")
		case <-tick.C:
		}
	}
}

// Nodes returns the addresses of the cluster's nodes, primaries first.
func (s *Stack) Nodes() []string { return s.cluster.Addrs() }

// Done is closed when the proxy has ended.
func (s *Stack) Done() <-chan struct{} { return s.proxy.done }

// LogTail returns the end of the proxy's output.
func (s *Stack) LogTail() string { return s.proxy.log.tail() }

// ProxyPID returns the proxy's process id.
func (s *Stack) ProxyPID() int { return s.proxy.cmd.Process.Pid }

// Close lets the proxy drain for a while, ends it and the cluster, and removes the cluster's files. It is called once.
func (s *Stack) Close() {
	if s == nil {
		return
	}
	if s.proxy != nil {
		s.proxy.end(drainTimeout)
	}
	s.cluster.Close()
}
