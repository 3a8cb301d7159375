package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
)

// options is the command line after it was checked: every value is in its allowed range.
type options struct {
	// Clients.
	Listen                  []listenAddr  // where clients connect, at least one
	RequireAuth             bool          // clients must AUTH; otherwise they act as User
	MaxClients              int           // 0: see fitClients
	ClientOutputBufferLimit int64         // bytes, 0: no limit
	ProtoMaxBulkLen         int64         // bytes
	MaxMergedBytes          int64         // of the replies of all nodes to one command
	ClientTimeout           time.Duration // 0: none
	SlowerThan              time.Duration // of slow requests; negative: none is slow
	SlowlogMaxLen           int
	ShutdownTimeout         time.Duration // 0: cut off at once
	ClusterEmulation        onOff         // clients may take the proxy for a cluster of one node
	AnnounceAddr            string        // where that node is; empty: where the client is connected to
	AdminCommands           []string      // allowed though denied by default

	// The cluster.
	StartupNodes        []string // host:port, at least one, none twice
	User, Password      string   // empty User: the default user; both empty: no AUTH
	PasswordFile        string   // where Password is from; empty: the command line
	ConnectTimeout      time.Duration
	RequestTimeout      time.Duration // 0: none
	SlotsReloadInterval time.Duration

	// Connections and threads.
	IODriver               ioDriver
	MaxProcs               int // 0: what the Go runtime chooses
	BackendConnections     int // lanes per node and profile, 0: see lanes
	BackendIdleConnections int
	BackendMaxLeases       int // 0: no limit

	// Routing.
	ReadPrefer      readPrefer
	ReadYourWrites  time.Duration
	IDC             []netip.Prefix // empty: see ownIDC
	CrossSlot       crossSlot
	RetryWrites     retryWrites
	MaxRedirects    int
	RedirectTimeout time.Duration

	// The process.
	DebugAddr string // empty: off
	Check     string // ask the proxy with this DebugAddr whether it is ready and end; empty: serve
	Version   bool   // print the version and end
}

// lanes returns how many lanes per node and profile to use with procs threads. Half as many lanes as threads keep each
// lane busy enough for its writes to carry many requests.
func (o *options) lanes(procs int) int {
	if o.BackendConnections > 0 {
		return o.BackendConnections
	}
	return max(1, procs/2)
}

// pollers returns how many goroutines of a poller to use with procs threads: as many as lanes, so that each has its own
// and no two share a lock. Twice as many would sleep and wake more than they work (make bench).
func (o *options) pollers(procs int) int { return max(1, procs/2) }

// parse reads the command line without the program's name. Its error is one line that names the flag. For -help it writes
// the list of flags to out and returns flag.ErrHelp.
func parse(args []string, out io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("redis-cluster-proxy", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // its own messages come with the whole list of flags behind them
	fs.Usage = func() {}
	o.defineClients(fs)
	o.defineCluster(fs)
	o.defineRouting(fs)
	define(fs, &o.Check, "check", "", parseOptionalAddr,
		"ask the proxy whose -debug-addr is this `address` whether it is ready, print its answer and end, with status 0 if it is: for health checks where there is no other program")
	fs.BoolVar(&o.Version, "version", false, "print the version and end")
	addLogFlags(fs, flag.CommandLine)

	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, "Usage: redis-cluster-proxy [flags]\n\n")
		fs.SetOutput(out)
		fs.PrintDefaults()
		return o, err
	case err != nil:
		return o, err
	case fs.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: flags begin with a dash, and a yes-or-no flag takes its value after an equals sign (-require-auth=true)", fs.Arg(0))
	}
	if err := o.settlePassword(); err != nil {
		return o, err
	}
	return o, settleLogFlags(fs)
}

func (o *options) defineClients(fs *flag.FlagSet) {
	define(fs, &o.Listen, "addr", "0.0.0.0:8088", parseListenAddrs,
		"where clients connect: a comma-separated list of `addresses`, host:port or unix:/path")
	define(fs, &o.DebugAddr, "debug-addr", "", parseOptionalAddr,
		"where the operator's HTTP pages are (metrics, health, profiles, log level): a host:port `address` that strangers cannot reach; empty: off")
	fs.BoolVar(&o.RequireAuth, "require-auth", false,
		"clients must AUTH before anything else; without it a client that did not acts as -user with -password")
	define(fs, &o.MaxClients, "max-clients", "10000", count(0),
		"largest `number` of clients; one more is refused with 'ERR max number of clients reached'; never more than three quarters of the descriptors that the process may have (ulimit -n); 0: just that")
	define(fs, &o.ClientOutputBufferLimit, "client-output-buffer-limit", "1gb", size(0),
		"`bytes` of replies that a client may leave unread before it is closed; 0: no limit")
	define(fs, &o.ProtoMaxBulkLen, "proto-max-bulk-len", "512mb", size(1<<20),
		"largest argument of a command in `bytes`, at least 1mb; sizes are plain numbers or end in kb, mb or gb")
	define(fs, &o.MaxMergedBytes, "max-merged-bytes", "512mb", size(1<<20),
		"`bytes` that the replies of all nodes to one command may have together where they must be kept to become one, at least 1mb; past it the answer is an error")
	define(fs, &o.ClientTimeout, "client-timeout", "0s", atLeast(0),
		"`time` after which a client that asks nothing is closed, checked twice a second; 0: never")
	define(fs, &o.SlowerThan, "slowlog-log-slower-than", "10ms", parseSlowerThan,
		"`time` from a request's arrival to its answer that makes it an entry of SLOWLOG; 0: all; off: none")
	define(fs, &o.SlowlogMaxLen, "slowlog-max-len", "128", count(0),
		"largest `number` of entries of SLOWLOG")
	define(fs, &o.ShutdownTimeout, "shutdown-timeout", "10s", atLeast(0),
		"`time` that SIGTERM and SIGINT leave for requests in flight to be answered")
	define(fs, &o.ClusterEmulation, "cluster-emulation", "on", parseOnOff,
		"`switch` on: CLUSTER describes one node, the proxy, that owns all slots, so that client libraries for clusters work; off: it is refused as by a standalone server")
	define(fs, &o.AnnounceAddr, "announce-addr", "", parseOptionalTarget,
		"host:port `address` of that node; empty: the one that the client is connected to")
	define(fs, &o.AdminCommands, "admin-commands", "", parseCommandNames,
		"comma-separated `commands` that are allowed though they can harm servers or the cluster, such as debug, bgsave or cluster|reset; those without keys go to all primaries; all: all of them")
	define(fs, &o.IODriver, "io-driver", "goroutines", parseIODriver,
		"who waits for the sockets: `driver` goroutines (one for each connection) or poller (one for each thread, Linux only): less CPU per request")
	define(fs, &o.MaxProcs, "max-procs", "0", count(0),
		"`threads` that run Go code at a time; 0: as many as the machine or container has CPUs")
}

