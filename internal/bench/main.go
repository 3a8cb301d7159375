package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"redis-cluster-proxy/internal/demo/stack"
)

// options is the command line.
type options struct {
	targets     []target // none: start our own
	baseline    string
	cases       []benchCase
	rounds      int
	duration    time.Duration
	idleClients int
	subscribers int
	serve       bool
	stack       stack.Config
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv("BENCH_TARGETS"), os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run does what args say. The result goes to out, what goes on meanwhile to progress.
func run(ctx context.Context, args []string, envTargets string, out, progress io.Writer) error {
	opts, err := parse(args, envTargets, progress)
	if err != nil {
		return err
	}
	if len(opts.targets) == 0 || opts.serve {
		fmt.Fprintln(progress, "starting a cluster and the proxy ...")
		s, err := stack.Start(ctx, opts.stack)
		if err != nil {
			return err
		}
		defer s.Close()
		if opts.serve {
			return serve(ctx, s, opts.stack.Addr, out)
		}
		opts.targets = []target{{name: "ours", addr: opts.stack.Addr}}
	}
	r, err := newRunner(opts, progress)
	if err != nil {
		return err
	}
	results, err := r.run(ctx)
	if err != nil {
		return err
	}
	return writeReport(out, r.baseline, opts.targets, results)
}

func parse(args []string, envTargets string, progress io.Writer) (options, error) {
	var opts options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(progress)
	targets := fs.String("targets", envTargets, "what to measure, `name=host:port ...`; default: $BENCH_TARGETS, else our own proxy")
	fs.StringVar(&opts.baseline, "baseline", "", "`name` of the target that ratios refer to; default: the second, else the first")
	cases := fs.String("cases", "", "only `cases` whose name contains one of these words, comma-separated; =word for the very name")
	list := fs.Bool("list", false, "list the cases and end")
	fs.IntVar(&opts.rounds, "rounds", 5, "how often each target has its turn at each case")
	fs.DurationVar(&opts.duration, "duration", 2500*time.Millisecond, "how long one turn takes, about")
	fs.IntVar(&opts.idleClients, "idle-clients", 10000, "connections of the cases idle and blocked")
	fs.IntVar(&opts.subscribers, "subscribers", 1000, "how many clients get the messages of the cases PUBLISH")
	fs.BoolVar(&opts.serve, "serve", false, "measure nothing: keep the cluster and the proxy running until Ctrl-C")
	fs.StringVar(&opts.stack.Binary, "binary", "bin/redis-cluster-proxy", "our own proxy")
	fs.StringVar(&opts.stack.Addr, "addr", "127.0.0.1:8088", "where our own proxy listens")
	fs.StringVar(&opts.stack.DebugAddr, "debug-addr", "", "where our own proxy's metrics and profiles are")
	if err := fs.Parse(args); err != nil {
		return opts, err
	}
	// Not limited, or the proxy would refuse those who look on while those cases have their 10,000.
	opts.stack.Args = append([]string{"-max-clients", "0"}, fs.Args()...)
	var err error
	if opts.targets, err = parseTargets(*targets); err != nil {
		return opts, err
	}
	if opts.cases, err = chooseCases(*cases); err != nil {
		return opts, err
	}
	if *list {
		for _, c := range opts.cases {
			fmt.Fprintln(progress, c.name)
		}
		return opts, flag.ErrHelp
	}
	if opts.rounds < 1 || opts.duration <= 0 || opts.idleClients < 1 || opts.subscribers < 1 {
		return opts, errors.New("-rounds, -duration, -idle-clients and -subscribers must be above 0")
	}
	return opts, nil
}

// serve keeps the stack up and says what is where.
func serve(ctx context.Context, s *stack.Stack, addr string, out io.Writer) error {
	fmt.Fprintf(out, "nodes   %s\nproxy   %s (process %d)\nmeasure BENCH_TARGETS=\"ours=%s other=host:port\" make bench\nCtrl-C ends it.\n",
		strings.Join(s.Nodes(), " "), addr, s.ProxyPID(), addr)
	select {
	case <-ctx.Done():
		return nil
	case <-s.Done():
		return fmt.Errorf("the proxy ended by itself; its log ends:\n%s", s.LogTail())
	}
}
