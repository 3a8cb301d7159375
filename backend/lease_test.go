package backend

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

func (p *Pool) lease(addr string, profile Profile) *Lease {
	return p.Node(addr).Lease(MakeProfile(profile))
}

// wantDo sends a command over a lease and checks the reply.
func wantDo(t *testing.T, l *Lease, wire, want string) {
	t.Helper()
	reply, err := l.Do(t.Context(), []byte(wire))
	if err != nil || string(reply) != want {
		t.Fatalf("%.60q: %.60q, %v; want %.60q", wire, reply, err, want)
	}
}

// wantLostDo sends a command over a lease that fails.
func wantLostDo(ctx context.Context, t *testing.T, l *Lease, sent bool, cause error) {
	t.Helper()
	reply, err := l.Do(ctx, []byte("*1\r\n$4\r\nPING\r\n"))
	lost := (*LostError)(nil)
	switch {
	case !errors.As(err, &lost):
		t.Fatalf("reply %.60q, error %v", reply, err)
	case lost.Sent != sent:
		t.Errorf("%v: sent %t, want %t", err, lost.Sent, sent)
	case cause != nil && !errors.Is(err, cause):
		t.Errorf("%v, want %v", err, cause)
	case lost.Addr != l.node.Addr:
		t.Errorf("%v is of %q", err, lost.Addr)
	}
}

// leased returns how many idle leases the node has, and how many in all.
func (n *Node) leased() (idle, all int) {
	n.leases.mu.Lock()
	defer n.leases.mu.Unlock()
	return len(n.leases.idle), len(n.leases.all)
}

func awaitLeases(t *testing.T, n *Node, idle, all int) {
	t.Helper()
	eventually(t, "the leases to be as many as they should", func() bool {
		i, a := n.leased()
		return i == idle && a == all
	})
}

// TestLeaseIsKept gives a connection back and gets it again, unless the profile is another.
func TestLeaseIsKept(t *testing.T) {
	e := startEcho(t, nil)
	p := startPool(t, Config{IdleLeases: 2})
	a := p.lease(e.addr, Profile{})
	wantDo(t, a, "$1\r\na\r\n", "$1\r\na\r\n")
	first := a.runner
	a.Release()
	a.Release()
	if b := p.lease(e.addr, Profile{DB: 0}); b.runner != first {
		t.Error("the idle connection was not used again")
	} else {
		wantDo(t, b, "+b\r\n", "+b\r\n")
		c := p.lease(e.addr, Profile{})
		if c.runner == first {
			t.Fatal("one connection has two holders")
		}
		wantDo(t, c, "+c\r\n", "+c\r\n")
		b.Release()
		c.Release()
	}
	if s := p.Node(e.addr).Stats(); s.Connects != 2 || s.Connected != 2 || s.InFlight != 0 || s.Node.Count() != 3 || s.Total.Count() != 3 {
		t.Errorf("%+v", s)
	}
	awaitLeases(t, p.Node(e.addr), 2, 2)
}

// TestIdleLeasesAreFew releases more than are kept: the one that rested longest is closed.
func TestIdleLeasesAreFew(t *testing.T) {
	e := startEcho(t, nil)
	for _, limit := range []int{0, 1, 3} {
		p := startPool(t, Config{IdleLeases: limit})
		var leases []*Lease
		for range 5 {
			l := p.lease(e.addr, Profile{})
			wantDo(t, l, "+OK\r\n", "+OK\r\n")
			leases = append(leases, l)
		}
		last := leases[4].runner
		for _, l := range leases {
			l.Release()
		}
		awaitLeases(t, p.Node(e.addr), limit, limit)
		if l := p.lease(e.addr, Profile{}); limit > 0 && l.runner != last {
			t.Error("not the one that was used last")
		}
		if s := p.Node(e.addr).Stats(); s.Connects != 5 || s.Losses != 0 || s.Node.Count() != 5 {
			t.Errorf("the figures of those that were closed are lost: %+v", s)
		}
	}
}

// TestLeaseThatIsNotClean is closed, never given to another.
func TestLeaseThatIsNotClean(t *testing.T) {
	for name, soil := range map[string]func(t *testing.T, l *Lease){
		"unused": func(*testing.T, *Lease) {},
		"spoiled": func(t *testing.T, l *Lease) {
			wantDo(t, l, "+OK\r\n", "+OK\r\n")
			l.Spoil()
		},
		"interrupted": func(t *testing.T, l *Lease) {
			wantDo(t, l, "+OK\r\n", "+OK\r\n")
			ctx, cancel := context.WithCancel(t.Context())
			told := make(chan error, 1)
			// Half a reply: it will never be whole.
			go func() { told <- errOf(l.Do(ctx, []byte("$10\r\nhalf"))) }()
			eventually(t, "the command to be under way", func() bool { return l.node.InFlight() == 1 })
			cancel()
			if err := receive(t, "the end of the interrupted command", told); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			wantLostDo(t.Context(), t, l, false, ErrClosed)
		},
		"interrupted before": func(t *testing.T, l *Lease) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			wantLostDo(ctx, t, l, false, context.Canceled)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEcho(t, nil)
			p := startPool(t, Config{IdleLeases: 5})
			l := p.lease(e.addr, Profile{})
			soil(t, l)
			l.Release()
			awaitLeases(t, p.Node(e.addr), 0, 0)
			if p.Node(e.addr).Failing() {
				t.Error("the node counts as failing")
			}
			fresh := p.lease(e.addr, Profile{})
			wantDo(t, fresh, "+fresh\r\n", "+fresh\r\n")
			fresh.Release()
			awaitLeases(t, p.Node(e.addr), 1, 1)
		})
	}
}

