package dispatcher

import (
	"context"
	"strings"
	"sync"
	"testing"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
	"redis-cluster-proxy/slots"
)

// doubts is a Tracker that counts, and says nothing to the client.
type doubts struct {
	mu sync.Mutex
	// Guarded by mu.
	pushed, doubted int
}

// Pushed implements Tracker.
func (d *doubts) Pushed([]byte, *backend.TaskRunner) backend.Flusher {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pushed++
	return nil
}

// Doubt implements Tracker.
func (d *doubts) Doubt(*backend.TaskRunner) backend.Flusher {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.doubted++
	return nil
}

func (d *doubts) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.doubted
}

// trackingNode is a scripted primary of all slots that answers any number of connections, and a rig in front of it.
func trackingNode(t *testing.T, cfg backend.Config) (*scene, *peer) {
	sc := newScene(t)
	sc.pool = cfg
	sc.own("A", 0, 16383)
	sc.begin()
	return sc, sc.peers["A"]
}

// allAt is a layout in which one node has all slots.
func allAt(addr string) *slots.Table {
	table := slots.NewTable(slots.Hash)
	table.Shards = []*slots.Shard{{Primary: &slots.Node{Addr: addr, Healthy: true}}}
	clear(table.Slot[:])
	return table
}

// TestBroadcastConnects at once, again after a loss, and to a node that comes later; each time what may have been missed
// is in doubt.
func TestBroadcastConnects(t *testing.T) {
	sc := newScene(t)
	sc.own("A", 0, 16383)
	b := sc.node("B")
	sc.begin()
	a := sc.peers["A"]
	s := sc.session("client")
	d := &doubts{}
	s.pipe.SetProfile(backend.Profile{Proto: 3})
	s.pipe.Track(&Tracking{Greeting: []string{"CLIENT", "TRACKING", "ON"}, Broadcast: true, Tracker: d})
	if err := s.pipe.Reach(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.connections() != 1 || b.connections() != 0 || d.count() != 0 {
		t.Fatalf("%d connections to A, %d to B, %d doubts", a.connections(), b.connections(), d.count())
	}
	a.cut()
	poll(t, "a connection instead of the one that was lost", func() bool { return a.connections() == 1 })
	poll(t, "the doubts about what was missed", func() bool { return d.count() >= 2 })
	before := d.count()
	sc.route("foo", "B")
	poll(t, "a connection to the new primary", func() bool { return b.connections() == 1 })
	poll(t, "the doubt about what was missed there", func() bool { return d.count() >= before+2 }) // and the slot's
	a.stop()
	poll(t, "the loss", func() bool { return sc.rig.pool.Node(a.addr).Failing() })
	a.listen(t, a.addr)
	poll(t, "a connection to the node that is back", func() bool { return a.connections() == 1 })
	s.close()
	poll(t, "the end", func() bool { return a.connections() == 0 && b.connections() == 0 })
}

// TestReachTellsRefusals: a node that does not let the client track is the end of it; one that cannot be reached is not.
func TestReachTellsRefusals(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(
		redistest.Expect("CLIENT", "TRACKING", "ON"), redistest.Reply("-NOPERM no\r\n"), redistest.AwaitClose()))
	chart := newChart(func(string) {})
	r := newRig(t, Config{}, backend.Config{}, chart)
	chart.publish(allAt(node.Addr))
	s := r.newSession()
	defer s.close()
	d := &doubts{}
	s.pipe.SetProfile(backend.Profile{Proto: 3})
	s.pipe.Track(&Tracking{Greeting: []string{"CLIENT", "TRACKING", "ON"}, Broadcast: true, Tracker: d})
	if err := s.pipe.Reach(t.Context()); err == nil || err.Error() != "NOPERM no" {
		t.Errorf("%v", err)
	}
	if s.pipe.Track(nil).End() {
		t.Error("what was never on is forgotten")
	}
}

