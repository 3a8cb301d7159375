package backend

import (
	"fmt"
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
)

const shortTimeout = 20 * time.Millisecond

// TestLateReply lets a task pass its deadline, its reply come late, and others
// use the same connection meanwhile: each gets its own.
func TestLateReply(t *testing.T) {
	late := make(chan struct{})
	node := redistest.StartScript(t, redistest.Conversation(
		redistest.Expect("GET", "0"), redistest.Expect("ASKING"), redistest.Expect("GET", "1"),
		redistest.Await(late), redistest.Expect("GET", "2"), redistest.Expect("GET", "3"),
		redistest.Reply(":0\r\n"), redistest.Reply("+OK\r\n:1\r\n:2\r\n"), redistest.ReplyBytewise(":3\r\n"),
		redistest.Expect("GET", "4"), redistest.Reply(":4\r\n")))
	lane := startPool(t, Config{}).lane(node.Addr, Profile{}) // where the others have all the time that they need
	c := newCaller(t)
	zero, one := c.call("GET", "0"), c.asking("GET", "1")
	send(t, lane, zero, one)
	lane.awaitFlying(t, 3)
	lane.expire(Now())
	zero.wantLost(t, true, ErrTimeout)
	one.wantLost(t, true, ErrTimeout)
	if n := lane.node.InFlight(); n != 3 {
		t.Errorf("%d in flight, want the tombstones of 3 replies", n)
	}
	two, three, four := c.call("GET", "2"), c.call("GET", "3"), c.call("GET", "4")
	send(t, lane, two, three)
	close(late)
	two.wantReply(t, ":2\r\n")
	three.wantReply(t, ":3\r\n")
	send(t, lane, four)
	four.wantReply(t, ":4\r\n")
	if s := lane.node.Stats(); s.Timeouts != 2 || s.Connects != 1 || s.Node.Count() != 3 {
		t.Errorf("%d timeouts, %d connects, %d replies; want 2, 1, 3", s.Timeouts, s.Connects, s.Node.Count())
	}
	for _, k := range []*call{zero, one} {
		if k.reply != "" {
			t.Errorf("a late reply was handed over: %q", k.reply)
		}
	}
}

// TestTimeoutBehindTheClock has a node fall silent while the lane's clock holds
// tasks back: they, too, fail in time.
func TestTimeoutBehindTheClock(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(12)))
	lane := startPool(t, Config{RequestTimeout: shortTimeout}).lane(node.Addr, Profile{})
	c := newCaller(t)
	var calls []*call
	for i := range 12 {
		calls = append(calls, c.call("GET", fmt.Sprint(i)))
	}
	begin := time.Now()
	send(t, lane, calls[:10]...)
	lane.awaitFlying(t, 10)
	send(t, lane, calls[10:]...)
	calls[0].wantLost(t, true, ErrTimeout)
	if d := time.Since(begin); d < shortTimeout {
		t.Errorf("failed after %v already", d)
	}
	for _, k := range calls[1:] {
		k.wantLost(t, true, ErrTimeout)
	}
	if s := lane.node.Stats(); s.Timeouts != 12 {
		t.Errorf("%d timeouts, want 12", s.Timeouts)
	}
}

// awaitFlying waits until the lane has flushed n tasks and holds nothing back.
func (r *TaskRunner) awaitFlying(tb testing.TB, n uint32) {
	tb.Helper()
	eventually(tb, "the flush", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.state == stateUp && r.queue.size == n && r.pending == 0
	})
}

// TestTimeoutThenLoss loses the connection under tombstones: nobody hears of it
// a second time.
func TestTimeoutThenLoss(t *testing.T) {
	failed := make(chan struct{})
	node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(3), redistest.Await(failed), redistest.Close()))
	lane := startPool(t, Config{RequestTimeout: shortTimeout}).lane(node.Addr, Profile{})
	c := newCaller(t)
	calls := threeCalls(c)
	send(t, lane, calls...)
	for _, k := range calls {
		k.wantLost(t, true, ErrTimeout)
	}
	close(failed)
	lane.awaitDown(t)
	if n := len(c.order()); n != 3 {
		t.Errorf("%d outcomes of 3 tasks", n)
	}
}

// TestNoTimeoutWhileConnecting checks that a task does not expire while it waits
// for a connection, which has its own deadline.
func TestNoTimeoutWhileConnecting(t *testing.T) {
	greeted, proceed := make(chan struct{}), make(chan struct{})
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{{
		redistest.Expect("READONLY"), redistest.Do(func() { close(greeted) }), redistest.Await(proceed), redistest.Reply("+OK\r\n"),
		redistest.Expect("GET", "k"), redistest.Reply("+v\r\n")}}})
	p := NewPool(Config{Lanes: 1, ConnectTimeout: patience, RequestTimeout: shortTimeout})
	defer p.Close()
	lane := p.lane(node.Addr, Profile{ReadOnly: true})
	k := newCaller(t).call("GET", "k")
	send(t, lane, k)
	receive(t, "the handshake", greeted)
	lane.expire(Now() + int64(time.Hour))
	close(proceed)
	k.wantReply(t, "+v\r\n")
}
