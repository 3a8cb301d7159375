package backend

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// patience bounds every wait of these tests; only a failing one takes so long.
const patience = time.Minute

// caller is a Handler as a session is one. It checks that each of its calls
// ends once, and that it is flushed after replies.
type caller struct {
	tb testing.TB

	onFailed func(*call) // called by Failed; nil: nothing

	mu sync.Mutex
	// Guarded by mu.
	ended   []*call // in that order
	owed    bool    // Replied has returned the caller, which was not flushed yet
	flushes int
}

// call is one task of a caller.
type call struct {
	Task
	done chan struct{} // closed at the end

	// Set before done is closed.
	reply string
	lost  *LostError
}

func newCaller(tb testing.TB) *caller { return &caller{tb: tb} }

// raw makes a call of bytes that are a command to the node.
func (c *caller) raw(wire string) *call {
	k := &call{done: make(chan struct{})}
	k.Task = Task{Wire: []byte(wire), Handler: c, Owner: k, Start: Now()}
	return k
}

func (c *caller) call(args ...string) *call { return c.raw(string(resp.AppendCommand(nil, args...))) }

// asking makes a call that is to be sent behind ASKING.
func (c *caller) asking(args ...string) *call {
	k := c.call(args...)
	k.Asking = true
	return k
}

func (c *caller) Replied(run []Reply, chunk *Chunk) Flusher {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(run) == 0 {
		c.tb.Error("Replied without a reply")
	}
	for _, r := range run {
		if r.Task.Handler != c {
			c.tb.Error("Replied for another handler's task")
		}
		c.endLocked(r.Task, string(r.Bytes), nil)
	}
	c.owed = true
	return c
}

func (c *caller) Failed(t *Task, lost *LostError) Flusher {
	c.mu.Lock()
	k := c.endLocked(t, "", lost)
	c.mu.Unlock()
	if c.onFailed != nil {
		c.onFailed(k)
	}
	return nil
}

func (c *caller) endLocked(t *Task, reply string, lost *LostError) *call {
	k := t.Owner.(*call)
	if k.reply != "" || k.lost != nil {
		c.tb.Errorf("%q ended twice: %q %v, then %q %v", t.Wire, k.reply, k.lost, reply, lost)
		return k
	}
	k.reply, k.lost = reply, lost
	c.ended = append(c.ended, k)
	close(k.done)
	return k
}

// Flush implements Flusher.
func (c *caller) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owed = false
	c.flushes++
}

// order returns the calls that have ended, in that order.
func (c *caller) order() []*call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ended)
}

// wait waits for the end of a call.
func (k *call) wait(tb testing.TB) *call {
	tb.Helper()
	receive(tb, "the end of "+string(k.Wire[:min(len(k.Wire), 60)]), k.done)
	return k
}

// wantReply waits for the call's reply.
func (k *call) wantReply(tb testing.TB, want string) {
	tb.Helper()
	if k.wait(tb); k.reply != want || k.lost != nil {
		tb.Fatalf("%.60q: reply %.60q, %v; want %.60q", k.Wire, k.reply, k.lost, want)
	}
}

// wantLost waits for the call's failure with a cause, nil for any.
func (k *call) wantLost(tb testing.TB, sent bool, cause error) {
	tb.Helper()
	switch k.wait(tb); {
	case k.lost == nil:
		tb.Fatalf("%.60q: reply %.60q, want a failure", k.Wire, k.reply)
	case k.lost.Sent != sent:
		tb.Errorf("%.60q: %v, sent %t, want %t", k.Wire, k.lost, k.lost.Sent, sent)
	case cause != nil && !errors.Is(k.lost, cause):
		tb.Errorf("%.60q: %v, want %v", k.Wire, k.lost, cause)
	}
}

// send gives calls to a lane in one go and flushes it.
func send(tb testing.TB, lane *TaskRunner, calls ...*call) {
	tb.Helper()
	var list TaskList
	for _, k := range calls {
		list.Push(&k.Task)
	}
	if !lane.EnqueueAll(&list, lane.Losses()) {
		tb.Fatalf("%s refused %d tasks", lane.node.Addr, len(calls))
	}
	if list.Pop() != nil {
		tb.Fatal("EnqueueAll left a task")
	}
	lane.Flush()
}

// startPool runs a pool with one lane per node and profile. At the end of the
// test it is closed, and what it holds then has failed.
func startPool(tb testing.TB, cfg Config) *Pool {
	cfg.Lanes = max(cfg.Lanes, 1)
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = patience // the machine may be slow
	}
	p := NewPool(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go runPool(ctx, p, ended)
	tb.Cleanup(func() {
		cancel()
		receive(tb, "the pool's end", ended)
	})
	return p
}

func runPool(ctx context.Context, p *Pool, ended chan<- struct{}) {
	p.Run(ctx)
	close(ended)
}

// awaitDown waits until the lane has no connection and nothing to fail.
func (r *TaskRunner) awaitDown(tb testing.TB) {
	tb.Helper()
	eventually(tb, "the lane to be down", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.state == stateDown
	})
}

// lane returns the pool's lane to addr with a profile.
func (p *Pool) lane(addr string, profile Profile) *TaskRunner {
	return p.Node(addr).Lane(MakeProfile(profile), 0)
}

// awaitScript waits until all connections have ended as the script says.
func awaitScript(tb testing.TB, node *redistest.ScriptNode) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	must(tb, node.Wait(ctx))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// eventually polls until cond holds.
func eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	tick := time.NewTicker(50 * time.Microsecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !cond(); <-tick.C {
		if time.Now().After(end) {
			tb.Fatalf("waited in vain for %s", what)
		}
	}
}

// receive waits for a value of ch, or for its end.
func receive[T any](tb testing.TB, what string, ch <-chan T) (v T) {
	tb.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		tb.Fatalf("waited in vain for %s", what)
	}
	return v
}
