package backend

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"redis-cluster-proxy/internal/redistest"
)

// severed is a connection that takes limit bytes of output and then breaks; it
// never delivers anything. When all was taken it is closed by its peer.
type severed struct {
	net.Conn // one end of a net.Pipe
	peer     net.Conn
	limit    int
	taken    []byte // owned by the writer, then by the test
}

func sever(limit int) *severed {
	nc, peer := net.Pipe()
	return &severed{Conn: nc, peer: peer, limit: limit}
}

func (s *severed) Write(b []byte) (int, error) {
	n := min(len(b), s.limit-len(s.taken))
	s.taken = append(s.taken, b[:n]...)
	if len(s.taken) < s.limit {
		return n, nil
	}
	s.peer.Close()
	if n < len(b) {
		return n, io.ErrClosedPipe
	}
	return n, nil
}

// TestCutWhileWriting loses the connection after each byte of what is written.
// Every task fails once, and knows whether a byte of it was sent; ASKING's bytes
// are not the task's.
func TestCutWhileWriting(t *testing.T) {
	make := func(c *caller) []*call {
		return []*call{c.call("SET", "k", "v"), c.asking("GET", "k"), c.call("DEL", "k"), c.asking("INCR", "n")}
	}
	var stream []byte
	var begin []int // of each task's own bytes
	for _, k := range make(newCaller(t)) {
		if k.Asking {
			stream = append(stream, asking...)
		}
		begin = append(begin, len(stream))
		stream = append(stream, k.Wire...)
	}
	for limit := range len(stream) + 1 {
		p := NewPool(Config{Lanes: 1})
		lane := p.lane("severed:1", Profile{})
		lane.state = stateConnecting // what serveLoop does is done below
		c := newCaller(t)
		calls := make(c)
		send(t, lane, calls...)
		nc := sever(limit)
		p.running.Add(1)
		lane.serve(nc, nil, nil)
		if got := string(nc.taken); got != string(stream[:limit]) {
			t.Fatalf("after %d bytes: the node got %q", limit, got)
		}
		if len(c.order()) != len(calls) {
			t.Fatalf("after %d bytes: %d of %d tasks ended", limit, len(c.order()), len(calls))
		}
		for i, k := range calls {
			k.wantLost(t, begin[i] < limit, nil)
			if c.order()[i] != k {
				t.Errorf("after %d bytes: failed in another order", limit)
			}
		}
		if t.Failed() {
			t.Fatalf("after %d of %d bytes", limit, len(stream))
		}
		p.Close()
	}
}

// TestCutWhileReading has the node read a part of the commands and hang up, for
// each length. All were written in one go: all are sent.
func TestCutWhileReading(t *testing.T) {
	c := newCaller(t)
	length := 0
	for _, k := range threeCalls(c) {
		length += len(k.Wire)
	}
	p := startPool(t, Config{})
	for n := 1; n <= length; n++ {
		node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{{redistest.CloseAfter(n)}}})
		calls := threeCalls(c)
		send(t, p.lane(node.Addr, Profile{}), calls...)
		for _, k := range calls {
			k.wantLost(t, true, nil)
		}
	}
}

func threeCalls(c *caller) []*call {
	return []*call{c.call("SET", "k", "v"), c.call("GET", "k"), c.call("DEL", "k")}
}

// TestCutWhileAnswering has the node hang up, or reset, after each byte of its
// replies: whole ones are handed over, the rest fails as sent.
func TestCutWhileAnswering(t *testing.T) {
	replies := []string{"+OK\r\n", "*2\r\n$1\r\nv\r\n:3\r\n", "$1\r\nv\r\n"}
	all := strings.Join(replies, "")
	p := startPool(t, Config{})
	c := newCaller(t)
	for n := range len(all) + 1 {
		node := redistest.StartScript(t, redistest.Conversation(redistest.ExpectN(3), redistest.Reply(all[:n]), redistest.Close()))
		calls := threeCalls(c)
		send(t, p.lane(node.Addr, Profile{}), calls...)
		end := 0
		for i, k := range calls {
			if end += len(replies[i]); end <= n {
				k.wantReply(t, replies[i])
			} else {
				k.wantLost(t, true, io.EOF)
			}
		}
	}
	c.awaitFlush(t)
}

// TestCutBehindAsking loses the connection within the reply to ASKING.
func TestCutBehindAsking(t *testing.T) {
	const all = "+OK\r\n$1\r\nv\r\n"
	p := startPool(t, Config{})
	c := newCaller(t)
	for n := range len(all) + 1 {
		node := redistest.StartScript(t, redistest.Conversation(
			redistest.Expect("ASKING"), redistest.Expect("GET", "k"), redistest.Reply(all[:n]), redistest.Close()))
		k := c.asking("GET", "k")
		send(t, p.lane(node.Addr, Profile{}), k)
		if n == len(all) {
			k.wantReply(t, "$1\r\nv\r\n")
		} else {
			k.wantLost(t, true, io.EOF)
		}
	}
}