func (o *options) defineCluster(fs *flag.FlagSet) {
	define(fs, &o.StartupNodes, "startup-nodes", "127.0.0.1:7001", parseSeeds,
		"comma-separated `addresses` of nodes of the cluster, host:port, of which one must live for the others to be found")
	fs.StringVar(&o.User, "user", "", "the proxy's ACL user at the nodes; empty: the default user")
	fs.StringVar(&o.Password, "password", "", "the proxy's password at the nodes; anybody who can list processes sees it")
	fs.StringVar(&o.PasswordFile, "password-file", "", "`path` of a file with that password instead, read once")
	define(fs, &o.ConnectTimeout, "connect-timeout", "3s", atLeast(time.Millisecond),
		"`time` that connecting to a node may take")
	define(fs, &o.RequestTimeout, "request-timeout", "0s", atLeast(0),
		"`time` that a node may take to answer one command, blocking ones apart; 0: no limit")
	define(fs, &o.SlotsReloadInterval, "slots-reload-interval", "3s", atLeast(time.Millisecond),
		"`time` between two questions to the cluster which node has which slots; after a redirect or a lost connection it is asked at once")
	define(fs, &o.BackendConnections, "backend-connections", "0", count(0),
		"pipelined `connections` per node (and user, database and protocol) that all clients share; 0: half as many as threads, at least 1")
	define(fs, &o.BackendIdleConnections, "backend-idle-connections", "5", count(0),
		"idle `connections` kept per node for clients that need one of their own for a while (to wait, to watch, KEYS and what else concerns several nodes)")
	define(fs, &o.BackendMaxLeases, "backend-max-leases", "8000", count(0),
		"largest `number` of connections per node that clients have of their own for as long as they like (BLPOP, WATCH ...), past which those commands fail; what the node's maxclients allows must be more; 0: no limit")
}

func (o *options) defineRouting(fs *flag.FlagSet) {
	define(fs, &o.ReadPrefer, "read-prefer", "0", parseReadPrefer,
		"`nodes` that get read-only commands: 0, master or primary; 1, slave or replica; 2, slave-idc or replica-idc (replicas in -idc)")
	define(fs, &o.ReadYourWrites, "read-your-writes", "1s", atLeast(0),
		"`time` for which a client that wrote to a slot reads it from the primary, because replicas lag behind; 0: only while the write is in flight. Of no effect with -read-prefer master")
	define(fs, &o.IDC, "idc", "", parseCIDRs,
		"comma-separated `CIDRs` of the proxy's own data centre; empty: the first two octets of its own IPv4 address")
	define(fs, &o.CrossSlot, "cross-slot", "split", parseCrossSlot,
		"commands with keys in several slots: `policy` split (MGET, MSET, DEL, UNLINK, EXISTS, TOUCH are divided, not atomically), reject (CROSSSLOT error), or all (split, and MULTI and WATCH may span nodes)")
	define(fs, &o.RetryWrites, "retry-writes", "off", parseRetryWrites,
		"writes whose connection was lost after they were sent: `policy` off (UNKNOWNRESULT error) or idempotent (those that may run twice are sent again)")
	define(fs, &o.MaxRedirects, "max-redirects", "8", count(0),
		"largest `number` of redirects one command follows")
	define(fs, &o.RedirectTimeout, "redirect-timeout", "5s", atLeast(0),
		"`time` for which a command is redirected and retried before its client gets the error")
}

// flagValue is a flag whose text is checked by parse when it is set, so that the flag package names it in the error.
type flagValue[T any] struct {
	// Set at construction.
	target *T
	parse  func(string) (T, error)

	text string
}

// define adds a flag whose default is written as a user would write it. It panics if the default is wrong.
func define[T any](fs *flag.FlagSet, target *T, name, text string, parse func(string) (T, error), usage string) {
	v := &flagValue[T]{target: target, parse: parse}
	if err := v.Set(text); err != nil {
		panic(fmt.Sprintf("default %q of -%s: %v", text, name, err))
	}
	fs.Var(v, name, usage)
}

func (v *flagValue[T]) Set(text string) error {
	parsed, err := v.parse(strings.TrimSpace(text))
	if err != nil {
		return err
	}
	*v.target, v.text = parsed, text
	return nil
}

func (v *flagValue[T]) String() string { return v.text }
