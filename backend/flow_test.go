package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// drain takes all pieces and joins them; first is the first one.
func (f *Flow) drain(ctx context.Context) (first, all string, err error) {
	var b strings.Builder
	for n := 0; ; n++ {
		p, ok, err := f.Next(ctx)
		if !ok {
			return first, b.String(), err
		}
		if n == 0 {
			first = string(p.Bytes)
		}
		b.Write(p.Bytes)
		p.Chunk.Release()
	}
}

// numbered is an array of n bulk strings of size bytes.
func numbered(n, size int) string {
	b := resp.AppendArrayHeader(nil, n)
	for i := range n {
		b = resp.AppendBulkString(b, fmt.Sprintf("%0*d", size, i))
	}
	return string(b)
}

// TestFlow hands over replies of all kinds as they are, the header of an aggregate first, and the lease is as good as new.
func TestFlow(t *testing.T) {
	e := startEcho(t, nil)
	p := startPool(t, Config{IdleLeases: 1})
	for _, c := range []struct{ reply, first string }{
		{"*0\r\n", "*0\r\n"},
		{"*2\r\n$1\r\na\r\n:5\r\n", "*2\r\n"},
		{"%1\r\n+k\r\n*2\r\n:1\r\n$-1\r\n", "%1\r\n"},
		{"~1\r\n+k\r\n", "~1\r\n"},
		{"-ERR no\r\n", "-ERR no\r\n"},
		{"+OK\r\n", "+OK\r\n"},
		{"*-1\r\n", "*-1\r\n"},
		{"$5\r\nhello\r\n", "$5\r\nhello\r\n"},
		{numbered(3, 100_000), "*3\r\n"},
		{numbered(200_000, 20), "*200000\r\n"},
	} {
		l := p.lease(e.addr, Profile{})
		f := l.Flow(Task{Wire: []byte(c.reply)})
		if err := f.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		first, all, err := f.drain(t.Context())
		if err != nil || first != c.first || all != c.reply {
			t.Errorf("%.40q: the first piece is %.40q, all are %d bytes %.40q, %v", c.reply, first, len(all), all, err)
		}
		if f.Waits() || !f.Over() {
			t.Errorf("%.40q: waits %t, over %t", c.reply, f.Waits(), f.Over())
		}
		wantDo(t, l, "+next\r\n", "+next\r\n")
		l.Release()
		awaitLeases(t, p.Node(e.addr), 1, 1)
	}
	if st := p.Node(e.addr).Stats(); st.Connects != 1 || st.InFlight != 0 || st.Errors != 1 || st.Total.Count() != 20 {
		t.Errorf("%+v", st)
	}
}

// TestFlowBytewise: what arrives in however small pieces, with pushes around it, is the same.
func TestFlowBytewise(t *testing.T) {
	const reply = "*3\r\n$3\r\nabc\r\n*1\r\n+x\r\n:1\r\n"
	node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(1),
		redistest.ReplyBytewise(">1\r\n+a\r\n"+reply+">1\r\n+b\r\n"), redistest.ExpectN(1), redistest.Reply("+OK\r\n"), redistest.AwaitClose()))
	p := startPool(t, Config{IdleLeases: 1})
	l := p.lease(node.Addr, Profile{})
	var pushes []string
	l.OnPush(func(push []byte) { pushes = append(pushes, string(push)) })
	ping := resp.AppendCommand(nil, "PING")
	if _, all, err := l.Flow(Task{Wire: ping}).drain(t.Context()); err != nil || all != reply {
		t.Fatalf("%q, %v", all, err)
	}
	wantDo(t, l, string(ping), "+OK\r\n")
	if got := strings.Join(pushes, ""); got != ">1\r\n+a\r\n>1\r\n+b\r\n" {
		t.Errorf("pushes: %q", got)
	}
	l.Release()
}

// TestFlowIsBounded: a node whose reply nobody takes has to wait.
func TestFlowIsBounded(t *testing.T) {
	e := startEcho(t, nil)
	p := startPool(t, Config{IdleLeases: 1})
	l := p.lease(e.addr, Profile{})
	reply := numbered(500_000, 20)
	f := l.Flow(Task{Wire: []byte(reply)})
	if err := f.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for {
		piece, ok, err := f.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		b.Write(piece.Bytes)
		piece.Chunk.Release()
		f.mu.Lock()
		held := f.held
		f.mu.Unlock()
		if held > FlowWindow+64<<10 {
			t.Fatalf("%d bytes wait", held)
		}
	}
	if b.String() != reply {
		t.Errorf("%d bytes came of %d", b.Len(), len(reply))
	}
	l.Release()
}

