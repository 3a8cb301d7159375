package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/slots"
)

func (r NodeReply) String() string { return r.Addr + " " + string(r.Bytes) }

// sumOf adds the integers of replies up.
func sumOf(t *testing.T, replies []NodeReply) (sum int) {
	t.Helper()
	for _, r := range replies {
		var n int
		if _, err := fmt.Sscanf(string(r.Bytes), ":%d\r\n", &n); err != nil {
			t.Errorf("%s: %q", r.Addr, r.Bytes)
		}
		sum += n
	}
	return sum
}

// TestErrandAskShards counts the keys of a cluster that has trouble of many kinds: never one too few or too many.
func TestErrandAskShards(t *testing.T) {
	for name, trouble := range map[string]func(c *redistest.FakeCluster){
		"nothing": func(*redistest.FakeCluster) {},
		"loading": func(c *redistest.FakeCluster) {
			c.Node(1).Intercept(first(3, "dbsize", redistest.Verdict{Error: redistest.ErrorLoading}))
		},
		"clusterdown": func(c *redistest.FakeCluster) {
			for _, n := range c.Nodes() {
				n.Intercept(first(2, "dbsize", redistest.Verdict{Error: redistest.ErrorClusterDown}))
			}
		},
		"lost before": func(c *redistest.FakeCluster) {
			c.Node(2).Intercept(first(2, "dbsize", redistest.Verdict{CutBefore: true}))
		},
		"lost after": func(c *redistest.FakeCluster) {
			c.Node(0).Intercept(first(2, "dbsize", redistest.Verdict{CutAfter: true}))
		},
		"lost in the middle of the reply": func(c *redistest.FakeCluster) { c.Node(0).CutAfterReplyBytes(2) },
		"dead, its replica promoted": func(c *redistest.FakeCluster) {
			c.Node(1).Kill()
			c.Failover(c.ReplicasOf(c.Node(1))[0])
		},
		"dead, its replica promoted meanwhile": func(c *redistest.FakeCluster) {
			n, replica := c.Node(1), c.ReplicasOf(c.Node(1))[0]
			n.Intercept(func(r redistest.Request) redistest.Verdict {
				if strings.EqualFold(r.Args[0], "dbsize") {
					go n.Kill() // it waits for this connection
					c.Failover(replica)
					return redistest.Verdict{CutAfter: true}
				}
				return redistest.Verdict{}
			})
		},
		"redirected to its replica": func(c *redistest.FakeCluster) {
			// One slot is known to be elsewhere already, as a MOVED tells.
			c.Failover(c.ReplicasOf(c.Node(2))[0])
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := redistest.StartFakeCluster(t)
			const keys = 60
			for i := range keys {
				key := fmt.Sprint(i)
				owner := c.OwnerOf(slots.Hash([]byte(key)))
				owner.Put(key, "v")
				c.ReplicasOf(owner)[0].Put(key, "v")
			}
			r := newFakeRig(t, Config{}, c)
			trouble(c)
			e := r.d.NewErrand(backend.Profile{})
			replies, err := e.AskShards(t.Context(), words("DBSIZE")...)
			if err != nil || len(replies) != 3 || sumOf(t, replies) != keys {
				t.Errorf("%q, %v", replies, err)
			}
			var order []string
			for _, sh := range e.Shards() {
				order = append(order, sh.Primary)
			}
			for i, reply := range replies {
				if len(order) == 3 && reply.Addr != order[i] && name != "redirected to its replica" {
					t.Errorf("reply %d is of %s, the shards' primaries are %q", i, reply.Addr, order)
				}
			}
		})
	}
}

// TestErrandShardFails: a shard without a reply is an error of the whole that names it.
func TestErrandShardFails(t *testing.T) {
	for _, tc := range []struct {
		name    string
		ask     string
		trouble func(n *redistest.FakeNode)
		want    string // %s is the node
	}{
		{"dead", "DBSIZE", func(n *redistest.FakeNode) { n.Kill() }, "CLUSTERDOWN node %s "},
		{"loading", "DBSIZE", func(n *redistest.FakeNode) {
			n.Intercept(first(1<<20, "dbsize", redistest.Verdict{Error: redistest.ErrorLoading}))
		}, "LOADING node %s: Redis is loading the dataset in memory"},
		{"a write lost", "FLUSHALL", func(n *redistest.FakeNode) {
			n.Intercept(first(1, "flushall", redistest.Verdict{CutAfter: true}))
		}, "UNKNOWNRESULT connection to %s lost after the command was sent; it may have been executed"},
		{"too long", "KEYS *", func(n *redistest.FakeNode) { n.Put(strings.Repeat("k", 5000), "v") },
			"ERR the reply is longer than this proxy may keep (-max-merged-bytes); the rest was not read"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := redistest.StartFakeCluster(t)
			r := newFakeRig(t, Config{RedirectTimeout: 30 * time.Millisecond}, c)
			bad := c.Node(1)
			tc.trouble(bad)
			e := r.d.NewErrand(backend.Profile{})
			e.Limit(4000)
			replies, err := e.AskShards(t.Context(), words(tc.ask)...)
			want := tc.want
			if strings.Contains(want, "%s") {
				want = fmt.Sprintf(want, bad.Addr)
			}
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%q, %v; want %s", replies, err, want)
			}
			if n := bad.Executed("flushall"); n > 1 {
				t.Errorf("FLUSHALL was executed %d times", n)
			}
		})
	}
}

