package pubsub

import (
	"fmt"
	"strings"
	"testing"

	"redis-cluster-proxy/resp"
)

// TestLostNodes: subscriptions are made anew at whoever takes over, and at a node that only lost its connections.
func TestLostNodes(t *testing.T) {
	c := newCluster(t, "A", "B", "C")
	l := c.listener(resp.RESP3)
	l.join(t, Channel, "news", "other")
	l.join(t, Pattern, "new*")
	l.join(t, Shard, "news")
	home := c.Owner('n')
	for _, others := range [][]string{nil, {"D"}} {
		if others != nil {
			c.mu.Lock()
			c.primaries = append(c.primaries, "D")
			c.mu.Unlock()
		}
		c.lose(home, others...)
		home = c.Owner('n')
		eventually(t, "all is subscribed to again", func() bool {
			return c.at("subscribe news")[home] == 1 && c.at("psubscribe new*")[home] == 1 && c.at("ssubscribe news")[home] == 1 &&
				c.hub.settled()
		})
		c.publish(home, "news", "x")
		eventually(t, "all three are heard", func() bool { return strings.Count(l.heard(), "$1\r\nx\r\n") == 3 })
		l.ear.mu.Lock()
		if got := string(l.ear.bytes); strings.Contains(got, "subscribe\r\n") {
			t.Errorf("the client is told: %q", got)
		}
		l.ear.bytes = nil
		l.ear.mu.Unlock()
	}
	l.Close()
}

// settled reports whether every topic is up.
func (h *Hub) settled() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, named := range h.topics {
		for _, same := range named {
			for _, t := range same {
				if !t.upLocked() {
					return false
				}
			}
		}
	}
	return true
}

// TestDemotedNodes: a node that has become a replica keeps what it hears as well as any. What only primaries tell is asked of them.
func TestDemotedNodes(t *testing.T) { virtually(t, demotedNodes, "A", "B") }

func demotedNodes(t *testing.T, c *cluster) {
	c.mu.Lock()
	c.owners['a'], c.owners['*'] = "A", "A"
	c.mu.Unlock()
	l := c.listener(resp.RESP3)
	l.join(t, Channel, "a")
	l.join(t, Pattern, "a?", "*")
	c.mu.Lock()
	c.primaries = []string{"B", "C"} // A has no slots, and is not a replica yet
	c.owners['a'], c.owners['*'] = "C", "C"
	c.mu.Unlock()
	c.hub.reviewNow()
	c.mu.Lock()
	c.replicas = []string{"A"}
	c.mu.Unlock()
	c.hub.reviewNow()
	eventually(t, "what is to move has moved", func() bool {
		return c.at("psubscribe *")["A"] == 0 && c.at("psubscribe *")["B"] == 1 && c.at("psubscribe *")["C"] == 1 && c.hub.settled()
	})
	for _, name := range []string{"subscribe a", "psubscribe a?"} {
		if at := c.at(name); len(at) != 1 || at["A"] != 1 {
			t.Errorf("%s: subscribed at %v, want A", name, at)
		}
	}
	c.publish("A", "a", "x")
	l.hears(t, pushed(resp.RESP3, "message", "a", "x"))
	l.Close()
}

// reviewNow is Rerouted, all of it.
func (h *Hub) reviewNow() {
	h.running.Add(1)
	h.review()
}

// TestUnreachableHome: while a node cannot be reached, and the cluster has not noticed, another one tells of what is published
// elsewhere, and clients can subscribe. A sharded channel has one place only.
func TestUnreachableHome(t *testing.T) { virtually(t, unreachableHome, "A", "B") }

func unreachableHome(t *testing.T, c *cluster) {
	c.mu.Lock()
	c.owners['n'], c.owners['o'] = "A", "A"
	c.mu.Unlock()
	l := c.listener(resp.RESP3)
	l.join(t, Channel, "news")
	l.join(t, Pattern, "n*")
	l.join(t, Shard, "news")
	c.mu.Lock()
	c.primaries = []string{"B"} // nothing can be opened to A
	c.mu.Unlock()
	c.lose("A")
	eventually(t, "B tells", func() bool { return c.at("subscribe news")["B"] == 1 && c.at("psubscribe n*")["B"] == 1 })
	if at := c.at("ssubscribe news"); len(at) != 0 {
		t.Errorf("the sharded channel is subscribed to at %v", at)
	}
	l.join(t, Channel, "other")
	if at := c.at("subscribe other"); at["B"] != 1 {
		t.Errorf("subscribed at %v, want B", at)
	}
	l.Close()
}

