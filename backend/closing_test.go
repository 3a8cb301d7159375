package backend

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
)

// TestDropDrains drops a node that owes replies: they still come, the last one
// later than the others, then the connection ends. New tasks are refused at once.
func TestDropDrains(t *testing.T) {
	goOn, last := make(chan struct{}), make(chan struct{})
	node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(3), redistest.Await(goOn), redistest.Reply("+OK\r\n+v\r\n"),
		redistest.Await(last), redistest.Reply(":1\r\n"), redistest.AwaitClose()))
	p := startPool(t, Config{})
	lane := p.lane(node.Addr, Profile{})
	c := newCaller(t)
	calls := threeCalls(c)
	send(t, lane, calls...)
	lane.awaitFlying(t, 3)
	p.Drop(lane.node)
	if lane.Enqueue(&c.call("GET", "k").Task) {
		t.Error("a dropped node took a task")
	}
	if !lane.Closed() {
		t.Error("a dropped node's lane does not count as closed")
	}
	if p.Node(node.Addr) == lane.node || len(p.Nodes()) != 1 {
		t.Error("the pool still has the dropped node")
	}
	close(goOn)
	calls[0].wantReply(t, "+OK\r\n")
	calls[1].wantReply(t, "+v\r\n")
	close(last)
	calls[2].wantReply(t, ":1\r\n")
	lane.awaitState(t, stateClosed)
	if lane.node.Failing() || lane.node.Stats().Losses != 0 {
		t.Error("a node that was dropped counts as failing")
	}
	if other := lane.node.Lane(MakeProfile(Profile{DB: 1}), 0); other.Enqueue(&c.call("GET", "k").Task) {
		t.Error("a new lane of a dropped node took a task")
	}
}

// TestCloseDrains closes a lane that owes replies: it ends with the last one.
func TestCloseDrains(t *testing.T) {
	goOn := make(chan struct{})
	node := redistest.StartScript(t, redistest.Conversation(
		redistest.ExpectN(3), redistest.Await(goOn), redistest.Reply("+OK\r\n+v\r\n:1\r\n"), redistest.AwaitClose()))
	lane := startPool(t, Config{}).lane(node.Addr, Profile{})
	calls := threeCalls(newCaller(t))
	send(t, lane, calls...)
	lane.awaitFlying(t, 3)
	lane.Close(true)
	close(goOn)
	for i, want := range []string{"+OK\r\n", "+v\r\n", ":1\r\n"} {
		calls[i].wantReply(t, want)
	}
	lane.awaitState(t, stateClosed)
	awaitScript(t, node)
}

func (r *TaskRunner) awaitState(tb testing.TB, want runnerState) {
	tb.Helper()
	eventually(tb, "the lane to be "+want.String(), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.state == want
	})
}

// TestDropIdle drops nodes whose lanes have nothing under way.
func TestDropIdle(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(1), redistest.Reply("+v\r\n"), redistest.AwaitClose()))
	p := startPool(t, Config{})
	used, unused := p.lane(node.Addr, Profile{}), p.lane(node.Addr, Profile{DB: 1})
	k := newCaller(t).call("GET", "k")
	send(t, used, k)
	k.wantReply(t, "+v\r\n")
	p.Drop(used.node)
	used.awaitState(t, stateClosed)
	unused.awaitState(t, stateClosed)
}

// TestDropSilent drops a node that never answers: its tasks fail when the time
// it has for that is over.
func TestDropSilent(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(3), redistest.AwaitClose()))
	p := startPool(t, Config{})
	lane := p.lane(node.Addr, Profile{})
	calls := threeCalls(newCaller(t))
	send(t, lane, calls...)
	lane.awaitFlying(t, 3)
	p.Drop(lane.node)
	for _, k := range calls {
		k.wantLost(t, true, ErrClosed)
	}
	lane.awaitState(t, stateClosed)
}

// TestCloseWhileConnecting closes a lane, and not the pool, during a handshake:
// it ends as soon as that does.
func TestCloseWhileConnecting(t *testing.T) {
	greeted, proceed := make(chan struct{}), make(chan struct{})
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{{
		redistest.Expect("READONLY"), redistest.Do(func() { close(greeted) }), redistest.Await(proceed), redistest.Reply("+OK\r\n")}}})
	lane := startPool(t, Config{}).lane(node.Addr, Profile{ReadOnly: true})
	k := newCaller(t).call("GET", "k")
	send(t, lane, k)
	receive(t, "the handshake", greeted)
	lane.Close(true) // would wait for the reply of what was sent
	k.wantLost(t, false, ErrClosed)
	lane.Close(false)
	close(proceed)
	lane.awaitState(t, stateClosed)
}

