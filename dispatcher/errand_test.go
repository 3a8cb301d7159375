package dispatcher

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
	"redis-cluster-proxy/slots"
)

// words makes the arguments of a command.
func words(line string) (args [][]byte) {
	for _, w := range strings.Fields(line) {
		args = append(args, []byte(w))
	}
	return args
}

// first intercepts the first times requests named name.
func first(times int, name string, v redistest.Verdict) func(redistest.Request) redistest.Verdict {
	var seen atomic.Int32
	return func(r redistest.Request) redistest.Verdict {
		if strings.EqualFold(r.Args[0], name) && int(seen.Add(1)) <= times {
			return v
		}
		return redistest.Verdict{}
	}
}

// slotOf is where the key of these tests is.
var slotOf = slots.Hash([]byte("key"))

func TestErrandAskSlot(t *testing.T) {
	for _, tc := range []struct {
		name    string
		trouble func(c *redistest.FakeCluster, owner, other *redistest.FakeNode)
		ask     string
		want    string
	}{
		{"nothing", func(*redistest.FakeCluster, *redistest.FakeNode, *redistest.FakeNode) {}, "GET key", "$5\r\nvalue\r\n"},
		{"moved", func(c *redistest.FakeCluster, _, other *redistest.FakeNode) { c.MoveSlot(slotOf, other, func() {}) }, "GET key", "$5\r\nvalue\r\n"},
		{"ask", func(c *redistest.FakeCluster, _, other *redistest.FakeNode) {
			c.BeginMigrate(slotOf, other)
			c.MigrateKeys(slotOf, 10)
		}, "GET key", "$5\r\nvalue\r\n"},
		{"tryagain", func(_ *redistest.FakeCluster, owner, _ *redistest.FakeNode) {
			owner.FailNext(3, redistest.ErrorTryAgain)
		}, "GET key", "$5\r\nvalue\r\n"},
		{"loading", func(_ *redistest.FakeCluster, owner, _ *redistest.FakeNode) {
			owner.FailNext(3, redistest.ErrorLoading)
		}, "SET key new", "+OK\r\n"},
		{"clusterdown", func(_ *redistest.FakeCluster, owner, _ *redistest.FakeNode) {
			owner.FailNext(3, redistest.ErrorClusterDown)
		}, "SET key new", "+OK\r\n"},
		{"read lost", func(_ *redistest.FakeCluster, owner, _ *redistest.FakeNode) {
			owner.Intercept(first(2, "get", redistest.Verdict{CutAfter: true}))
		}, "GET key", "$5\r\nvalue\r\n"},
		{"moved to nowhere", func(_ *redistest.FakeCluster, owner, _ *redistest.FakeNode) {
			owner.Intercept(first(1, "get", redistest.Verdict{Error: "MOVED x y"}))
		}, "GET key", "-MOVED x y\r\n"},
		{"of the client", func(*redistest.FakeCluster, *redistest.FakeNode, *redistest.FakeNode) {}, "INCR key", "-ERR value is not an integer or out of range\r\n"},
		{"failover", func(c *redistest.FakeCluster, owner, _ *redistest.FakeNode) {
			owner.Kill()
			c.Failover(c.ReplicasOf(owner)[0])
		}, "SET key new", "+OK\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := redistest.StartFakeCluster(t)
			owner := c.OwnerOf(slotOf)
			owner.Put("key", "value")
			r := newFakeRig(t, Config{}, c)
			other := c.Primaries()[0]
			if other == owner {
				other = c.Primaries()[1]
			}
			tc.trouble(c, owner, other)
			reply, err := r.d.NewErrand(backend.Profile{}).AskSlot(t.Context(), slotOf, strings.HasPrefix(tc.ask, "GET"), words(tc.ask)...)
			if err != nil || string(reply) != tc.want {
				t.Errorf("%q, %v; want %q", reply, err, tc.want)
			}
		})
	}
}

// TestErrandBudget: past it, the last error is the answer; a write that may have been executed is never sent again.
func TestErrandBudget(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	owner := c.OwnerOf(slotOf)
	r := newFakeRig(t, Config{RedirectTimeout: 20 * time.Millisecond, MaxRedirects: 3}, c)
	e := r.d.NewErrand(backend.Profile{})
	owner.Intercept(first(1<<20, "get", redistest.Verdict{Error: redistest.ErrorLoading}))
	if reply, err := e.AskSlot(t.Context(), slotOf, true, words("GET key")...); err != nil || string(reply) != "-"+redistest.ErrorLoading+"\r\n" {
		t.Errorf("loading for ever: %q, %v", reply, err)
	}
	moved := redistest.Verdict{Error: fmt.Sprintf("MOVED %d %s", slotOf, owner.Addr)}
	owner.Intercept(first(1<<20, "get", moved))
	if reply, err := e.AskSlot(t.Context(), slotOf, true, words("GET key")...); err != nil || string(reply) != "-"+moved.Error+"\r\n" {
		t.Errorf("moved for ever: %q, %v", reply, err)
	}
	owner.Intercept(first(1, "incr", redistest.Verdict{CutAfter: true}))
	_, err := e.AskSlot(t.Context(), slotOf, false, words("INCR {key}n")...)
	if err == nil || !strings.HasPrefix(err.Error(), "UNKNOWNRESULT connection to "+owner.Addr+" lost") {
		t.Errorf("a lost write: %v", err)
	}
	if n := owner.Executed("incr"); n != 1 {
		t.Errorf("INCR was executed %d times", n)
	}
	owner.Kill()
	_, err = e.AskSlot(t.Context(), slotOf, true, words("GET key")...)
	if err == nil || !strings.HasPrefix(err.Error(), "CLUSTERDOWN node "+owner.Addr) {
		t.Errorf("a dead node: %v", err)
	}
}

