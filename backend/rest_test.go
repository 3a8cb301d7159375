package backend

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
)

// TestLaneRests: a lane over which nothing was said for long gives its connection up, unless it owes something; nothing was lost then,
// and the next task connects again.
func TestLaneRests(t *testing.T) {
	speak := make(chan struct{})
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		{
			redistest.Expect("GET", "a"), redistest.Reply("+a\r\n"), redistest.Expect("GET", "b"), redistest.Await(speak),
			redistest.Reply("+b\r\n"), redistest.AwaitClose(),
		},
		{redistest.Expect("GET", "c"), redistest.Reply("+c\r\n"), redistest.AwaitClose()},
	}})
	p := startPool(t, Config{Own: Profile{User: "proxy"}})
	lane := p.lane(node.Addr, Profile{})
	c := newCaller(t)
	begun := Now()
	a, b := c.call("GET", "a"), c.call("GET", "b")
	send(t, lane, a)
	a.wantReply(t, "+a\r\n")
	p.restIdle(begun)
	lane.mu.Lock()
	if lane.state != stateUp {
		t.Error("a lane that was used a moment ago rests")
	}
	lane.mu.Unlock()
	send(t, lane, b)
	lane.awaitFlying(t, 1)
	p.restIdle(Now() + int64(time.Hour))
	close(speak)
	b.wantReply(t, "+b\r\n")

	p.restIdle(Now() + int64(time.Hour))
	if s := lane.node.Stats(); s.Connected != 0 || s.Losses != 0 || lane.node.Failing() {
		t.Errorf("%d connections, %d losses", s.Connected, s.Losses)
	}
	if lane.Closed() || lane.Losses() != 0 {
		t.Error("a lane that rests is not what it was")
	}
	if lane.node.Losses() != 1 {
		t.Error("nobody is connected who would notice that the node restarts, and scripts are believed to be there")
	}
	p.restIdle(Now() + int64(time.Hour))
	if lane.node.Losses() != 1 {
		t.Error("a lane that rests rested again")
	}
	k := c.call("GET", "c")
	send(t, lane, k)
	k.wantReply(t, "+c\r\n")
	if s := lane.node.Stats(); s.Connects != 2 || s.Connected != 1 {
		t.Errorf("%d connections made, %d there", s.Connects, s.Connected)
	}
	lane.Close(true)
	awaitScript(t, node)
}

// TestOwnLanesDoNotRest: those of the proxy's own user are there when they are needed.
func TestOwnLanesDoNotRest(t *testing.T) {
	node := startEcho(t, nil)
	p := startPool(t, Config{Own: Profile{Password: "secret"}})
	c := newCaller(t)
	for _, tc := range []struct {
		profile Profile
		stays   bool
	}{
		{Profile{Password: "secret"}, true},
		{Profile{User: "default", Password: "secret", Proto: 2}, true},
		{Profile{}, false},
		{Profile{User: "other", Password: "secret"}, false},
	} {
		lane := p.lane(node.addr, tc.profile)
		lane.profile = Profile{} // the echo answers no handshake
		k := c.raw("+x\r\n")
		send(t, lane, k)
		k.wantReply(t, "+x\r\n")
		p.restIdle(Now() + int64(time.Hour))
		lane.mu.Lock()
		if stays := lane.state == stateUp; stays != tc.stays {
			t.Errorf("%+v: stays %t", tc.profile, stays)
		}
		lane.mu.Unlock()
	}
	if p.Node(node.addr).Losses() != 0 {
		t.Error("a connection was there all the time")
	}
}

// TestRestsAmidTraffic has lanes rest whenever they owe nothing at the moment: no task is lost, refused or forgotten. Each session has one
// call at a time, since these lanes rest when they have heard something a moment ago, too, before it was passed on.
func TestRestsAmidTraffic(t *testing.T) {
	node := startEcho(t, nil)
	p := startPool(t, Config{Lanes: 2, Own: Profile{User: "proxy"}})
	n := p.Node(node.addr)
	const calls = 100
	session := func(id int) {
		c := newCaller(t)
		lane := n.Lane(MakeProfile(Profile{}), uint32(id))
		for i := range calls {
			n.restIdle(Now() + int64(time.Hour))
			text := fmt.Sprintf("+%d-%d\r\n", id, i)
			k := c.raw(text)
			if !lane.Enqueue(&k.Task) {
				t.Error("refused")
				return
			}
			lane.Flush()
			receive(t, "a reply", k.done)
			if k.reply != text || k.lost != nil {
				t.Errorf("session %d, call %d: %q, %v", id, i, k.reply, k.lost)
				return
			}
		}
	}
	var wg sync.WaitGroup
	for id := range 6 {
		wg.Go(func() { session(id) })
	}
	wg.Wait()
	before := n.Stats().Connects
	session(0) // and finds its lane idle each time
	if s := n.Stats(); s.Connects != before+calls || s.Losses != 0 {
		t.Errorf("%d calls over %d connections, of which %d were lost", calls, s.Connects-before, s.Losses)
	}
}
