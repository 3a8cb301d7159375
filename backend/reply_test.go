package backend

import (
	"fmt"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/redistest"
)

// bulk is a bulk string of n bytes.
func bulk(n int) string {
	return fmt.Sprintf("$%d\r\n%s\r\n", n, strings.Repeat("0123456789", n/10+1)[:n])
}

// TestReplies sends as many calls as there are replies: each gets its own,
// byte by byte as it came, however the bytes arrive.
func TestReplies(t *testing.T) {
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf(":%d\r\n", i)
	}
	kinds := []string{
		"+OK\r\n", "-ERR no\r\n", ":1\r\n", "$-1\r\n", "$0\r\n\r\n", bulk(5), "*-1\r\n", "*0\r\n",
		"*2\r\n*1\r\n:1\r\n" + bulk(3), "_\r\n", "#t\r\n", ",1.5\r\n", "(12345678901234567890\r\n",
		"!5\r\nERR x\r\n", "=7\r\ntxt:abc\r\n", "%1\r\n+k\r\n:1\r\n", "~1\r\n:1\r\n", "|1\r\n+ttl\r\n:1\r\n+OK\r\n",
	}
	for _, tt := range []struct {
		name    string
		replies []string
		step    func(string) redistest.Step
	}{
		{"all kinds", kinds, func(s string) redistest.Step { return redistest.Reply(s) }},
		{"all kinds in single bytes", kinds, redistest.ReplyBytewise},
		{"more than a batch", many, func(s string) redistest.Step { return redistest.Reply(s) }},
		{"exactly a batch", many[:maxBatch], func(s string) redistest.Step { return redistest.Reply(s) }},
		{"larger than a chunk", []string{bulk(20 << 10), ":1\r\n", bulk(1 << 20), bulk(6 << 20), ":2\r\n"},
			func(s string) redistest.Step { return redistest.Reply(s) }},
		{"an array larger than a chunk", []string{"*20000\r\n" + strings.Repeat(bulk(40), 20000), ":1\r\n"},
			func(s string) redistest.Step { return redistest.Reply(s) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := len(tt.replies)
			node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(n), tt.step(strings.Join(tt.replies, ""))))
			lane := startPool(t, Config{}).lane(node.Addr, Profile{})
			c := newCaller(t)
			calls := make([]*call, n)
			for i := range calls {
				calls[i] = c.call("GET", fmt.Sprint(i))
			}
			send(t, lane, calls...)
			for i, k := range calls {
				k.wantReply(t, tt.replies[i])
			}
			for i, k := range c.order() {
				if k != calls[i] {
					t.Fatalf("%q ended in the place of %q", k.Wire, calls[i].Wire)
				}
			}
			c.awaitFlush(t)
			if got := lane.node.InFlight(); got != 0 {
				t.Errorf("%d in flight at the end", got)
			}
		})
	}
}

// awaitFlush waits until the caller was flushed after its last reply.
func (c *caller) awaitFlush(tb testing.TB) {
	tb.Helper()
	eventually(tb, "a flush after the last reply", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return !c.owed
	})
}

// TestRunsOfOneHandler checks that neighbours come in one call, also a whole
// batch, and that handlers are not mixed.
func TestRunsOfOneHandler(t *testing.T) {
	const n = 3 * maxBatch
	node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(n), redistest.Reply(strings.Repeat("+OK\r\n", n))))
	lane := startPool(t, Config{}).lane(node.Addr, Profile{})
	callers := []*caller{newCaller(t), newCaller(t), newCaller(t)}
	var calls []*call
	for i := range n {
		calls = append(calls, callers[i*i/7%3].call("PING"))
	}
	send(t, lane, calls...)
	for _, k := range calls {
		k.wantReply(t, "+OK\r\n")
	}
	for _, c := range callers {
		c.awaitFlush(t)
	}
}

// TestRetainedReplies keeps references to replies while the connection goes on:
// their bytes stay as they were.
func TestRetainedReplies(t *testing.T) {
	echo := startEcho(t, nil)
	lane := startPool(t, Config{}).lane(echo.addr, Profile{})
	keeper := &keeper{done: make(chan struct{}, 1000)}
	const n = 1000
	for i := range n {
		wire := fmt.Appendf(nil, "$%d\r\n%s\r\n", 3000, strings.Repeat(string(rune('a'+i%26)), 3000))
		if !lane.Enqueue(&Task{Wire: wire, Handler: keeper}) {
			t.Fatal("refused")
		}
		lane.Flush()
	}
	for range n {
		receive(t, "a reply", keeper.done)
	}
	for i, kept := range keeper.kept {
		if want := strings.Repeat(string(rune('a'+i%26)), 3000); !strings.Contains(string(kept.bytes), want) {
			t.Fatalf("reply %d was overwritten", i)
		}
		kept.chunk.Release()
	}
}