// TestFlowBrokenOff cuts the node's connection after each number of bytes: nothing less than the whole reply looks whole.
func TestFlowBrokenOff(t *testing.T) {
	reply := numbered(3, 5)
	for cut := range len(reply) {
		e := startEcho(t, func() int { return cut })
		p := startPool(t, Config{IdleLeases: 1})
		l := p.lease(e.addr, Profile{})
		f := l.Flow(Task{Wire: []byte(reply)})
		lost := (*LostError)(nil)
		if err := f.Begin(t.Context()); !errors.As(err, &lost) || lost.Addr != e.addr || !lost.Sent && cut > 0 {
			t.Fatalf("cut after %d bytes: %v", cut, err)
		}
		if _, all, err := f.drain(t.Context()); !errors.As(err, &lost) {
			t.Fatalf("cut after %d bytes: %q, %v", cut, all, err)
		}
		l.Release()
		awaitLeases(t, p.Node(e.addr), 0, 0)
	}
}

// TestFlowClosedByTheNode in good order is as broken off as by a reset.
func TestFlowClosedByTheNode(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(1), redistest.Reply("*2\r\n:1\r\n"), redistest.Close()))
	p := startPool(t, Config{})
	l := p.lease(node.Addr, Profile{})
	lost := (*LostError)(nil)
	if first, all, err := l.Flow(Task{Wire: resp.AppendCommand(nil, "PING")}).drain(t.Context()); !errors.As(err, &lost) {
		t.Errorf("%q, %q, %v", first, all, err)
	}
	l.Release()
}

// TestFlowGivenUp: a flow that is released, or whose taker's time is over, closes its connection, paused or not.
func TestFlowGivenUp(t *testing.T) {
	for name, giveUp := range map[string]func(t *testing.T, f *Flow){
		"at once":    func(*testing.T, *Flow) {},
		"when full":  func(t *testing.T, f *Flow) { must(t, f.Begin(t.Context())) },
		"in the end": func(t *testing.T, f *Flow) { _, _, _ = f.drain(t.Context()) },
		"by context": func(t *testing.T, f *Flow) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			for f.err(ctx) == nil {
			}
			if err := f.err(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, ErrClosed) {
				t.Errorf("%v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEcho(t, nil)
			p := startPool(t, Config{IdleLeases: 1})
			l := p.lease(e.addr, Profile{})
			f := l.Flow(Task{Wire: []byte(numbered(200_000, 20))})
			giveUp(t, f)
			kept := 0
			if f.Over() {
				kept = 1
			}
			l.Release()
			awaitLeases(t, p.Node(e.addr), kept, kept)
			if p.Node(e.addr).Failing() {
				t.Error("the node counts as failing")
			}
		})
	}
}

// err takes a piece and returns the error.
func (f *Flow) err(ctx context.Context) error {
	_, _, err := f.Next(ctx)
	return err
}

// TestFlowBudget bounds a part, not the whole.
func TestFlowBudget(t *testing.T) {
	e := startEcho(t, nil)
	p := startPool(t, Config{IdleLeases: 1})
	for _, c := range []struct {
		reply string
		want  error
	}{
		{numbered(1000, 20), nil},
		{numbered(2, 100_000), ErrTooLong},
		{"$100000\r\n" + strings.Repeat("x", 100_000) + "\r\n", ErrTooLong},
		{"+" + strings.Repeat("x", 100_000) + "\r\n", ErrTooLong},
	} {
		l := p.lease(e.addr, Profile{})
		l.Keep(NewBudget(5000))
		if _, all, err := l.Flow(Task{Wire: []byte(c.reply)}).drain(t.Context()); !errors.Is(err, c.want) || err == nil && all != c.reply {
			t.Errorf("%.30q: %d bytes, %v", c.reply, len(all), err)
		}
		l.Release()
	}
}

// TestFlowOfClosedNode fails at once.
func TestFlowOfClosedNode(t *testing.T) {
	e := startEcho(t, nil)
	p := startPool(t, Config{})
	n := p.Node(e.addr)
	p.Drop(n)
	l := n.Lease(MakeProfile(Profile{}))
	if err := l.Flow(Task{Wire: []byte("+x\r\n")}).Begin(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	l.Release()
}