// TestAsking checks that ASKING and its command are neighbours, and that nobody
// sees ASKING's reply.
func TestAsking(t *testing.T) {
	for _, answer := range []string{"+OK\r\n", "-ERR This instance has cluster support disabled\r\n"} {
		node := redistest.StartScript(t, redistest.Conversation(
			redistest.Expect("GET", "1"), redistest.Expect("ASKING"), redistest.Expect("GET", "2"), redistest.Expect("GET", "3"),
			redistest.Reply(":1\r\n", answer, ":2\r\n", ":3\r\n"),
			redistest.Expect("ASKING"), redistest.Expect("GET", "4"), redistest.Reply(answer, ":4\r\n")))
		lane := startPool(t, Config{}).lane(node.Addr, Profile{})
		c := newCaller(t)
		calls := []*call{c.call("GET", "1"), c.asking("GET", "2"), c.call("GET", "3")}
		send(t, lane, calls...)
		for i, k := range calls {
			k.wantReply(t, fmt.Sprintf(":%d\r\n", i+1))
		}
		four := c.asking("GET", "4")
		send(t, lane, four)
		four.wantReply(t, ":4\r\n")
		if s := lane.node.Stats(); s.Node.Count() != 4 || s.Errors != 0 {
			t.Errorf("%d replies and %d errors counted, want 4 and 0", s.Node.Count(), s.Errors)
		}
	}
}

// TestReconnect loses connections and sends on: the next task gets a new one.
func TestReconnect(t *testing.T) {
	const rounds = 5
	var conns [][]redistest.Step
	for range rounds {
		conns = append(conns, []redistest.Step{redistest.Expect("GET", "k"), redistest.Reply("+v\r\n"), redistest.Expect("SET", "k", "w"), redistest.Reset()})
	}
	node := redistest.StartScript(t, redistest.Script{Conns: conns})
	lane := startPool(t, Config{}).lane(node.Addr, Profile{})
	c := newCaller(t)
	for range rounds {
		get, set := c.call("GET", "k"), c.call("SET", "k", "w")
		send(t, lane, get)
		get.wantReply(t, "+v\r\n")
		send(t, lane, set)
		set.wantLost(t, true, nil)
		lane.awaitDown(t)
		if !lane.node.Failing() {
			t.Error("a node whose connection is lost does not count as failing")
		}
	}
	if s := lane.node.Stats(); s.Connects != rounds || s.Losses != rounds || s.ConnectFailures != 0 {
		t.Errorf("%d connects, %d losses, %d failures; want %d, %d, 0", s.Connects, s.Losses, s.ConnectFailures, rounds, rounds)
	}
}

// TestDialRefused asks a node that does not listen: nothing was sent. When it
// listens, the same lane reaches it.
func TestDialRefused(t *testing.T) {
	addr, listen := reserve(t)
	lane := startPool(t, Config{}).lane(addr, Profile{})
	c := newCaller(t)
	for i := range 3 {
		calls := threeCalls(c)
		send(t, lane, calls...)
		for _, k := range calls {
			k.wantLost(t, false, nil)
			if op := (*net.OpError)(nil); !errors.As(k.lost, &op) || k.lost.Addr != addr {
				t.Errorf("%s: %v, want a net.OpError of %s", k.lost.Addr, k.lost, addr)
			}
		}
		lane.awaitDown(t)
		if n := lane.node.Stats().ConnectFailures; n != uint64(i+1) {
			t.Errorf("%d failures to connect, want %d", n, i+1)
		}
	}
	if !lane.node.Failing() {
		t.Error("a node that refuses does not count as failing")
	}
	l := listen()
	defer l.Close()
	k := c.raw("+x\r\n")
	send(t, lane, k)
	nc, err := l.Accept()
	must(t, err)
	defer nc.Close()
	_, err = io.CopyN(nc, nc, int64(len(k.Wire)))
	must(t, err)
	k.wantReply(t, "+x\r\n")
	if lane.node.Failing() {
		t.Error("a node that answers counts as failing")
	}
}

// reserve returns an address that refuses connections until listen is called. The
// port is nobody else's meanwhile.
func reserve(tb testing.TB) (addr string, listen func() net.Listener) {
	tb.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	must(tb, err)
	f := os.NewFile(uintptr(fd), "reserved")
	tb.Cleanup(func() { f.Close() })
	must(tb, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	name, err := syscall.Getsockname(fd)
	must(tb, err)
	addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(name.(*syscall.SockaddrInet4).Port))
	return addr, func() net.Listener {
		must(tb, syscall.Listen(fd, 8))
		l, err := net.FileListener(f)
		must(tb, err)
		return l
	}
}

// TestFailuresKeepTheOrder offers tasks while older ones of a lost connection are
// being failed, as another request of the same session may come: they must not be
// sent before those have failed, or a retry of them would come too late.
func TestFailuresKeepTheOrder(t *testing.T) {
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		{redistest.ExpectN(3), redistest.Close()},
		{redistest.Expect("GET", "young"), redistest.Reply("+v\r\n")},
	}})
	lane := startPool(t, Config{}).lane(node.Addr, Profile{})
	c := newCaller(t)
	calls := threeCalls(c)
	young := c.call("GET", "young")
	var list TaskList
	list.Push(&young.Task)
	before := lane.Losses()
	c.onFailed = func(*call) {
		if lane.Enqueue(&young.Task) || lane.EnqueueAll(&list, lane.Losses()) {
			t.Error("the lane took a task before it had failed the older ones")
		}
		if lane.Losses() != before || lane.Closed() {
			t.Error("the loss was over before all had failed")
		}
	}
	send(t, lane, calls...)
	for i, k := range calls {
		if k.wantLost(t, true, io.EOF); c.order()[i] != k {
			t.Errorf("%q ended in the place of %q", c.order()[i].Wire, k.Wire)
		}
	}
	lane.awaitDown(t)
	if lane.EnqueueAll(&list, before) {
		t.Error("the lane took a list that was begun before the loss")
	}
	if got := lane.Losses(); got != before+1 {
		t.Errorf("%d losses, want %d", got, before+1)
	}
	if !lane.EnqueueAll(&list, lane.Losses()) {
		t.Fatal("refused after the loss")
	}
	lane.Flush()
	young.wantReply(t, "+v\r\n")
}
