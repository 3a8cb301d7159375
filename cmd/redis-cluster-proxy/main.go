package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/golang/glog"
)

func main() {
	code := start(os.Args[1:], os.Stdout, os.Stderr, run)
	glog.Flush()
	os.Exit(code)
}

// start reads the command line, does what it says and returns the process's exit status.
func start(args []string, stdout, stderr io.Writer, run func(options) error) int {
	opts, err := parse(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "redis-cluster-proxy: %v\n", err)
		return 2
	case opts.Version:
		fmt.Fprintln(stdout, versionLine())
		return 0
	case opts.Check != "":
		run = func(o options) error { return check(o.Check, stdout) }
	}
	if err := run(opts); err != nil {
		fmt.Fprintf(stderr, "redis-cluster-proxy: %v\n", err)
		return 1
	}
	return 0
}
