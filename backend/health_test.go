package backend

import (
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
)

// TestLossOfOneAmongSeveral: a node that ends one connection, and goes on over another, is failing for a moment only; one of
// which none is left stays so.
func TestLossOfOneAmongSeveral(t *testing.T) {
	cut := []chan struct{}{make(chan struct{}), make(chan struct{})}
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		{redistest.Expect("GET", "a"), redistest.Reply("+a\r\n"), redistest.Await(cut[0]), redistest.Close()},
		{redistest.Expect("READONLY"), redistest.Reply("+OK\r\n"), redistest.Expect("GET", "b"), redistest.Reply("+b\r\n"),
			redistest.Await(cut[1]), redistest.Close()},
	}})
	p := NewPool(Config{Lanes: 1, ConnectTimeout: patience})
	defer p.Close()
	n := p.Node(node.Addr)
	c := newCaller(t)
	lanes := []*TaskRunner{p.lane(node.Addr, Profile{}), p.lane(node.Addr, Profile{ReadOnly: true})}
	for i, key := range []string{"a", "b"} {
		get := c.call("GET", key)
		send(t, lanes[i], get)
		get.wantReply(t, "+"+key+"\r\n")
	}
	for i, lane := range lanes {
		close(cut[i])
		lane.awaitDown(t)
		at := n.failedAt.Load()
		for _, look := range []struct {
			after   time.Duration
			failing bool
		}{{wellAfter - time.Millisecond, true}, {wellAfter, i == 1}, {time.Hour, i == 1}} {
			if p.listen(at + int64(look.after)); n.Failing() != look.failing {
				t.Errorf("%d connections lost, %v later: failing %t", i+1, look.after, n.Failing())
			}
		}
	}
}
