package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// subscribed connects and subscribes, in RESP3.
func subscribed(t *testing.T, addr string, command ...string) *proxytest.Dialog {
	t.Helper()
	d := proxytest.Connect(t, addr)
	if v := d.Do("HELLO", "3"); v.Kind != '%' {
		t.Fatalf("HELLO: %+v", v)
	}
	if err := d.SendCommand(command...); err != nil {
		t.Fatal(err)
	}
	for _, name := range command[1:] {
		if told := d.Hear(); !strings.HasPrefix(told, fmt.Sprintf(">3\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(command[0]), strings.ToLower(command[0]), len(name), name)) {
			t.Fatalf("%q says %q", command, told)
		}
	}
	return d
}

// message is a message as a subscriber of RESP3 sees it.
func message(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ">%d\r\n", len(words))
	for _, w := range words {
		b.WriteString(bulk(w))
	}
	return b.String()
}

// upstream counts the subscriptions to a channel that the nodes themselves know of.
func upstream(t *testing.T, c *redistest.Cluster, command, channel string) (sum int64) {
	t.Helper()
	for _, n := range c.Nodes() {
		reply, err := n.Client().Do(t.Context(), "PUBSUB", command, channel).Slice()
		if err != nil {
			t.Fatal(err)
		}
		sum += reply[1].(int64)
	}
	return sum
}

// TestManySubscribersAreOneUpstream: however many sessions subscribe, a node sees one; and none when they are gone.
func TestManySubscribersAreOneUpstream(t *testing.T) {
	const sessions = 300
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	var subs []*proxytest.Dialog
	for range sessions {
		subs = append(subs, subscribed(t, p.Addr, "SUBSCRIBE", "many"))
	}
	if n := upstream(t, c, "NUMSUB", "many"); n != 1 {
		t.Errorf("the nodes see %d subscriptions", n)
	}
	if v := d.Do("PUBSUB", "NUMSUB", "many"); v.Elems[1].Int != sessions {
		t.Errorf("NUMSUB: %+v", v)
	}
	if v := d.Do("PUBLISH", "many", "x"); v.Int != sessions {
		t.Errorf("PUBLISH: %+v", v)
	}
	for i, sub := range subs {
		if got := sub.Hear(); got != message("message", "many", "x") {
			t.Fatalf("subscriber %d hears %q", i, got)
		}
		sub.Close()
	}
	eventually(t, "the nodes see no subscription", func() bool { return upstream(t, c, "NUMSUB", "many") == 0 })
	if v := d.Do("PUBLISH", "many", "x"); v.Int != 0 {
		t.Errorf("PUBLISH to nobody: %+v", v)
	}
}

// TestKeyspaceEventsOfAllShards: events of every node's keys arrive, each once, and so do messages of patterns that match
// both.
func TestKeyspaceEventsOfAllShards(t *testing.T) {
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	d.Do("CONFIG", "SET", "notify-keyspace-events", "KEA")
	t.Cleanup(func() {
		for _, n := range c.Nodes() {
			if err := n.Client().ConfigSet(context.Background(), "notify-keyspace-events", "").Err(); err != nil {
				t.Error(err)
			}
		}
	})
	all := subscribed(t, p.Addr, "PSUBSCRIBE", "*")
	events := subscribed(t, p.Addr, "PSUBSCRIBE", "__keyevent@0__:s*")
	one := subscribed(t, p.Addr, "SUBSCRIBE", "__keyevent@0__:set")
	for i := range 30 {
		key := fmt.Sprintf("event:%d", i)
		d.Do("SET", key, "x")
		if got, want := all.Hear()+all.Hear(), message("pmessage", "*", "__keyspace@0__:"+key, "set")+message("pmessage", "*", "__keyevent@0__:set", key); got != want {
			t.Fatalf("the subscriber of * hears %q, want %q", got, want)
		}
		if got, want := events.Hear(), message("pmessage", "__keyevent@0__:s*", "__keyevent@0__:set", key); got != want {
			t.Fatalf("the subscriber of the pattern hears %q, want %q", got, want)
		}
		if got, want := one.Hear(), message("message", "__keyevent@0__:set", key); got != want {
			t.Fatalf("the subscriber of the channel hears %q, want %q", got, want)
		}
		d.Do("PUBLISH", key, "y") // at another node each time, and told to all by the cluster's bus
		if got, want := all.Hear(), message("pmessage", "*", key, "y"); got != want {
			t.Fatalf("the subscriber of * hears %q, want %q", got, want)
		}
	}
	if v := all.Do("PING"); v.Str != "PONG" {
		t.Errorf("something more: %+v", v)
	}
}

// TestSubscriptionsSurviveTheirNode: when nodes die under them, subscribers hear nothing of that, and then messages again.
func TestSubscriptionsSurviveTheirNode(t *testing.T) {
	c, ctx := breakable.Get(t), testContext(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	victim := c.Primaries()[0]
	name := "lasting"
	for i := 0; c.OwnerOf(redistest.Slot(name)) != victim; i++ {
		name = fmt.Sprint("lasting:", i)
	}
	subs := map[string]*proxytest.Dialog{
		"message":  subscribed(t, p.Addr, "SUBSCRIBE", name),
		"pmessage": subscribed(t, p.Addr, "PSUBSCRIBE", name+"*"),
		"smessage": subscribed(t, p.Addr, "SSUBSCRIBE", name),
	}
	victim.Kill()
	heard := map[string]chan string{}
	for kind, sub := range subs {
		heard[kind] = make(chan string, 10000)
		go hearAll(sub, heard[kind])
	}
	n := 0
	for kind, from := range heard {
		within(t, time.Minute, kind+" is heard again", func() bool {
			n++
			d.Do("PUBLISH", name, fmt.Sprint(n))
			d.Do("SPUBLISH", name, fmt.Sprint(n))
			select {
			case got := <-from:
				if !strings.Contains(got, kind) {
					t.Fatalf("a subscriber of %s hears %q", kind, got)
				}
				return true
			case <-time.After(20 * time.Millisecond):
				return false
			}
		})
	}
	if err := victim.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

// hearAll passes on what a subscriber hears until its connection ends.
func hearAll(d *proxytest.Dialog, to chan<- string) {
	for {
		raw, err := d.ReadRaw()
		if err != nil {
			return
		}
		to <- string(raw)
	}
}

// TestShardedChannelFollowsItsSlot moves the slot twice. Subscribers are not told.
func TestShardedChannelFollowsItsSlot(t *testing.T) {
	c, ctx := cluster.Get(t), testContext(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	const name = "{following}"
	slot := redistest.Slot(name)
	home := c.OwnerOf(slot)
	sub := subscribed(t, p.Addr, "SSUBSCRIBE", name)
	from := home
	for i, to := range append(c.Primaries(), home) {
		if to == from {
			continue
		}
		if err := c.MoveSlot(ctx, slot, from, to, nil); err != nil {
			t.Fatal(err)
		}
		from = to
		eventually(t, "the new node sees the subscription", func() bool {
			reply, err := to.Client().Do(ctx, "PUBSUB", "SHARDNUMSUB", name).Slice()
			return err == nil && reply[1].(int64) == 1
		})
		if v := d.Do("SPUBLISH", name, fmt.Sprint(i)); v.Int != 1 {
			t.Errorf("SPUBLISH after the slot has moved: %+v", v)
		}
		if got, want := sub.Hear(), message("smessage", name, fmt.Sprint(i)); got != want {
			t.Fatalf("the subscriber hears %q, want %q", got, want)
		}
	}
}