// TestResetWhileConnecting: what waits for a handshake waits no longer, and the connection serves others.
func TestResetWhileConnecting(t *testing.T) {
	greeted, proceed := make(chan struct{}), make(chan struct{})
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{{
		redistest.Expect("READONLY"), redistest.Do(func() { close(greeted) }), redistest.Await(proceed), redistest.Reply("+OK\r\n"),
		redistest.Expect("GET", "later"), redistest.Reply("+v\r\n")}}})
	lane := startPool(t, Config{}).lane(node.Addr, Profile{ReadOnly: true})
	c := newCaller(t)
	calls := threeCalls(c)
	send(t, lane, calls...)
	receive(t, "the handshake", greeted)
	lane.node.Reset()
	for _, k := range calls {
		k.wantLost(t, false, errGivenUp)
	}
	k := c.call("GET", "later")
	send(t, lane, k)
	close(proceed)
	k.wantReply(t, "+v\r\n")
}

// TestReset ends a connection: its tasks fail once, the next one connects anew.
func TestReset(t *testing.T) {
	asked := make(chan struct{})
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		{redistest.ExpectN(3), redistest.Do(func() { close(asked) }), redistest.AwaitClose()},
		{redistest.ExpectN(1), redistest.Reply("+v\r\n")},
	}})
	p := startPool(t, Config{})
	lane := p.lane(node.Addr, Profile{})
	lane.node.Reset() // nothing to end yet
	c := newCaller(t)
	calls := threeCalls(c)
	send(t, lane, calls...)
	receive(t, "the commands", asked)
	lane.node.Reset()
	for _, k := range calls {
		k.wantLost(t, true, errGivenUp)
	}
	lane.awaitDown(t)
	k := c.call("GET", "k")
	send(t, lane, k)
	k.wantReply(t, "+v\r\n")
}

// TestPoolClose closes a pool whose lanes are in all states. Every task fails
// once, all goroutines end, and nothing is accepted any more.
func TestPoolClose(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never says anything
	must(t, err)
	defer silent.Close()
	for round := range 20 {
		p := NewPool(Config{Lanes: 2})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go runPool(ctx, p, ended)
		c := newCaller(t)
		var mu sync.Mutex
		var calls []*call
		node := p.Node(silent.Addr().String())
		var wg sync.WaitGroup
		for seed := range 4 {
			wg.Go(func() {
				for i := range 50 {
					profile := Profile{ReadOnly: i%2 == 0} // half of them wait for a handshake
					k := c.call("GET", "k")
					lane := node.Lane(MakeProfile(profile), uint32(seed))
					if !lane.Enqueue(&k.Task) {
						continue
					}
					lane.Flush()
					mu.Lock()
					calls = append(calls, k)
					mu.Unlock()
				}
			})
		}
		if round%2 == 0 {
			wg.Wait()
		}
		cancel()
		receive(t, "the pool's end", ended)
		wg.Wait()
		for _, k := range calls {
			if k.wait(t); k.lost == nil {
				t.Fatalf("%q: reply %q of a node that says nothing", k.Wire, k.reply)
			}
		}
		if n := len(c.order()); n != len(calls) {
			t.Fatalf("%d outcomes of %d tasks", n, len(calls))
		}
		for _, lane := range []*TaskRunner{p.lane(silent.Addr().String(), Profile{}), p.lane("127.0.0.1:1", Profile{})} {
			if lane.Enqueue(&c.call("GET", "k").Task) {
				t.Fatal("a closed pool took a task")
			}
		}
		p.Close() // a second time
	}
}

// TestPoolCloseAfterDrop closes a pool that has dropped a node which will never
// answer: it does not wait for it.
func TestPoolCloseAfterDrop(t *testing.T) {
	best := time.Hour
	for range 5 { // one of them finds the machine awake
		asked := make(chan struct{})
		node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(3), redistest.Do(func() { close(asked) }), redistest.AwaitClose()))
		p := NewPool(Config{Lanes: 1, ConnectTimeout: patience})
		lane := p.lane(node.Addr, Profile{})
		calls := threeCalls(newCaller(t))
		send(t, lane, calls...)
		receive(t, "the commands", asked)
		p.Drop(lane.node)
		begin := time.Now()
		p.Close()
		best = min(best, time.Since(begin))
		for _, k := range calls {
			k.wantLost(t, true, ErrClosed)
		}
	}
	if best > dropDelay/2 {
		t.Errorf("Close took %v", best)
	}
}
