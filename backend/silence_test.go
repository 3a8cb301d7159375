package backend

import (
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
)

// TestSilentNode has nodes say nothing for a while. Both are called silent. What waits at a replica is given back, all but what may be
// what it works on; a primary keeps what it has, and late replies come to whoever still waits.
func TestSilentNode(t *testing.T) {
	for _, tc := range []struct {
		name  string
		at    Profile
		brief bool // the first one
		lost  int  // from which call on they are given back
	}{
		{"a primary", Profile{}, true, 3},
		{"a replica with a long command", Profile{ReadOnly: true}, false, 1},
		{"a replica that stands still", Profile{ReadOnly: true}, true, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			speak := make(chan struct{})
			node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(3),
				redistest.Await(speak), redistest.Reply(":0\r\n:1\r\n:2\r\n"), redistest.Expect("GET", "3"), redistest.Reply(":3\r\n")))
			p := NewPool(Config{Lanes: 1, ConnectTimeout: patience})
			defer p.Close()
			told := map[*Node]int{}
			p.OnSilence(func(n *Node) { told[n]++ })
			lane := p.lane(node.Addr, tc.at)
			c := newCaller(t)
			calls := []*call{c.call("GET", "0"), c.call("GET", "1"), c.call("GET", "2")}
			calls[0].Brief = tc.brief
			send(t, lane, calls...)
			eventually(t, "they are written", func() bool {
				lane.mu.Lock()
				defer lane.mu.Unlock()
				return lane.state == stateUp && lane.pending == 0
			})
			lane.mu.Lock()
			began := lane.queue.at(0).sent
			lane.mu.Unlock()
			p.listen(began)
			if lane.node.Silent() {
				t.Error("silent at once")
			}
			p.listen(began + int64(silentAfter))
			if !lane.node.Silent() || told[lane.node] != 1 {
				t.Errorf("silent %t, told %d times", lane.node.Silent(), told[lane.node])
			}
			if order := c.order(); len(order) != 0 {
				t.Errorf("%d were given back already", len(order))
			}
			p.listen(began + int64(forsakenAfter+time.Millisecond))
			for i := tc.lost; i < len(calls); i++ {
				calls[i].wantLost(t, true, ErrSilent)
			}
			if order := c.order(); len(order) != len(calls)-tc.lost {
				t.Errorf("%d were given back, want %d", len(order), len(calls)-tc.lost)
			}
			close(speak)
			for i, k := range calls[:tc.lost] {
				k.wantReply(t, []string{":0\r\n", ":1\r\n", ":2\r\n"}[i])
			}
			after := c.call("GET", "3")
			send(t, lane, after)
			after.wantReply(t, ":3\r\n")
			p.listen(Now())
			if lane.node.Silent() {
				t.Error("silent though it answers")
			}
		})
	}
}
