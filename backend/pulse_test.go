package backend

import (
	"slices"
	"testing"

	"redis-cluster-proxy/internal/redistest"
)

// feelUntil has the lane looked at until the listener has been told so much.
func (e *eavesdropper) feelUntil(t *testing.T, p *Pool, want ...string) {
	t.Helper()
	eventually(t, want[len(want)-1], func() bool {
		if len(e.story()) >= len(want) {
			return true
		}
		p.feel()
		return false
	})
	if got := e.story(); !slices.Equal(got[:len(want)], want) {
		t.Fatalf("heard %q, want %q", got, want)
	}
}

// awaitHeard waits until the lane has heard something that no look knows of.
func (r *TaskRunner) awaitHeard(t *testing.T) {
	t.Helper()
	eventually(t, "a sign of life", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.heard != r.private.heard
	})
}

// TestPulse: a private lane over which nothing is said is asked for a sign of life, as often as it is quiet; when there is none the
// connection is lost.
func TestPulse(t *testing.T) {
	hello := redistest.Expect("HELLO", "3")
	asked := make(chan struct{})
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		{
			hello, redistest.Expect(tracking...), redistest.Reply(hello3, "+OK\r\n"), redistest.Expect("GET", "a"), redistest.Reply("+a\r\n"),
			hello, redistest.Reply(hello3), hello, redistest.Reply("-NOAUTH\r\n"),
			hello, redistest.Do(func() { close(asked) }), redistest.AwaitClose(),
		},
		{hello, redistest.Expect(tracking...), redistest.Reply(hello3, "+OK\r\n"), redistest.Expect("GET", "b"), redistest.Reply("+b\r\n"), redistest.AwaitClose()},
	}})
	e := newEavesdropper(t)
	p := startPool(t, Config{})
	lane := p.private(node.Addr, 3, e)
	p.feel() // it has no connection
	send(t, lane, e.call("GET", "a"))
	e.want(t, "+a\r\n")
	p.feel()
	for range 2 {
		for range pulseAsk {
			p.feel()
		}
		lane.awaitHeard(t)
		p.feel()
		if got := lane.private.lane; got != (pulse{}) {
			t.Errorf("a node that has answered: %+v", got)
		}
	}
	for range pulseLost - 1 {
		p.feel()
	}
	receive(t, "the question", asked)
	e.want(t, "+a\r\n")
	p.feel()
	e.want(t, "+a\r\n", "lost")
	lane.awaitDown(t)
	if s := lane.node.Stats(); s.Losses != 1 || !lane.node.Failing() || s.Node.Count() != 1 {
		t.Errorf("%d losses, failing %t, %d replies", s.Losses, lane.node.Failing(), s.Node.Count())
	}
	send(t, lane, e.call("GET", "b"))
	e.want(t, "+a\r\n", "lost", "+b\r\n")
	lane.Discard()
	awaitScript(t, node)
}

// TestPulseOfNodeAtWork: what the holder waits for is not given up for it unless he says so, but he is told.
func TestPulseOfNodeAtWork(t *testing.T) {
	answer := make(chan struct{})
	greeted := []redistest.Step{redistest.Expect("HELLO", "3"), redistest.Expect(tracking...), redistest.Reply(hello3, "+OK\r\n"), redistest.Expect("EVAL", "long")}
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		append(slices.Clone(greeted), redistest.Await(answer), redistest.Reply("+done\r\n"), redistest.AwaitClose()),
		append(slices.Clone(greeted), redistest.AwaitClose()),
	}})
	p := startPool(t, Config{})
	patient, impatient := newEavesdropper(t), newEavesdropper(t)
	impatient.impatient = true

	lane := p.private(node.Addr, 3, patient)
	k := patient.call("EVAL", "long")
	send(t, lane, k)
	patient.feelUntil(t, p, "silent", "silent")
	close(answer)
	k.wantReply(t, "+done\r\n")
	lane.Discard()
	awaitPrivates(t, lane.node, 0)
	if slices.Contains(patient.story(), "lost") {
		t.Errorf("heard %q", patient.story())
	}

	lane = p.private(node.Addr, 3, impatient)
	k = impatient.call("EVAL", "long")
	send(t, lane, k)
	impatient.feelUntil(t, p, "silent", "lost")
	k.wantLost(t, true, errNoPulse)
	lane.Discard()
	awaitScript(t, node)
}

// TestPulseOfEar: the connection that only listens is asked as well, and takes the other one along.
func TestPulseOfEar(t *testing.T) {
	hello := redistest.Expect("HELLO", "3")
	askedLane, askedEar := make(chan struct{}), make(chan struct{})
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		{
			hello, redistest.Expect("CLIENT", "ID"), redistest.Reply(hello3, ":42\r\n"), hello, redistest.Reply(hello3),
			hello, redistest.Do(func() { close(askedEar) }), redistest.AwaitClose(),
		},
		{
			redistest.Expect(append(slices.Clone(tracking), "REDIRECT", "42")...), redistest.Reply("+OK\r\n"), redistest.Expect("GET", "a"),
			redistest.Reply("+a\r\n"), redistest.Expect("HELLO", "2"), redistest.Reply("*0\r\n"), redistest.Expect("HELLO", "2"),
			redistest.Do(func() { close(askedLane) }), redistest.AwaitClose(),
		},
	}})
	e := newEavesdropper(t)
	p := startPool(t, Config{})
	lane := p.private(node.Addr, 2, e)
	send(t, lane, e.call("GET", "a"))
	e.want(t, "+a\r\n")
	p.feel()
	for range pulseAsk {
		p.feel()
	}
	lane.awaitHeard(t)
	ear := lane.link.ear
	eventually(t, "a sign of life", ear.lively.Load)
	for range 1 + pulseAsk {
		p.feel()
	}
	receive(t, "the question to the lane", askedLane)
	receive(t, "the question to its ear", askedEar)
	e.feelUntil(t, p, "+a\r\n", "lost")
	lane.Discard()
	awaitScript(t, node)
}