// TestNodesThatLeave: a node that works and is in the cluster no more is left.
func TestNodesThatLeave(t *testing.T) { virtually(t, nodesThatLeave, "A", "B") }

func nodesThatLeave(t *testing.T, c *cluster) {
	l := c.listener(resp.RESP3)
	l.join(t, Channel, "a", "b")
	l.join(t, Pattern, "*")
	c.mu.Lock()
	c.primaries = []string{"B", "C"}
	for slot, owner := range c.owners {
		if owner == "A" {
			c.owners[slot] = "C"
		}
	}
	c.mu.Unlock()
	c.hub.Rerouted()
	eventually(t, "A is left", func() bool {
		return len(c.at("subscribe a")) == 1 && c.at("subscribe a")["A"] == 0 && c.at("psubscribe *")["A"] == 0 &&
			c.at("psubscribe *")["B"] == 1 && c.at("psubscribe *")["C"] == 1 && c.hub.settled()
	})
	l.Close()
}

func TestShardedChannelsMove(t *testing.T) {
	c := newCluster(t, "A", "B")
	l := c.listener(resp.RESP3)
	l.join(t, Shard, "aa", "bb", "cc")
	for _, to := range []string{"A", "B", "A", "B"} {
		c.move("aa", to)
		eventually(t, "it has moved", func() bool { return c.at("ssubscribe aa")[to] == 1 && c.hub.settled() })
		c.publish(to, "aa", to)
		l.hears(t, pushed(resp.RESP3, "smessage", "aa", to))
	}
	// One whose node is not the one that the routes say.
	c.mu.Lock()
	c.owners['d'], c.refuses["dd"] = "A", "MOVED 100 B"
	c.mu.Unlock()
	go func() {
		eventually(t, "A was asked", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return strings.Contains(fmt.Sprint(c.asked), "A ssubscribe dd")
		})
		c.mu.Lock()
		delete(c.refuses, "dd")
		c.mu.Unlock()
	}()
	l.join(t, Shard, "dd")
	if at := c.at("ssubscribe dd"); at["B"] != 1 {
		t.Errorf("subscribed at %v", at)
	}
	l.Close()
}

// TestNothingIsPublishedWhileAShardedChannelMoves: until the new node tells of it, or nobody wants it any more.
func TestNothingIsPublishedWhileAShardedChannelMoves(t *testing.T) {
	c := newCluster(t, "A", "B")
	l := c.listener(resp.RESP3)
	l.join(t, Shard, "moves", "ends")
	for _, name := range []string{"moves", "ends"} {
		c.mu.Lock()
		c.refuses[name] = "CLUSTERDOWN Hash slot not served"
		to := map[string]string{"A": "B", "B": "A"}[c.owners[name[0]]]
		c.mu.Unlock()
		before := c.askedFor("ssubscribe " + name)
		c.move(name, to)
		eventually(t, "the new node was asked twice", func() bool { return c.askedFor("ssubscribe "+name) >= before+2 })
		if n := c.lullsOf(name); n != 1 {
			t.Errorf("%d lulls of %s", n, name)
		}
	}
	c.mu.Lock()
	delete(c.refuses, "moves")
	c.mu.Unlock()
	l.Leave(Shard, []string{"ends"}).Wait(t.Context())
	for _, name := range []string{"moves", "ends"} {
		eventually(t, name+" is published again", func() bool { return c.lullsOf(name) == 0 })
	}
	c.publish(c.Owner('m'), "moves", "x")
	eventually(t, "it is heard", func() bool { return strings.Contains(l.heard(), pushed(resp.RESP3, "smessage", "moves", "x")) })
	l.Close()
}