// TestErrandTimesOut like any request.
func TestErrandTimesOut(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	r := newFakeRigOver(t, Config{}, backend.Config{RequestTimeout: time.Second / 4}, c)
	c.Node(1).HoldReplies()
	defer c.Node(1).ReleaseReplies()
	e := r.d.NewErrand(backend.Profile{})
	poll(t, "a question that the others answer in time", func() bool {
		_, err := e.AskShards(t.Context(), words("DBSIZE")...)
		if err == nil || !errors.Is(err, backend.ErrTimeout) || !strings.HasSuffix(err.Error(), " in time") {
			t.Fatal(err)
		}
		return err.Error() == "ERR no reply from "+c.Node(1).Addr+" in time"
	})
	_, err := e.Ask(t.Context(), c.Node(1).Addr, words("FLUSHALL")...)
	if err == nil || !strings.HasPrefix(err.Error(), "UNKNOWNRESULT no reply from "+c.Node(1).Addr) || !errors.Is(err, backend.ErrTimeout) {
		t.Error(err)
	}
}

// TestErrandUsesItsConnectionsAgain: on the common path nothing is connected.
func TestErrandUsesItsConnectionsAgain(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	r := newFakeRigOver(t, Config{}, backend.Config{IdleLeases: 1}, c)
	e := r.d.NewErrand(backend.Profile{})
	for range 20 {
		if _, err := e.AskShards(t.Context(), words("DBSIZE")...); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range c.Primaries() {
		if s := r.pool.Node(n.Addr).Stats(); s.Connects != 1 || s.Node.Count() != 20 {
			t.Errorf("%s: %d connections for %d replies", n.Addr, s.Connects, s.Node.Count())
		}
	}
}

// TestErrandHasItsUser: a refusal of the session's user is the answer.
func TestErrandHasItsUser(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	r := newFakeRig(t, Config{}, c)
	_, err := r.d.NewErrand(backend.Profile{User: "nobody", Password: "x"}).AskShards(t.Context(), words("DBSIZE")...)
	if err == nil || !strings.HasPrefix(err.Error(), "WRONGPASS ") {
		t.Error(err)
	}
}

func TestShards(t *testing.T) {
	chart := newChart(func(string) {})
	table := slots.NewTable(slots.Hash)
	node := func(addr string, healthy bool) *slots.Node {
		return &slots.Node{ID: "id of " + addr, Addr: addr, Healthy: healthy}
	}
	table.Shards = []*slots.Shard{
		{Primary: node("empty:1", true)},
		{Primary: node("late:1", true), Replicas: []*slots.Node{node("late:2", true), node("late:3", false)}},
		{Primary: node("early:1", false)},
		{},
		{},
	}
	table.Slot[7], table.Slot[9], table.Slot[3], table.Slot[16000] = 1, 1, 2, 4
	chart.publish(table)
	pool := backend.NewPool(backend.Config{})
	defer pool.Close()
	got := New(Config{}, pool, chart).Shards()
	want := []Shard{
		{Primary: "early:1", ID: "id of early:1", Slots: 1, Lowest: 3},
		{Primary: "late:1", ID: "id of late:1", Slots: 2, Lowest: 7, Replicas: []string{"late:2"}},
		{Slots: 1, Lowest: 16000},
		{Primary: "empty:1", ID: "id of empty:1"},
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestErrandReplyIsForGood: replies of several questions do not share memory.
func TestErrandReplyIsForGood(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	r := newFakeRigOver(t, Config{}, backend.Config{IdleLeases: 1}, c)
	e := r.d.NewErrand(backend.Profile{})
	var kept [][]byte
	for i := range 30 {
		text := bytes.Repeat([]byte{byte('a' + i)}, 1+i*700)
		reply, err := e.Ask(t.Context(), c.Node(0).Addr, []byte("ECHO"), text)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, reply)
	}
	for i, reply := range kept {
		if want := resp.AppendBulk(nil, bytes.Repeat([]byte{byte('a' + i)}, 1+i*700)); !bytes.Equal(reply, want) {
			t.Fatalf("reply %d has changed", i)
		}
	}
}
