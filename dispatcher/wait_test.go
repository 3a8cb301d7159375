package dispatcher

import (
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/slots"
)

// waitNode is a primary that WAIT reaches over a connection of this number, and that answers it when it is unblocked.
func waitNode(t *testing.T, number, answer string, unblock ...string) *redistest.ScriptNode {
	unblocked := make(chan struct{})
	hello := "*2\r\n$2\r\nid\r\n:" + number + "\r\n"
	return redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{
		{
			redistest.Expect("HELLO", "2"), redistest.Expect("HELLO", "2"), redistest.Expect("WAIT", "7", "0"), redistest.Reply(hello, hello),
			redistest.Await(unblocked), redistest.Reply(answer),
		},
		{
			redistest.Expect(append([]string{"CLIENT", "UNBLOCK", number}, unblock...)...), redistest.Reply(":1\r\n"),
			redistest.Do(func() { close(unblocked) }),
		},
	}})
}

// TestUnblockOfWaitThatHasHalfBegun ends it all: what is sent to the second node only then does not keep the client waiting.
func TestUnblockOfWaitThatHasHalfBegun(t *testing.T) {
	one, two := waitNode(t, "7", ":1\r\n", "TIMEOUT"), waitNode(t, "9", ":0\r\n")
	table := slots.NewTable(slots.Hash)
	for i, n := range []*redistest.ScriptNode{one, two} {
		table.Shards = append(table.Shards, &slots.Shard{Primary: &slots.Node{Addr: n.Addr, Healthy: true}})
		for slot := i * slots.NumSlots / 2; slot < (i+1)*slots.NumSlots/2; slot++ {
			table.Slot[slot] = uint16(i)
		}
	}
	chart := newChart(func(string) {})
	r := newRig(t, Config{}, backend.Config{}, chart)
	chart.publish(table)
	s := r.newSession()
	defer s.close()
	row, args := asked(t, "WAIT 7 0")
	answer := make(chan string, 1)
	wait, fault := s.pipe.Block(row, args, func(reply Reply) { answer <- string(reply.Bytes()) })
	if fault != "" {
		t.Fatal(fault)
	}
	w := wait.(*replicaWait)
	w.parts[0].Begin()
	if w.Waits() {
		t.Error("it waits before it has begun")
	}
	if got := w.Unblock(t.Context(), r.d.NewErrand(backend.Profile{}), []byte("TIMEOUT")); string(got) != ":1\r\n" {
		t.Errorf("UNBLOCK: %q", got)
	}
	w.parts[1].Begin()
	select {
	case got := <-answer:
		if got != ":0\r\n" {
			t.Errorf("WAIT: %q", got)
		}
	case <-time.After(patience):
		t.Fatal("WAIT goes on")
	}
	for _, n := range []*redistest.ScriptNode{one, two} {
		if err := n.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