// TestErrandAskNodes asks replicas, too, but not those that the cluster gave up.
func TestErrandAskNodes(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	r := newFakeRig(t, Config{}, c)
	e := r.d.NewErrand(backend.Profile{})
	replies, err := e.AskNodes(t.Context(), words("CONFIG GET maxclients")...)
	if err != nil || len(replies) != 6 {
		t.Fatalf("%q, %v", replies, err)
	}
	var addrs []string
	for _, reply := range replies {
		addrs = append(addrs, reply.Addr)
	}
	for i, sh := range e.Shards() {
		if len(sh.Replicas) != 1 || addrs[2*i] != sh.Primary || addrs[2*i+1] != sh.Replicas[0] {
			t.Errorf("shard %d is %+v, replies came from %q", i, sh, addrs)
		}
	}
	dead := c.ReplicasOf(c.Node(0))[0]
	dead.Kill()
	replies, err = e.AskNodes(t.Context(), words("CONFIG GET maxclients")...)
	if err != nil || len(replies) != 5 || slices.ContainsFunc(replies, func(n NodeReply) bool { return n.Addr == dead.Addr }) {
		t.Errorf("%d replies, %v", len(replies), err)
	}
}

// TestErrandEndsWithItsContext: whoever asked is gone, so nothing is waited for.
func TestErrandEndsWithItsContext(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	r := newFakeRig(t, Config{}, c)
	e := r.d.NewErrand(backend.Profile{})
	for name, hang := range map[string]func(n *redistest.FakeNode){
		"no reply": (*redistest.FakeNode).HoldReplies,
		"loading": func(n *redistest.FakeNode) {
			n.Intercept(first(1<<20, "dbsize", redistest.Verdict{Error: redistest.ErrorLoading}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := c.Node(2)
			hang(n)
			defer n.ReleaseReplies()
			defer n.Intercept(nil)
			ctx, cancel := context.WithCancel(t.Context())
			var asking sync.WaitGroup
			asking.Go(func() {
				_, err := e.AskShards(ctx, words("DBSIZE")...)
				if err == nil {
					t.Error("an answer came from nowhere")
				}
			})
			before := r.d.stats.Retries.Load()
			poll(t, "the question", func() bool { return n.Executed("dbsize") > 0 || r.d.stats.Retries.Load() > before })
			cancel()
			asking.Wait()
		})
	}
}

// TestErrandAskEach asks each once, in the order of the addresses, and names the first that is lost.
func TestErrandAskEach(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	r := newFakeRig(t, Config{}, c)
	e := r.d.NewErrand(backend.Profile{})
	addrs := []string{c.Node(2).Addr, c.Node(0).Addr, c.Node(1).Addr}
	c.Node(0).Put("key", "value")
	replies, err := e.AskEach(t.Context(), addrs, words("DBSIZE")...)
	if err != nil || len(replies) != 3 {
		t.Fatalf("%q, %v", replies, err)
	}
	for i, want := range []string{":0\r\n", ":1\r\n", ":0\r\n"} {
		if replies[i].Addr != addrs[i] || string(replies[i].Bytes) != want {
			t.Errorf("reply %d is %q of %s", i, replies[i].Bytes, replies[i].Addr)
		}
	}
	for _, n := range []int{0, 1} {
		c.Node(n).Intercept(first(1, "flushall", redistest.Verdict{CutAfter: true}))
	}
	_, err = e.AskEach(t.Context(), addrs, words("FLUSHALL")...)
	if err == nil || !strings.HasPrefix(err.Error(), "UNKNOWNRESULT connection to "+addrs[1]+" lost") {
		t.Errorf("%v", err)
	}
	if n := c.Executed("flushall"); n != 3 {
		t.Errorf("FLUSHALL was executed %d times", n)
	}
	if _, err := e.AskEach(t.Context(), nil, words("DBSIZE")...); err == nil || err.Error() != errNotServed {
		t.Errorf("nobody: %v", err)
	}
}

// TestErrandAskPresent goes on without those that do not answer, and says who they are; a refusal is an error all the same.
func TestErrandAskPresent(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	r := newFakeRig(t, Config{}, c)
	silent, broken := c.Node(1), c.Node(2)
	silent.HoldReplies()
	defer silent.ReleaseReplies()
	broken.Intercept(first(1<<20, "dbsize", redistest.Verdict{CutAfter: true}))
	const limit = time.Second / 2
	var missing []Shard
	poll(t, "a question that the one who answers does in time", func() bool {
		replies, without, err := r.d.NewErrand(backend.Profile{}).AskPresent(t.Context(), limit, words("DBSIZE")...)
		if errors.Is(err, backend.ErrTimeout) {
			return false
		}
		if err != nil || len(replies) != 1 || len(without) != 2 || replies[0].Addr != c.Node(0).Addr {
			t.Fatalf("%q without %+v, %v", replies, without, err)
		}
		missing = without
		return true
	})
	for _, sh := range missing {
		if sh.Primary != silent.Addr && sh.Primary != broken.Addr || sh.Slots == 0 {
			t.Errorf("%+v is missing", sh)
		}
	}
	_, _, err := r.d.NewErrand(backend.Profile{User: "nobody", Password: "wrong"}).AskPresent(t.Context(), patience, words("DBSIZE")...)
	if err == nil || !strings.HasPrefix(err.Error(), "WRONGPASS") {
		t.Errorf("a user whom nobody knows: %v", err)
	}
}