// TestReachEndsWithItsContext though a node does not answer.
func TestReachEndsWithItsContext(t *testing.T) {
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(1), redistest.Do(cancel), redistest.Await(done), redistest.AwaitClose()))
	chart := newChart(func(string) {})
	r := newRig(t, Config{}, backend.Config{}, chart)
	chart.publish(allAt(node.Addr))
	s := r.newSession()
	s.pipe.SetProfile(backend.Profile{Proto: 3})
	s.pipe.Track(&Tracking{Greeting: []string{"CLIENT", "TRACKING", "ON"}, Broadcast: true, Tracker: &doubts{}})
	if err := s.pipe.Reach(ctx); err != nil || ctx.Err() == nil {
		t.Error(err, ctx.Err())
	}
	s.close()
	r.pool.Close()
	close(done)
}

// TestLatePushesAreBounded: while a node keeps the ring from moving, another one may push without end. The client is told
// to forget everything instead.
func TestLatePushesAreBounded(t *testing.T) {
	sc, _ := trackingNode(t, backend.Config{})
	sc.track("client", false)
	s := sc.session("client")
	s.say(resp.AppendCommand(nil, "GET", "foo"))
	poll(t, "the command", func() bool { n, _ := sc.peers["A"].open(); return n == 1 })
	s.pipe.Local(nil, []byte("+local\r\n"))
	s.pipe.mu.Lock()
	s.pipe.answered = s.pipe.tail // as if another node had answered what is behind it
	s.pipe.mu.Unlock()
	push := ">1\r\n$1000\r\n" + strings.Repeat("x", 1000) + "\r\n"
	const many = 5 * maxLateBytes / 1000
	for range many {
		flush(s.pipe.Tell([]byte(push), nil))
	}
	s.pipe.mu.Lock()
	held := s.pipe.own.lateBytes
	s.pipe.mu.Unlock()
	if held > maxLateBytes {
		t.Errorf("%d bytes are kept", held)
	}
	sc.demand(sc.peers["A"].answer("$1\r\n1\r\n"))
	replies, err := s.next(3)
	if err != nil {
		t.Fatal(err)
	}
	if v := replies[2]; replies[0].Str != "1" || replies[1].Str != "local" || v.Kind != '>' || v.Elems[0].Str != "null" {
		t.Errorf("%+v", replies)
	}
	poll(t, "the rest of the pushes", func() bool { s.pipe.mu.Lock(); defer s.pipe.mu.Unlock(); return len(s.pipe.own.pushes) == 0 })
}

// TestForgetOnce: a client that has got no reply since it was told to forget all is not told again, save when it is told of
// what others read.
func TestForgetOnce(t *testing.T) {
	for _, broadcast := range []bool{false, true} {
		sc, a := trackingNode(t, backend.Config{})
		a.answerAlways("$1\r\n1\r\n")
		sc.track("client", broadcast)
		s := sc.session("client")
		for i := range 2 {
			s.say(resp.AppendCommand(nil, "GET", "foo"))
			poll(t, "the reply", func() bool { return s.pipe.Len() == 0 && s.replies() > i })
			for range 3 {
				flush(s.pipe.Forget(nil))
			}
		}
		want := 2
		if broadcast {
			want = 6
		}
		poll(t, "the replies and pushes", func() bool { return s.replies() >= 2+want })
		if told := strings.Count(string(s.take()), "null"); told != want {
			t.Errorf("broadcast=%t: told %d times, want %d", broadcast, told, want)
		}
	}
}

// TestTrackingLeavesNothing: lanes end with tracking and with the session, and later requests travel over shared ones.
func TestTrackingLeavesNothing(t *testing.T) {
	sc, a := trackingNode(t, backend.Config{})
	a.answerAlways("+OK\r\n")
	shared := sc.session("other")
	shared.do(t, "GET", "foo")
	for range 20 {
		sc.track("client", false)
		s := sc.session("client")
		s.do(t, "GET", "foo")
		if a.connections() < 2 {
			t.Fatal("the session has no lane of its own")
		}
		if !s.pipe.Track(nil).End() {
			t.Error("nothing is forgotten")
		}
		s.do(t, "GET", "foo")
		sc.track("client", false)
		s.do(t, "GET", "foo")
		s.close()
		delete(sc.sessions, "client")
	}
	poll(t, "the end of all lanes but the shared ones", func() bool { return a.connections() <= 2 })
	sc.rig.d.tracking.each(func(*Pipeline) { t.Error("a session that has ended tracks") })
}
