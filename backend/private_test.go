package backend

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// eavesdropper is a Listener, and a Handler, that takes everything down in the order in which it is told.
type eavesdropper struct {
	*caller

	impatient bool // what Silent returns

	mu sync.Mutex
	// Guarded by mu.
	heard []string
}

func newEavesdropper(tb testing.TB) *eavesdropper { return &eavesdropper{caller: newCaller(tb)} }

func (e *eavesdropper) note(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, what)
}

// story is what was heard so far.
func (e *eavesdropper) story() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

// want waits until this was heard, and nothing else.
func (e *eavesdropper) want(tb testing.TB, want ...string) {
	tb.Helper()
	eventually(tb, strings.Join(want, ", "), func() bool { return len(e.story()) >= len(want) })
	if got := e.story(); !slices.Equal(got, want) {
		tb.Fatalf("heard %q, want %q", got, want)
	}
}

// Pushed implements Listener.
func (e *eavesdropper) Pushed(push []byte) Flusher {
	e.note(string(push))
	return nil
}

// Lost implements Listener.
func (e *eavesdropper) Lost() { e.note("lost") }

// Silent implements Listener.
func (e *eavesdropper) Silent() (end bool) {
	e.note("silent")
	return e.impatient
}

// Replied implements Handler.
func (e *eavesdropper) Replied(run []Reply, chunk *Chunk) Flusher {
	for _, r := range run {
		e.note(string(r.Bytes))
		r.Task.Handler = e.caller
	}
	return e.caller.Replied(run, chunk)
}

func (e *eavesdropper) call(args ...string) *call {
	k := e.caller.call(args...)
	k.Handler = e
	return k
}

var tracking = []string{"CLIENT", "TRACKING", "ON"}

// private returns a private lane to addr that e listens to.
func (p *Pool) private(addr string, proto resp.Proto, e *eavesdropper) *TaskRunner {
	return p.Node(addr).PrivateLane(Profile{Proto: proto}, Private{Greeting: tracking, Listener: e}, 0)
}

// awaitPrivates waits until a node has so many private lanes.
func awaitPrivates(tb testing.TB, n *Node, count int) {
	tb.Helper()
	eventually(tb, "the private lanes", func() bool {
		runners, _ := n.privates.figures()
		return len(runners) == count
	})
}

const hello3 = "%1\r\n$5\r\nproto\r\n:3\r\n"

// TestPrivateLane: pushes keep their place among the replies, a loss is told behind the last of them, and the next
// connection begins like the first.
func TestPrivateLane(t *testing.T) {
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		{
			redistest.Expect("HELLO", "3"), redistest.Expect(tracking...), redistest.Reply(hello3, "+OK\r\n"),
			redistest.Expect("GET", "a"), redistest.Expect("GET", "b"),
			redistest.Reply(">1\r\n+first\r\n+a\r\n>1\r\n+second\r\n>1\r\n+third\r\n+b\r\n>1\r\n+fourth\r\n"), redistest.Close(),
		},
		{
			redistest.Expect("HELLO", "3"), redistest.Expect(tracking...), redistest.Reply(hello3, "+OK\r\n"),
			redistest.Expect("GET", "c"), redistest.Reply("+c\r\n"), redistest.AwaitClose(),
		},
	}})
	e := newEavesdropper(t)
	lane := startPool(t, Config{}).private(node.Addr, 3, e)
	send(t, lane, e.call("GET", "a"), e.call("GET", "b"))
	story := []string{">1\r\n+first\r\n", "+a\r\n", ">1\r\n+second\r\n", ">1\r\n+third\r\n", "+b\r\n", ">1\r\n+fourth\r\n", "lost"}
	e.want(t, story...)
	lane.awaitDown(t)
	send(t, lane, e.call("GET", "c"))
	e.want(t, append(story, "+c\r\n")...)
	lane.Discard()
	awaitScript(t, node)
	awaitPrivates(t, lane.node, 0)
	e.want(t, append(story, "+c\r\n")...)
	if s := lane.node.Stats(); s.Connects != 2 || s.Connected != 0 || s.Node.Count() != 3 {
		t.Errorf("the figures of a lane that has ended: %d connections made, %d open, %d tasks", s.Connects, s.Connected, s.Node.Count())
	}
	if lane.Enqueue(&e.call("GET", "d").Task) {
		t.Error("a discarded lane takes a task")
	}
}

// TestPrivateLaneHearsAtOnce: what the node says in one breath with its reply to the greeting is not lost, and what is only
// begun there is put together.
func TestPrivateLaneHearsAtOnce(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(
		redistest.Expect(tracking...), redistest.Reply("+OK\r\n>1\r\n+early\r\n>1\r\n+ha"),
		redistest.Expect("GET", "a"), redistest.Reply("lf\r\n+a\r\n"), redistest.AwaitClose()))
	e := newEavesdropper(t)
	lane := startPool(t, Config{}).private(node.Addr, 3, e)
	send(t, lane, e.call("GET", "a"))
	e.want(t, ">1\r\n+early\r\n", ">1\r\n+half\r\n", "+a\r\n")
	lane.Discard()
	awaitScript(t, node)
}

