package dispatcher

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/slots"
)

// patience is how long a test waits for what must come. Only a failing test waits for so long.
const patience = time.Minute

// pollInterval is how often a condition is looked at while it is awaited.
const pollInterval = 200 * time.Microsecond

// polled calls check until it is true; false if it never is.
func polled(check func() bool) bool {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for end := time.Now().Add(patience); !check(); <-tick.C {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// poll waits until check is true, or ends the test.
func poll(t testing.TB, what string, check func() bool) {
	t.Helper()
	if !polled(check) {
		t.Fatalf("timed out waiting for %s", what)
	}
}

// rig is a Dispatcher at work, with its pool.
type rig struct {
	d     *Dispatcher
	pool  *backend.Pool
	table *command.Table
	// module is what a module adds to the commands: MOD.FETCH finds its keys by code.
	module *command.Table

	lastSeed uint32
}

// newRig runs a Dispatcher over topology until the end of the test. more runs beside it.
func newRig(t testing.TB, cfg Config, pool backend.Config, topology Topology, more ...func(context.Context)) *rig {
	if pool.Lanes == 0 {
		pool.Lanes = 1
	}
	pool.ConnectTimeout = patience // the machine may be slow; that is not what is tested
	r := &rig{pool: backend.NewPool(pool), table: command.Builtin()}
	r.module = r.table.Overlay([]command.Info{
		{Name: "mod.fetch", Arity: -2, Flags: []string{"module", "readonly", "movablekeys"}},
		{ // as Redis 8.4 and Valkey 9.1 declare it
			Name: "msetex", Arity: -4, Flags: []string{"write", "denyoom", "movablekeys"},
			Tips:     []string{"request_policy:multi_shard", "response_policy:all_succeeded"},
			KeySpecs: []command.KeySpec{{Begin: command.BeginIndex, Index: 1, Find: command.FindKeyNum, FirstKey: 1, KeyStep: 2}},
		},
	})
	r.d = New(cfg, r.pool, topology)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range append([]func(context.Context){r.pool.Run, r.d.Run}, more...) {
		running.Go(func() { run(ctx) })
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return r
}

func (r *rig) lookup(args [][]byte) (*command.Row, error) {
	if bytes.HasPrefix(args[0], []byte("MOD.")) || string(args[0]) == "MSETEX" {
		return r.module.Lookup(args)
	}
	return r.table.Lookup(args)
}

// newFakeRig is a rig in front of a fake cluster, with the real Watcher and the fake's own commands.
func newFakeRig(t testing.TB, cfg Config, cluster *redistest.FakeCluster) *rig {
	t.Helper()
	return newFakeRigOver(t, cfg, backend.Config{}, cluster)
}

// newFakeRigOver is newFakeRig with a pool of its own settings.
func newFakeRigOver(t testing.TB, cfg Config, pool backend.Config, cluster *redistest.FakeCluster) *rig {
	t.Helper()
	source := slots.NewCluster(slots.ClusterConfig{Seeds: cluster.Addrs(), ConnectTimeout: patience})
	t.Cleanup(func() { source.Close() })
	watcher := slots.NewWatcher(source, time.Second, 20*time.Millisecond)
	if cfg.RedirectTimeout == 0 {
		cfg.RedirectTimeout = patience
	}
	r := newRig(t, cfg, pool, watcher, watcher.Run)
	poll(t, "the topology", func() bool { return r.d.Covered() == slots.NumSlots })
	reply, err := source.Commands(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	infos, err := command.InfosFromReply(reply)
	if err != nil {
		t.Fatal(err)
	}
	r.table = r.table.Overlay(infos)
	return r
}
