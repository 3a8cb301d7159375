package proxy_test

import (
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// waitingRoom makes the nodes of a fake cluster keep commands that block until the test says what becomes of them.
type waitingRoom struct {
	came chan redistest.Request
	goes chan redistest.Verdict // for the one that came last
	over chan struct{}
}

// openWaitingRoom lets the nodes do so with commands of these names.
func openWaitingRoom(t *testing.T, c *redistest.FakeCluster, names ...string) *waitingRoom {
	t.Helper()
	r := &waitingRoom{make(chan redistest.Request, 16), make(chan redistest.Verdict), make(chan struct{})}
	t.Cleanup(func() { close(r.over) })
	for _, n := range c.Nodes() {
		n.Intercept(func(req redistest.Request) redistest.Verdict {
			for _, name := range names {
				if strings.EqualFold(req.Args[0], name) {
					return r.keep(req)
				}
			}
			return redistest.Verdict{}
		})
	}
	return r
}

func (r *waitingRoom) keep(req redistest.Request) redistest.Verdict {
	r.came <- req
	select {
	case v := <-r.goes:
		return v
	case <-r.over:
		return redistest.Verdict{CutBefore: true}
	}
}

// next waits for a command.
func (r *waitingRoom) next(t *testing.T) redistest.Request {
	t.Helper()
	select {
	case req := <-r.came:
		return req
	case <-time.After(proxytest.Patience):
		t.Fatal("no command came")
		return redistest.Request{}
	}
}

// answered is an answer that is the client's, whatever it says.
func answeredWith(text string) redistest.Verdict { return redistest.Verdict{Error: "ERR " + text} }
