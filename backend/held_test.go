package backend

import (
	"errors"
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// heard is a Handler that passes on what it is told.
type heard struct {
	replies chan string
	lost    chan *LostError
}

func newHeard() *heard { return &heard{make(chan string, 8), make(chan *LostError, 8)} }

func (h *heard) Replied(run []Reply, _ *Chunk) Flusher {
	for _, r := range run {
		h.replies <- string(r.Bytes)
	}
	return nil
}

func (h *heard) Failed(_ *Task, lost *LostError) Flusher {
	h.lost <- lost
	return nil
}

// post sends a command over l as its holder's, with the question for the connection's number if that is not known.
func (h *heard) post(l *Lease, args ...string) {
	var list TaskList
	l.Identify(&list)
	list.Push(&Task{Wire: resp.AppendCommand(nil, args...), Handler: h})
	l.Post(&list)
}

// TestHoldIsLimited: so many and no more, until one is released.
func TestHoldIsLimited(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	p := startPool(t, Config{IdleLeases: 1, MaxLeases: 2})
	n := p.Node(c.Node(0).Addr)
	held := []*Lease{n.Hold(MakeProfile(Profile{})), n.Hold(MakeProfile(Profile{}))}
	h := newHeard()
	for _, l := range held {
		h.post(l, "PING")
		if got := receive(t, "the reply", h.replies); got != "+PONG\r\n" {
			t.Errorf("%q", got)
		}
	}
	over := n.Hold(MakeProfile(Profile{}))
	h.post(over, "PING")
	if lost := receive(t, "the failure", h.lost); !errors.Is(lost, ErrTooManyLeases) || lost.Sent || lost.Addr != n.Addr {
		t.Errorf("%+v", lost)
	}
	if _, err := over.Do(t.Context(), resp.AppendCommand(nil, "PING")); !errors.Is(err, ErrTooManyLeases) {
		t.Errorf("%v", err)
	}
	over.Release()
	if s := n.Stats(); s.Held != 2 || s.HeldRefused != 1 {
		t.Errorf("%d are held, %d were refused", s.Held, s.HeldRefused)
	}
	brief := n.Lease(MakeProfile(Profile{})) // is none of them
	wantDo(t, brief, "*1\r\n$4\r\nPING\r\n", "+PONG\r\n")
	brief.Release()
	held[0].Release()
	held[0].Release()
	again := n.Hold(MakeProfile(Profile{}))
	h.post(again, "PING")
	if got := receive(t, "the reply", h.replies); got != "+PONG\r\n" {
		t.Errorf("%q", got)
	}
	again.Release()
	held[1].Release()
	if s := n.Stats(); s.Held != 0 {
		t.Errorf("%d are held", s.Held)
	}
}

// TestIdentify: a connection's number is asked for once, and stays known to its next holder.
func TestIdentify(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	p := startPool(t, Config{IdleLeases: 1})
	n, h := p.Node(c.Node(0).Addr), newHeard()
	first := int64(0)
	for range 3 {
		l := n.Hold(MakeProfile(Profile{}))
		h.post(l, "CLIENT", "ID")
		want := receive(t, "the reply", h.replies)
		if got := string(resp.AppendInt(nil, l.ID())); got != want || l.ID() == 0 {
			t.Errorf("the number is %q, and CLIENT ID says %q", got, want)
		}
		if first == 0 {
			first = l.ID()
		}
		if l.ID() != first {
			t.Error("it is another connection")
		}
		l.Release()
	}
	if got := c.Node(0).Executed("hello"); got != 1 {
		t.Errorf("it was asked for %d times", got)
	}
}

// TestCut fails what is under way.
func TestCut(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	p := startPool(t, Config{IdleLeases: 1})
	silent := c.Node(0)
	silent.HoldReplies()
	t.Cleanup(silent.ReleaseReplies)
	n, h := p.Node(silent.Addr), newHeard()
	l := n.Hold(MakeProfile(Profile{}))
	h.post(l, "PING")
	eventually(t, "the question", func() bool { return silent.Executed("ping") > 0 })
	l.Cut()
	if lost := receive(t, "the failure", h.lost); !lost.Sent || !errors.Is(lost, ErrClosed) {
		t.Errorf("%+v", lost)
	}
	h.post(l, "PING")
	if lost := receive(t, "the failure", h.lost); lost.Sent {
		t.Errorf("%+v", lost)
	}
	l.Release()
	awaitLeases(t, n, 0, 0)
}

// TestLeasesLinger: those that are too many are kept for a while.
func TestLeasesLinger(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	for _, linger := range []time.Duration{time.Hour, 50 * time.Millisecond} {
		n := startPool(t, Config{IdleLeases: 2, LeaseLinger: linger}).Node(c.Node(0).Addr)
		for range 2 {
			leases := make([]*Lease, 8)
			for i := range leases {
				leases[i] = n.Lease(MakeProfile(Profile{}))
				wantDo(t, leases[i], "*1\r\n$4\r\nPING\r\n", "+PONG\r\n")
			}
			for _, l := range leases {
				l.Release()
			}
		}
		if linger < time.Hour {
			awaitLeases(t, n, 2, 2)
		} else if s := n.Stats(); s.Connects != 8 {
			t.Errorf("%d connects", s.Connects)
		}
	}
}
