package backend

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"redis-cluster-proxy/internal/netio"
	"redis-cluster-proxy/internal/redistest"
)

// crowd is many sessions that share lanes.
type crowd struct {
	sessions, calls int // calls of each session
	window          int // how many of a session's calls are under way at once
	size            func() int
	wire            func(c *caller, text string) *call
	reply           func(text string) string
	lost            bool // calls may be lost
}

// run has every session of the crowd make its calls. It checks that each gets
// its own reply, or fails once, in the order of the session.
func (w crowd) run(t *testing.T, lane func(session int) *TaskRunner) (replied, lost int64) {
	var wg sync.WaitGroup
	var replies, failures atomic.Int64
	for session := range w.sessions {
		wg.Go(func() {
			r, l := w.session(t, session, lane(session))
			replies.Add(int64(r))
			failures.Add(int64(l))
		})
	}
	wg.Wait()
	return replies.Load(), failures.Load()
}

func (w crowd) session(t *testing.T, id int, lane *TaskRunner) (replied, lost int) {
	c := newCaller(t)
	var calls []*call
	var texts []string
	waited := 0
	for len(calls) < w.calls {
		for range 1 + rand.N(w.window) {
			text := fmt.Sprintf("%d-%d-%s", id, len(calls), strings.Repeat(string(rune('a'+id%26)), w.size()))
			k := w.wire(c, text)
			if rand.N(3) == 0 {
				k.WireChunk = chunkOf(k)
			}
			calls, texts = append(calls, k), append(texts, text)
			for !lane.Enqueue(&k.Task) { // while it tells others of a loss
				if !w.lost || lane.Closed() {
					t.Error("refused")
					return
				}
				runtime.Gosched()
			}
			if rand.N(4) == 0 {
				lane.Flush()
			}
		}
		lane.Flush()
		for len(calls)-waited > w.window || len(calls) >= w.calls && waited < len(calls) {
			receive(t, "a reply", calls[waited].done)
			waited++
		}
	}
	for i, k := range c.order() {
		switch {
		case k != calls[i]:
			t.Errorf("session %d: call %d ended in the place of another", id, i)
			return
		case k.lost != nil:
			lost++
			if !w.lost {
				t.Errorf("session %d: call %d was lost: %v", id, i, k.lost)
			}
		case k.reply != w.reply(texts[i]):
			t.Errorf("session %d: call %d got %.40q", id, i, k.reply)
		default:
			replied++
		}
		if k.WireChunk != nil {
			k.WireChunk.Release()
		}
	}
	if len(calls) != replied+lost && !t.Failed() {
		t.Errorf("session %d: %d outcomes of %d calls", id, replied+lost, len(calls))
	}
	return replied, lost
}

// chunkOf moves a call's bytes to a chunk that is used again after its last
// Release.
func chunkOf(k *call) *Chunk {
	chunk := netio.NewChunk(len(k.Wire))
	k.Wire = chunk.B[:copy(chunk.B, k.Wire)]
	return chunk
}

// echoed has the crowd call an echo: each call is its own reply.
func echoed(w crowd) crowd {
	w.reply = func(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) }
	w.wire = func(c *caller, text string) *call { return c.raw(w.reply(text)) }
	return w
}

func mixedSizes() int {
	switch rand.N(40) {
	case 0:
		return rand.N(100 << 10)
	case 1, 2, 3:
		return rand.N(10 << 10)
	}
	return rand.N(100)
}

// TestCrowd has many sessions use few lanes at once: nothing waits for ever,
// nobody gets another's reply.
func TestCrowd(t *testing.T) {
	node := startEcho(t, nil)
	p := startPool(t, Config{Lanes: 2})
	w := echoed(crowd{sessions: 24, calls: 300, window: 20, size: mixedSizes})
	w.run(t, func(i int) *TaskRunner { return p.Node(node.addr).Lane(MakeProfile(Profile{}), uint32(i)) })
	if n := p.Node(node.addr).InFlight(); n != 0 {
		t.Errorf("%d in flight at the end", n)
	}
}

// TestCrowdOneByOne has sessions that wait for each reply: a lane that held a
// task back without need would stop them all.
func TestCrowdOneByOne(t *testing.T) {
	node := startEcho(t, nil)
	p := startPool(t, Config{})
	w := echoed(crowd{sessions: 16, calls: 200, window: 1, size: func() int { return rand.N(50) }})
	w.run(t, func(int) *TaskRunner { return p.lane(node.addr, Profile{}) })
}

// TestCrowdWithCuts cuts connections after random bytes of the replies.
func TestCrowdWithCuts(t *testing.T) {
	node := startEcho(t, func() int { return rand.N(rand.N(400<<10) + 1) })
	p := startPool(t, Config{Lanes: 2})
	w := echoed(crowd{sessions: 16, calls: 300, window: 20, size: mixedSizes, lost: true})
	replied, lost := w.run(t, func(i int) *TaskRunner { return p.Node(node.addr).Lane(MakeProfile(Profile{}), uint32(i)) })
	if replied == 0 || lost == 0 {
		t.Errorf("%d replies and %d losses: the cuts are too many or too few", replied, lost)
	}
}

// TestCrowdWithResets ends connections from this side, and tasks' time as well.
func TestCrowdWithResets(t *testing.T) {
	node := startEcho(t, nil)
	p := startPool(t, Config{})
	lane := p.lane(node.addr, Profile{})
	w := echoed(crowd{sessions: 16, calls: 300, window: 20, size: mixedSizes, lost: true})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for replies := uint64(0); ; runtime.Gosched() {
			select {
			case <-stop:
				return
			default:
			}
			s := lane.node.Stats()
			if n := s.Node.Count(); n > replies+50 { // of each connection some
				replies = n
				lane.Reset()
			}
		}
	})
	replied, lost := w.run(t, func(int) *TaskRunner { return lane })
	close(stop)
	wg.Wait()
	if replied == 0 || lost == 0 {
		t.Errorf("%d calls got their reply and %d did not", replied, lost)
	}
}

// TestCrowdAtNode has the crowd ask a node of a fake cluster that parses what
// it gets, and cuts connections before and after executing commands.
func TestCrowdAtNode(t *testing.T) {
	cluster := redistest.StartFakeCluster(t, redistest.Primaries(1), redistest.Replicas(0))
	var count atomic.Int64
	cluster.Node(0).Intercept(func(redistest.Request) redistest.Verdict {
		n := count.Add(1)
		return redistest.Verdict{CutBefore: n%701 == 0, CutAfter: n%503 == 0}
	})
	p := startPool(t, Config{Lanes: 2})
	w := crowd{
		sessions: 12, calls: 200, window: 10, lost: true, size: func() int { return rand.N(2000) },
		wire: func(c *caller, text string) *call {
			k := c.call("ECHO", text)
			k.Asking = rand.N(5) == 0
			return k
		},
		reply: func(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) },
	}
	profile := MakeProfile(Profile{Proto: 3, ReadOnly: true})
	if replied, lost := w.run(t, func(i int) *TaskRunner { return p.Node(cluster.Addrs()[0]).Lane(profile, uint32(i)) }); replied == 0 || lost == 0 {
		t.Errorf("%d replies and %d losses: the cuts are too many or too few", replied, lost)
	}
}
