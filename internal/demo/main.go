package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"redis-cluster-proxy/internal/demo/stack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run starts it all and ends it when ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	var cfg stack.Config
	fs.StringVar(&cfg.Binary, "binary", "bin/redis-cluster-proxy", "the proxy to run")
	fs.StringVar(&cfg.Addr, "addr", "127.0.0.1:8088", "where the proxy listens")
	fs.StringVar(&cfg.DebugAddr, "debug-addr", "127.0.0.1:8089", "where the proxy's metrics are")
	if err := fs.Parse(args); err != nil {
		return err
	}
	cfg.Args = fs.Args() // what stands behind -- is for the proxy

	fmt.Fprintln(out, "Starting a Redis Cluster of six nodes and the proxy ...")
	s, err := stack.Start(ctx, cfg)
	if ctx.Err() != nil {
		s.Close()
		return nil
	}
	if err != nil {
		return err
	}
	defer s.Close()
	greet(out, s, cfg)
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\nStopping ...")
		return nil
	case <-s.Done():
		return fmt.Errorf("the proxy ended by itself; its log ends:\n%s", s.LogTail())
	}
}

// greet says what is running and what to try.
func greet(out io.Writer, s *stack.Stack, cfg stack.Config) {
	host, port, _ := net.SplitHostPort(cfg.Addr)
	fmt.Fprintf(out, `
The proxy is ready at %s. Behind it: %s
Try, in another terminal:

  redis-cli -h %s -p %s set hello world
  redis-benchmark -h %s -p %s -t get,set -n 200000 -r 100000 -c 50 -P 16 -q
  curl http://%s/metrics

Ctrl-C ends it all.
`, cfg.Addr, strings.Join(s.Nodes(), ", "), host, port, host, port, cfg.DebugAddr)
}