// keeper is a Handler that keeps all replies without copying them.
type keeper struct {
	kept []keptReply // owned by the lane's goroutine, then by the test
	done chan struct{}
}

type keptReply struct {
	bytes []byte
	chunk *Chunk
}

func (k *keeper) Replied(run []Reply, chunk *Chunk) Flusher {
	for _, r := range run {
		chunk.Retain()
		k.kept = append(k.kept, keptReply{r.Bytes, chunk})
		k.done <- struct{}{}
	}
	return nil
}

func (k *keeper) Failed(*Task, *LostError) Flusher { panic("a task failed") }

// TestPushes has a node send pushes between replies and when nothing is asked:
// they answer nothing.
func TestPushes(t *testing.T) {
	const push = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"
	sent, again := make(chan struct{}), make(chan struct{})
	node := redistest.StartScript(t, redistest.Conversation(
		redistest.ExpectN(2), redistest.Reply(push, "+one\r\n", push, push, "+two\r\n", push),
		redistest.Await(sent), redistest.ReplyBytewise(push), redistest.Do(func() { close(again) }),
		redistest.ExpectN(1), redistest.Reply(push, "+three\r\n")))
	lane := startPool(t, Config{}).lane(node.Addr, Profile{Proto: 3})
	c := newCaller(t)
	one, two, three := c.call("GET", "1"), c.call("GET", "2"), c.call("GET", "3")
	send(t, lane, one, two)
	one.wantReply(t, "+one\r\n")
	two.wantReply(t, "+two\r\n")
	close(sent)
	receive(t, "the push", again)
	send(t, lane, three)
	three.wantReply(t, "+three\r\n")
	if s := lane.node.Stats(); s.Connects != 1 || s.Node.Count() != 3 {
		t.Errorf("%d connects and %d replies, want 1 and 3", s.Connects, s.Node.Count())
	}
}

// TestWrongReplies has a node say what nobody asked for, or no RESP. What came
// before is handed over and flushed; then the connection ends, and the next task
// gets another one.
func TestWrongReplies(t *testing.T) {
	for _, tt := range []struct{ name, reply string }{
		{"unasked", "+OK\r\n"},
		{"malformed", "?\r\n"},
		{"malformed length", "$x\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hello := []redistest.Step{redistest.ExpectN(1), redistest.Reply("+one\r\n", tt.reply), redistest.AwaitClose()}
			node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
				hello, hello, {redistest.ExpectN(1), redistest.Reply("+three\r\n")}}})
			lane := startPool(t, Config{}).lane(node.Addr, Profile{})
			c := newCaller(t)
			for range 2 {
				k := c.call("GET", "1")
				send(t, lane, k)
				k.wantReply(t, "+one\r\n")
				c.awaitFlush(t)
				lane.awaitDown(t)
			}
			k := c.call("GET", "3")
			send(t, lane, k)
			k.wantReply(t, "+three\r\n")
			if s := lane.node.Stats(); s.Losses != 2 {
				t.Errorf("%d losses, want 2", s.Losses)
			}
		})
	}
}

// TestMalformedFailsTheRest checks that those whose reply did not come before
// the malformed one fail, as sent.
func TestMalformedFailsTheRest(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(3), redistest.Reply("+one\r\n", "?\r\n"), redistest.AwaitClose()))
	lane := startPool(t, Config{}).lane(node.Addr, Profile{})
	c, d := newCaller(t), newCaller(t)
	one, two, three := c.call("GET", "1"), d.call("GET", "2"), d.call("GET", "3")
	send(t, lane, one, two, three)
	one.wantReply(t, "+one\r\n")
	two.wantLost(t, true, nil)
	three.wantLost(t, true, nil)
	if !strings.Contains(two.lost.Error(), "malformed reply") || !strings.Contains(two.lost.Error(), node.Addr) {
		t.Errorf("the failure says %q", two.lost)
	}
	c.awaitFlush(t)
}

// TestUnaskedBeforeFlush has a node say something while a task waits to be
// flushed: that is no reply to it.
func TestUnaskedBeforeFlush(t *testing.T) {
	enqueued := make(chan struct{})
	node := redistest.StartScript(t, redistest.Conversation(
		redistest.ExpectN(1), redistest.Reply("+one\r\n"), redistest.Await(enqueued), redistest.Reply("+unasked\r\n"), redistest.AwaitClose()))
	lane := startPool(t, Config{}).lane(node.Addr, Profile{})
	c := newCaller(t)
	one, two := c.call("GET", "1"), c.call("GET", "2")
	send(t, lane, one)
	one.wantReply(t, "+one\r\n")
	c.awaitFlush(t) // the lane has looked for what it could send
	if !lane.Enqueue(&two.Task) {
		t.Fatal("refused")
	}
	close(enqueued)
	two.wantLost(t, false, errUnasked)
}