// TestLeaseLostAtEveryByte cuts the node's stream after each number of bytes of two replies.
func TestLeaseLostAtEveryByte(t *testing.T) {
	const first, second = "*2\r\n$3\r\nabc\r\n:1\r\n", "+OK\r\n"
	for cut := range len(first + second) {
		var cuts atomic.Int32
		cuts.Store(int32(cut))
		e := startEcho(t, func() int { return int(cuts.Swap(1 << 20)) })
		p := startPool(t, Config{IdleLeases: 1})
		l := p.lease(e.addr, Profile{})
		if cut < len(first) {
			if reply, err := l.Do(t.Context(), []byte(first)); err == nil {
				t.Fatalf("cut after %d bytes: %q", cut, reply)
			}
		} else {
			wantDo(t, l, first, first)
			if reply, err := l.Do(t.Context(), []byte(second)); err == nil {
				t.Fatalf("cut after %d bytes: %q", cut, reply)
			}
		}
		wantLostDo(t.Context(), t, l, false, ErrClosed)
		l.Release()
		awaitLeases(t, p.Node(e.addr), 0, 0)
		again := p.lease(e.addr, Profile{})
		wantDo(t, again, first, first)
		again.Release()
	}
}

// TestIdleLeaseThatEnds is not given to anybody, and is no sign of a failing node.
func TestIdleLeaseThatEnds(t *testing.T) {
	end := make(chan struct{})
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		{redistest.ExpectN(1), redistest.Reply("+OK\r\n"), redistest.Await(end), redistest.Close()},
		{redistest.ExpectN(1), redistest.Reply("+again\r\n"), redistest.AwaitClose()},
	}})
	p := startPool(t, Config{IdleLeases: 1})
	l := p.lease(node.Addr, Profile{})
	ping := string(resp.AppendCommand(nil, "PING"))
	wantDo(t, l, ping, "+OK\r\n")
	l.Release()
	close(end)
	awaitLeases(t, p.Node(node.Addr), 0, 0)
	if p.Node(node.Addr).Failing() {
		t.Error("the node counts as failing")
	}
	again := p.lease(node.Addr, Profile{})
	wantDo(t, again, ping, "+again\r\n")
	again.Release()
}

// TestLeasePushes are handed over in order, and answer nothing.
func TestLeasePushes(t *testing.T) {
	e := startEcho(t, nil)
	p := startPool(t, Config{IdleLeases: 1})
	l := p.lease(e.addr, Profile{})
	wantDo(t, l, ">1\r\n+passed over\r\n+OK\r\n", "+OK\r\n")
	var pushes []string
	l.OnPush(func(push []byte) { pushes = append(pushes, string(push)) })
	wantDo(t, l, ">1\r\n+a\r\n>1\r\n+b\r\n+OK\r\n", "+OK\r\n")
	if got := strings.Join(pushes, ""); got != ">1\r\n+a\r\n>1\r\n+b\r\n" {
		t.Errorf("%q", got)
	}
	l.Release()
	next := p.lease(e.addr, Profile{})
	wantDo(t, next, ">1\r\n+c\r\n+OK\r\n", "+OK\r\n")
	if len(pushes) != 2 {
		t.Error("a push for a later holder came to the earlier one")
	}
}

// TestLeaseRefused passes a refusal of the profile on.
func TestLeaseRefused(t *testing.T) {
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		{redistest.ExpectN(1), redistest.Reply("-WRONGPASS no\r\n"), redistest.AwaitClose()}}})
	p := startPool(t, Config{})
	l := p.lease(node.Addr, Profile{Password: "x"})
	refused := (*HandshakeError)(nil)
	if _, err := l.Do(t.Context(), []byte("x")); !errors.As(err, &refused) || refused.Text != "WRONGPASS no" {
		t.Error(err)
	}
	l.Release()
	awaitLeases(t, l.node, 0, 0)
}

// TestLeaseAsking sends ASKING in front, whose reply is nobody's.
func TestLeaseAsking(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(redistest.Expect("ASKING"), redistest.Expect("GET", "k"),
		redistest.Reply("-ERR no\r\n+v\r\n"), redistest.AwaitClose()))
	p := startPool(t, Config{})
	l := p.lease(node.Addr, Profile{})
	reply, chunk, err := l.Ask(t.Context(), Task{Wire: resp.AppendCommand(nil, "GET", "k"), Asking: true})
	if err != nil || string(reply) != "+v\r\n" || chunk != nil {
		t.Errorf("%q, %v, %v", reply, chunk, err)
	}
	l.Release()
}
