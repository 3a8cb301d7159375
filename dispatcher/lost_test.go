package dispatcher

import (
	"strings"
	"testing"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
	"redis-cluster-proxy/slots"
)

// TestLostAtEveryByte has a node close the connection after each byte of its reply: a read gets its reply on another
// connection, a write the error that its result is unknown.
func TestLostAtEveryByte(t *testing.T) {
	const reply = "$5\r\nhello\r\n"
	var conns [][]redistest.Step
	for n := range len(reply) {
		part := redistest.Reply(reply[:n])
		conns = append(conns,
			[]redistest.Step{redistest.Expect("GET", "foo"), part, redistest.Close()},
			[]redistest.Step{redistest.Expect("GET", "foo"), redistest.Reply(reply), redistest.Expect("GETDEL", "foo"), part, redistest.Close()},
		)
	}
	node := redistest.StartScript(t, redistest.Script{Conns: conns})
	s := alone(t, node.Addr)
	for n := range len(reply) {
		if v := s.do(t, "GET", "foo"); v.Str != "hello" {
			t.Fatalf("closed after %d bytes: a read is answered with %q", n, v.Str)
		}
		if v := s.do(t, "GETDEL", "foo"); !strings.HasPrefix(v.Str, "UNKNOWNRESULT ") {
			t.Fatalf("closed after %d bytes: a write is answered with %q", n, v.Str)
		}
	}
}

// TestLostAtEveryByteOfARequest has a node close the connection after each byte of a write that it has read. Whoever writes
// cannot know how much the other side has read: the result is unknown.
func TestLostAtEveryByteOfARequest(t *testing.T) {
	size := len(resp.AppendCommand(nil, "INCR", "foo"))
	var conns [][]redistest.Step
	for n := 1; n <= size; n++ {
		conns = append(conns, []redistest.Step{redistest.CloseAfter(n)})
	}
	node := redistest.StartScript(t, redistest.Script{Conns: conns})
	s := alone(t, node.Addr)
	for n := 1; n <= size; n++ {
		if v := s.do(t, "INCR", "foo"); !strings.HasPrefix(v.Str, "UNKNOWNRESULT ") {
			t.Fatalf("closed after %d bytes: a write is answered with %q", n, v.Str)
		}
	}
}

// TestGarbage has a node answer with what is no reply.
func TestGarbage(t *testing.T) {
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		{redistest.Expect("SET", "foo", "1"), redistest.Reply("hello\r\n"), redistest.AwaitClose()},
		{redistest.Expect("GET", "foo"), redistest.Reply("+one\r\n+two\r\n"), redistest.Close()},
		{redistest.Expect("GET", "foo"), redistest.Reply("+three\r\n")},
	}})
	s := alone(t, node.Addr)
	if v := s.do(t, "SET", "foo", "1"); !strings.HasPrefix(v.Str, "UNKNOWNRESULT ") {
		t.Errorf("a write is answered with %q", v.Str)
	}
	for _, want := range []string{"one", "three"} {
		if v := s.do(t, "GET", "foo"); v.Str != want {
			t.Errorf("a read is answered with %q, want %q", v.Str, want)
		}
	}
}

// alone is a session whose slots are all at one node.
func alone(t *testing.T, addr string) *session {
	c := newChart(func(string) {})
	r := newRig(t, Config{}, backend.Config{}, c)
	table := slots.NewTable(slots.Hash)
	table.Shards = []*slots.Shard{{Primary: &slots.Node{Addr: addr, Healthy: true}}}
	clear(table.Slot[:])
	c.publish(table)
	s := r.newSession()
	t.Cleanup(s.close)
	return s
}