// TestPrivateLaneRefused: without its greeting nothing is sent.
func TestPrivateLaneRefused(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(
		redistest.ExpectN(1), redistest.Reply("-NOPERM no\r\n"), redistest.AwaitClose()))
	e := newEavesdropper(t)
	lane := startPool(t, Config{}).private(node.Addr, 3, e)
	k := e.call("GET", "a")
	send(t, lane, k)
	k.wantLost(t, false, nil)
	if refused := (*HandshakeError)(nil); !errors.As(k.lost, &refused) || refused.Text != "NOPERM no" {
		t.Errorf("%v", k.lost)
	}
	lane.Discard()
	awaitPrivates(t, lane.node, 0)
	e.want(t) // there was no connection to lose
}

// TestEar: a lane that speaks RESP2 has a second connection, to which the node is told to push, and which ends with it;
// it also ends when the second one does.
func TestEar(t *testing.T) {
	greeting := redistest.Expect(append(slices.Clone(tracking), "REDIRECT", "42")...)
	said, answered := make(chan struct{}), make(chan struct{})
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		{
			redistest.Expect("HELLO", "3"), redistest.Expect("CLIENT", "ID"), redistest.Reply(hello3, ":42\r\n"),
			redistest.Await(answered), redistest.Reply(">1\r\n+ne"), redistest.Reply("ws\r\n>1\r\n+more\r\n"),
			redistest.Await(said), redistest.Close(),
		},
		{greeting, redistest.Reply("+OK\r\n"), redistest.Expect("GET", "a"), redistest.Reply("+a\r\n"), redistest.AwaitClose()},
		{redistest.Expect("HELLO", "3"), redistest.Expect("CLIENT", "ID"), redistest.Reply(hello3, ":42\r\n"), redistest.AwaitClose()},
		{greeting, redistest.Reply("+OK\r\n"), redistest.Expect("GET", "b"), redistest.Reply("+b\r\n"), redistest.Close()},
	}})
	e := newEavesdropper(t)
	lane := startPool(t, Config{}).private(node.Addr, 2, e)
	send(t, lane, e.call("GET", "a"))
	e.want(t, "+a\r\n")
	close(answered)
	story := []string{"+a\r\n", ">1\r\n+news\r\n", ">1\r\n+more\r\n"}
	e.want(t, story...)
	close(said)
	story = append(story, "lost")
	e.want(t, story...)
	lane.awaitDown(t)
	send(t, lane, e.call("GET", "b"))
	e.want(t, append(story, "+b\r\n", "lost")...)
	awaitScript(t, node)
	lane.Discard()
	awaitPrivates(t, lane.node, 0)
}

// TestEarRefused: a node that does not tell the ear its id gets no task.
func TestEarRefused(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(
		redistest.ExpectN(1), redistest.Reply("-NOPERM no\r\n"), redistest.AwaitClose()))
	e := newEavesdropper(t)
	lane := startPool(t, Config{}).private(node.Addr, 2, e)
	k := e.call("GET", "a")
	send(t, lane, k)
	k.wantLost(t, false, nil)
	if refused := (*HandshakeError)(nil); !errors.As(k.lost, &refused) {
		t.Errorf("%v", k.lost)
	}
}

// TestPrivateLaneOfNodeThatLeaves: it closes like any other, and one made later takes nothing.
func TestPrivateLaneOfNodeThatLeaves(t *testing.T) {
	server := startServer(t, redistest.Config{})
	p := startPool(t, Config{})
	e := newEavesdropper(t)
	lane := p.private(server.Addr, 3, e)
	k := e.call("GET", "a")
	send(t, lane, k)
	k.wantReply(t, "_\r\n")
	p.Drop(lane.node)
	e.want(t, "_\r\n", "lost")
	awaitPrivates(t, lane.node, 0)
	if !lane.Closed() {
		t.Error("the lane is open")
	}
	later := lane.node.PrivateLane(Profile{}, Private{Greeting: tracking, Listener: e}, 0)
	if later.Enqueue(&e.call("GET", "a").Task) {
		t.Error("a lane to a node that has left takes a task")
	}
	later.Discard()
	lane.Discard()
}

// TestCaching goes in front of the command, and its reply is nobody's; ASKING excludes it.
func TestCaching(t *testing.T) {
	node := redistest.StartScript(t, redistest.Conversation(
		redistest.Expect("CLIENT", "CACHING", "YES"), redistest.Expect("GET", "a"), redistest.Expect("CLIENT", "CACHING", "NO"),
		redistest.Expect("GET", "b"), redistest.Expect("ASKING"), redistest.Expect("GET", "c"),
		redistest.Reply("+OK\r\n+a\r\n-ERR no\r\n+b\r\n+OK\r\n+c\r\n"), redistest.AwaitClose()))
	c := newCaller(t)
	yes, no, asking := c.call("GET", "a"), c.call("GET", "b"), c.asking("GET", "c")
	yes.Caching, no.Caching, asking.Caching = CachingYes, CachingNo, CachingYes
	send(t, startPool(t, Config{}).lane(node.Addr, Profile{}), yes, no, asking)
	yes.wantReply(t, "+a\r\n")
	no.wantReply(t, "+b\r\n")
	asking.wantReply(t, "+c\r\n")
}
