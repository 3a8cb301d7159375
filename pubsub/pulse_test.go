package pubsub

import (
	"testing"
	"time"

	"redis-cluster-proxy/resp"
)

// TestSilentNode: a node that says nothing any more, though its connection is open, is left for another one; one that only has
// nothing to say is not.
func TestSilentNode(t *testing.T) { virtually(t, silentNode, "A", "B") }

func silentNode(t *testing.T, c *cluster) {
	c.hub.pulse = pulse{every: 5 * time.Millisecond, ask: 1, doubt: 2, lost: 200}
	l := c.listener(resp.RESP3)
	l.join(t, Channel, "a", "b")
	asked := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.fences
	}
	begin := asked()
	eventually(t, "nodes are asked whether they are there", func() bool { return asked() >= begin+10 })
	c.mu.Lock()
	if len(c.links) != 2 || c.opened != 2 {
		t.Errorf("%d connections, of %d", len(c.links), c.opened)
	}
	home := c.owners['a']
	for l := range c.links {
		l.mute = l.addr == home
	}
	c.mu.Unlock()
	eventually(t, "it is subscribed to again", func() bool {
		c.mu.Lock()
		opened := c.opened
		c.mu.Unlock()
		return opened == 3 && c.at("subscribe a")[home] == 1 && c.hub.settled()
	})
	c.publish(home, "a", "x")
	l.hears(t, pushed(resp.RESP3, "message", "a", "x"))
	if c.mu.Lock(); c.doubts == 0 {
		t.Error("nobody asked whether the cluster has changed")
	}
	c.mu.Unlock()
	l.Close()
}

// TestSlowClientsAreNoSilence: a node from which nothing more is read, since clients are slow, is not lost.
func TestSlowClientsAreNoSilence(t *testing.T) {
	c := newCluster(t, "A")
	c.hub.pulse = pulse{every: time.Millisecond, ask: 1, doubt: 2, lost: 3}
	trunk := &trunk{hub: c.hub}
	trunk.fan.paused = true
	for range 10 {
		trunk.asked = []question{{}}
		if n := trunk.feelLocked(); n != 0 {
			t.Errorf("silent for %d looks", n)
		}
	}
}
