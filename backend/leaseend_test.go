package backend

import (
	"context"
	"testing"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// TestLeaseEndsWithNode: dropped, reset or with the pool closed, what waits is told and nothing is taken any more.
func TestLeaseEndsWithNode(t *testing.T) {
	for name, end := range map[string]func(*Pool, *Node){
		"drop":  func(p *Pool, n *Node) { p.Drop(n) },
		"reset": func(_ *Pool, n *Node) { n.Reset() },
		"close": func(p *Pool, _ *Node) { p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
				{redistest.ExpectN(1), redistest.Reply("+OK\r\n"), redistest.AwaitClose()},
				{redistest.ExpectN(1), redistest.AwaitClose()},
			}})
			p := startPool(t, Config{IdleLeases: 1})
			ping := resp.AppendCommand(nil, "PING")
			idle, busy := p.lease(node.Addr, Profile{}), p.lease(node.Addr, Profile{})
			n := idle.node
			wantDo(t, idle, string(ping), "+OK\r\n")
			told := make(chan error, 1)
			go func() { told <- errOf(busy.Do(t.Context(), ping)) }()
			eventually(t, "the command to be under way", func() bool { return n.InFlight() == 1 && busy.runner.hasWritten() })
			idle.Release()
			end(p, n)
			if err := receive(t, "the end of what waits", told); err == nil {
				t.Error("a reply came from nowhere")
			}
			busy.Release()
			awaitLeases(t, n, 0, 0)
			awaitScript(t, node)
			if name != "reset" {
				late := n.Lease(MakeProfile(Profile{}))
				wantLostDo(t.Context(), t, late, false, ErrClosed)
				late.Release()
			}
		})
	}
}

func errOf(_ []byte, err error) error { return err }

// hasWritten reports whether something was sent over the present connection.
func (r *TaskRunner) hasWritten() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.link != nil && r.link.conn.Written() > 0
}

// TestLeaseInterruptedWhileConnecting does not wait for a node that does not shake hands.
func TestLeaseInterruptedWhileConnecting(t *testing.T) {
	shaking := make(chan struct{})
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		{redistest.ExpectN(1), redistest.Do(func() { close(shaking) }), redistest.AwaitClose()}}})
	p := startPool(t, Config{ConnectTimeout: patience})
	l := p.lease(node.Addr, Profile{Password: "x"})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-shaking
		cancel()
	}()
	wantLostDo(ctx, t, l, true, context.Canceled)
	l.Release()
	awaitScript(t, node) // the connection was closed
	awaitLeases(t, l.node, 0, 0)
	if l.node.Failing() {
		t.Error("the node counts as failing")
	}
}
