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

// TestSubscriptionsSurviveTheirNode: when nodes die under them, or stand still, subscribers hear nothing of that, and then
// messages again.
func TestSubscriptionsSurviveTheirNode(t *testing.T) {
	t.Run("killed", func(t *testing.T) { surviveTheirNode(t, (*redistest.Node).Kill, (*redistest.Node).Restart) })
	t.Run("stopped", func(t *testing.T) {
		surviveTheirNode(t, func(n *redistest.Node) {
			if err := n.Stop(); err != nil {
				t.Fatal(err)
			}
		}, func(n *redistest.Node, _ context.Context) error { return n.Cont() })
	})
}

// surviveTheirNode takes a node down, and up again when its replica has taken over.
func surviveTheirNode(t *testing.T, down func(*redistest.Node), up func(*redistest.Node, context.Context) error) {
	t.Helper()
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
	down(victim)
	if err := c.SetNodeTimeout(ctx, time.Second); err != nil { // until the cluster is whole again
		t.Fatal(err)
	}
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
	if err := up(victim, ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestFailoverLosesNoMessage: in a failover that somebody asked for, in which no connection is lost, each message is heard once, and in
// the order in which it was published. Events of the keyspace come from where the keys are.
func TestFailoverLosesNoMessage(t *testing.T) {
	c, ctx := breakable.Get(t), testContext(t)
	p := start(t, c, proxytest.Config{ReloadInterval: 200 * time.Millisecond})
	d := proxytest.Connect(t, p.Addr)
	old := c.Primaries()[0]
	name := "demoted"
	for i := 0; c.OwnerOf(redistest.Slot(name)) != old; i++ {
		name = fmt.Sprint("demoted:", i)
	}
	const events = "__keyevent@0__:none"
	sub, pattern := subscribed(t, p.Addr, "SUBSCRIBE", name, events), subscribed(t, p.Addr, "PSUBSCRIBE", name+"*")
	published, failedOver := 0, make(chan error, 1)
	publish := func() {
		published++
		if v := d.Do("PUBLISH", name, fmt.Sprint(published)); v.Kind != ':' {
			t.Errorf("PUBLISH %d: %+v", published, v)
		}
	}
	publish()
	now := (*redistest.Node)(nil)
	go func() {
		var err error
		now, err = c.Failover(ctx, old)
		failedOver <- err
	}()
	for done := false; !done; {
		publish()
		select {
		case err := <-failedOver:
			if done = true; err != nil {
				t.Fatal(err)
			}
		default:
		}
	}
	at := func(n *redistest.Node, name string) int64 {
		reply, err := n.Client().Do(ctx, "PUBSUB", "NUMSUB", name).Slice()
		if err != nil {
			t.Fatal(err)
		}
		return reply[1].(int64)
	}
	eventually(t, "what tells of events has moved", func() bool { return at(old, events) == 0 && at(now, events) == 1 })
	for range 10 {
		publish()
	}
	heard := map[string]int{}
	for i := range published {
		next := sub.Hear()
		if want := message("message", name, fmt.Sprint(i+1)); next != want {
			t.Errorf("%q was heard in the place of %q", next, want)
		}
		heard[next]++
		heard[pattern.Hear()]++ // whose home is at another node
	}
	for i := range published {
		n := fmt.Sprint(i + 1)
		for _, m := range []string{message("message", name, n), message("pmessage", name+"*", name, n)} {
			if heard[m] != 1 {
				t.Errorf("%q was heard %d times", m, heard[m])
			}
		}
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
