package dispatcher

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
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
	if bytes.HasPrefix(args[0], []byte("MOD.")) {
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

// session is a client's session reduced to its Pipeline. say and close are for one goroutine, as in a real session.
type session struct {
	rig    *rig
	pipe   *Pipeline
	parser resp.CommandParser
	wake   chan struct{} // holds at most one token

	// Guarded by the Pipeline's lock.
	gathered []byte

	mu sync.Mutex
	// Guarded by mu.
	slow      []slowRequest
	changed   sync.Cond
	committed []byte // not flushed yet
	arrived   []byte // flushed
	closed    bool
}

func (r *rig) newSession() *session {
	r.lastSeed++
	s := &session{rig: r, wake: make(chan struct{}, 1)}
	s.changed.L = &s.mu
	s.pipe = NewPipeline(r.d, s, r.lastSeed, backend.Profile{})
	return s
}

// Append implements Sink.
func (s *session) Append(reply []byte) { s.gathered = append(s.gathered, reply...) }

// AppendChunk implements Sink.
func (s *session) AppendChunk(reply []byte, _ *backend.Chunk) { s.Append(reply) }

// Slow implements Sink.
func (s *session) Slow(slow Slow) {
	args, count := slow.Args(5)
	slow.r = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slow = append(s.slow, slowRequest{slow, string(bytes.Join(args, []byte(" "))), count})
}

// Gathered implements Sink.
func (s *session) Gathered() int { return len(s.gathered) }

// Commit implements Sink.
func (s *session) Commit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed = append(s.committed, s.gathered...)
	s.gathered = s.gathered[:0]
}

// Flush implements Sink.
func (s *session) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrived = append(s.arrived, s.committed...)
	s.committed = s.committed[:0]
	s.changed.Broadcast()
}

// Settle implements Sink.
func (s *session) Settle() { s.Flush() }

// Wake implements Sink.
func (s *session) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// say dispatches the commands in raw and flushes, as a session does with what arrived together.
func (s *session) say(raw []byte) {
	s.pipe.Begin(backend.Now())
	for {
		raw = s.dispatch(raw)
		s.pipe.Flush()
		if len(raw) == 0 {
			return
		}
		for s.pipe.Busy() {
			<-s.wake
		}
	}
}

// dispatch dispatches the commands in raw, up to one behind which the session must wait, and returns the rest.
func (s *session) dispatch(raw []byte) []byte {
	for len(raw) > 0 {
		for s.pipe.Full() {
			s.pipe.Flush()
			<-s.wake
		}
		cmd, n, err := s.parser.Next(raw)
		if err != nil || n == 0 {
			panic("test: not a whole command: " + string(raw))
		}
		raw = raw[n:]
		row, err := s.rig.lookup(cmd.Args)
		if err != nil {
			s.pipe.LocalError(nil, err.Error())
			continue
		}
		if s.pipe.Dispatch(row, &cmd, nil) {
			break
		}
	}
	return raw
}

// close ends the session; replies awaited will not come.
func (s *session) close() {
	s.pipe.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.changed.Broadcast()
}

// take returns what has arrived since the last call.
func (s *session) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.arrived
	s.arrived = nil
	return got
}

// replies returns how many replies have arrived and were not taken.
func (s *session) replies() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for rest := s.arrived; len(rest) > 0; n++ {
		size, err := resp.ReplyLen(rest)
		if err != nil || size == 0 {
			break
		}
		rest = rest[size:]
	}
	return n
}

// wantReplies waits for n replies, which must be these bytes.
func (s *session) wantReplies(t testing.TB, n int, want string) {
	t.Helper()
	poll(t, "the replies", func() bool { return s.replies() == n })
	if got := string(s.take()); got != want {
		t.Errorf("the replies are %q, want %q", got, want)
	}
}

// next waits for the next n replies and returns them.
func (s *session) next(n int) ([]resp.Value, error) {
	stop := time.AfterFunc(patience, s.close)
	defer stop.Stop()
	replies := make([]resp.Value, 0, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(replies) < n {
		v, size, err := resp.ReadValue(s.arrived)
		switch {
		case err != nil:
			return nil, fmt.Errorf("reply %d: %w in %q", len(replies), err, s.arrived)
		case size > 0:
			replies = append(replies, v)
			s.arrived = s.arrived[size:]
		case s.closed:
			return nil, fmt.Errorf("%d of %d replies came in time; then %q", len(replies), n, s.arrived)
		default:
			s.changed.Wait()
		}
	}
	return replies, nil
}

// do sends one command and returns its reply.
func (s *session) do(t testing.TB, args ...string) resp.Value {
	t.Helper()
	s.say(resp.AppendCommand(nil, args...))
	replies, err := s.next(1)
	if err != nil {
		t.Fatal(err)
	}
	return replies[0]
}
