package backend

import (
	"fmt"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/redistest"
)

// flushed returns how many tasks the lane has let go.
func (r *TaskRunner) flushed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(r.queue.size - r.pending)
}

// TestClock walks through the lane's clock: at once when idle, then when half as
// many have gathered as are in flight, or when replies have thinned those out.
func TestClock(t *testing.T) {
	const ok = "+OK\r\n"
	answer := []chan struct{}{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	node := redistest.StartScript(t, redistest.Conversation(
		redistest.ExpectN(15), redistest.Await(answer[0]), redistest.Reply(strings.Repeat(ok, 8)), // 7 left, 4 gathered
		redistest.ExpectN(4), redistest.Await(answer[1]), redistest.Reply(strings.Repeat(ok, 11)),
		redistest.ExpectN(21), redistest.Await(answer[2]), redistest.Reply(strings.Repeat(ok, 21))))
	lane := startPool(t, Config{}).lane(node.Addr, Profile{})
	lane.rtt = 1
	c := newCaller(t)
	var calls []*call
	more := func(n int) []*call {
		for range n {
			calls = append(calls, c.call("GET", fmt.Sprint(len(calls))))
		}
		return calls[len(calls)-n:]
	}
	check := func(what string, want int) {
		t.Helper()
		if got := lane.flushed(); got != want {
			t.Fatalf("%s: %d in flight, want %d", what, got, want)
		}
	}

	send(t, lane, more(10)...)
	lane.awaitFlying(t, 10)
	for i := range 4 {
		send(t, lane, more(1)...)
		check(fmt.Sprintf("10 in flight and %d gathered", i+1), 10)
	}
	send(t, lane, more(1)...)
	check("10 in flight and 5 gathered", 15)
	send(t, lane, more(4)...)
	check("15 in flight and 4 gathered", 15)
	close(answer[0]) // of the first 8: the lane's reader lets the rest go
	for _, k := range calls[:8] {
		k.wantReply(t, ok)
	}
	eventually(t, "the reader's flush", func() bool { return lane.flushed() == 11 })

	close(answer[1])
	for _, k := range calls {
		k.wantReply(t, ok)
	}
	send(t, lane, more(20)...)
	check("an idle lane", 20)
	big := c.call("SET", "k", strings.Repeat("x", maxGather))
	calls = append(calls, big)
	send(t, lane, big)
	check("much to send", 21)
	close(answer[2])
	for _, k := range calls {
		k.wantReply(t, ok)
	}
}

// TestClockOfFarNodes checks that nothing waits when the network is what takes
// the time.
func TestClockOfFarNodes(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(11), redistest.Reply(strings.Repeat(":1\r\n", 11))))
	lane := startPool(t, Config{}).lane(node.Addr, Profile{})
	lane.rtt = selfClockRTT
	c := newCaller(t)
	calls := make([]*call, 11)
	for i := range calls {
		calls[i] = c.call("GET", "k")
	}
	send(t, lane, calls[:10]...)
	lane.awaitFlying(t, 10)
	send(t, lane, calls[10:]...)
	for _, k := range calls {
		k.wantReply(t, ":1\r\n")
	}
}

// TestRoundTrip checks the average: it falls fast and rises slowly.
func TestRoundTrip(t *testing.T) {
	var r TaskRunner
	r.measureLocked(1000)
	if r.rtt != 0 {
		t.Error("measured without a flush")
	}
	for _, tt := range []struct{ sample, want int64 }{{800, 800}, {400, 600}, {400, 500}, {6900, 600}, {600, 600}} {
		r.idleAt = 100
		r.measureLocked(100 + tt.sample)
		if r.rtt != tt.want || r.idleAt != 0 {
			t.Fatalf("a sample of %d makes %d, want %d", tt.sample, r.rtt, tt.want)
		}
	}
}
