package pubsub

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

var (
	someone = backend.MakeProfile(backend.Profile{User: "someone", Proto: resp.RESP3})
	other   = backend.MakeProfile(backend.Profile{User: "other", Proto: resp.RESP3})
)

// listener is a client of the hub with its output.
type listener struct {
	*Client
	*ear
}

func (c *cluster) listener(proto resp.Proto) listener {
	e := &ear{}
	return listener{c.hub.NewClient(e, proto), e}
}

// joins subscribes and returns the error.
func (l listener) joins(t *testing.T, who backend.ProfileHandle, kind Kind, names ...string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := l.Join(who, kind, names).Wait(ctx, func(told []byte) { l.Gather(told, false) })
	l.FlushGathered()
	return err
}

// join subscribes and hears the confirmations.
func (l listener) join(t *testing.T, kind Kind, names ...string) {
	t.Helper()
	if err := l.joins(t, someone, kind, names...); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(l.heard(), "subscribe\r\n"); got != len(names) {
		t.Fatalf("%d confirmations of %d: %q", got, len(names), l.heard())
	}
	l.ear.mu.Lock()
	l.ear.bytes = nil
	l.ear.mu.Unlock()
}

func TestOneSubscriptionForAll(t *testing.T) {
	c := newCluster(t, "A", "B")
	var all []listener
	for range 100 {
		l := c.listener(resp.RESP3)
		l.join(t, Channel, "news")
		all = append(all, l)
	}
	stranger := c.listener(resp.RESP2)
	if err := stranger.joins(t, other, Channel, "news"); err != nil {
		t.Fatal(err)
	}
	stranger.hears(t, "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n")
	home := c.Owner('n')
	if at := c.at("subscribe news"); len(at) != 1 || at[home] != 2 {
		t.Fatalf("subscriptions of two users at %v, the home is %s", at, home)
	}
	if own, clients := c.hub.Audience(home, false, []byte("news")); own != 2 || clients != 101 {
		t.Errorf("the audience is %d of %d", own, clients)
	}
	if own, _ := c.hub.Audience("elsewhere", false, []byte("news")); own != 0 {
		t.Errorf("%d own subscriptions at another node", own)
	}
	c.publish("", "news", "x")
	for _, l := range all {
		l.hears(t, pushed(resp.RESP3, "message", "news", "x"))
	}
	stranger.hears(t, pushed(resp.RESP2, "message", "news", "x"))
	stranger.Close()
	for i, l := range all {
		leaving := l.Leave(Channel, nil)
		// Somebody was told of the audience, so the first may have something to hear.
		if edge := i == 0 || i == len(all)-1; leaving.Pending() != edge {
			t.Errorf("client %d leaves; nodes are concerned: %t", i, !edge)
		}
		leaving.Wait(t.Context())
		if got := string(leaving.Told()); got != ">3\r\n$11\r\nunsubscribe\r\n$4\r\nnews\r\n:0\r\n" {
			t.Errorf("%q", got)
		}
	}
	if at := c.at("subscribe news"); len(at) != 0 {
		t.Errorf("left at %v", at)
	}
	if s := c.hub.Stats(); s.Topics != [NumKinds]int{} || s.Subscriptions != [NumKinds]int{} || s.Delivered != 101 {
		t.Errorf("%+v", s)
	}
}

// TestEventsOfAllNodes: what can be an event is subscribed to everywhere; everything else is heard from one node.
func TestEventsOfAllNodes(t *testing.T) {
	c := newCluster(t, "A", "B", "C")
	for _, proto := range []resp.Proto{resp.RESP2, resp.RESP3} {
		l := c.listener(proto)
		l.join(t, Pattern, "*")
		if at := c.at("psubscribe *"); len(at) != 3 {
			t.Fatalf("subscribed at %v", at)
		}
		c.publish("A", "__keyspace@0__:k", "set")
		l.hears(t, pushed(proto, "pmessage", "*", "__keyspace@0__:k", "set"))
		c.publish("B", "__keyevent@0__:set", "k")
		l.hears(t, pushed(proto, "pmessage", "*", "__keyevent@0__:set", "k"))
		c.publish("", "news", "x")
		c.publish("C", "__keyevent@0__:set", "k")
		eventually(t, "both are heard", func() bool { return strings.Count(l.heard(), "pmessage") == 2 })
		if got := l.heard(); strings.Count(got, "$4\r\nnews\r\n") != 1 {
			t.Errorf("heard %q", got)
		}
		one := c.listener(proto)
		one.join(t, Channel, "__keyevent@0__:set")
		for _, addr := range []string{"A", "B", "C"} {
			c.publish(addr, "__keyevent@0__:set", addr)
			one.hears(t, pushed(proto, "message", "__keyevent@0__:set", addr))
		}
		one.Close()
		l.Close()
		eventually(t, "nothing is left", func() bool { return len(c.at("psubscribe *")) == 0 })
	}
}

// TestRefusals: the nodes' words reach who asks, and nobody hears what he may not.
func TestRefusals(t *testing.T) {
	c := newCluster(t, "A", "B")
	const words = "NOPERM this user has no permissions"
	c.refuses["secret"] = words
	l := c.listener(resp.RESP3)
	if err := l.joins(t, someone, Channel, "open", "secret", "wide"); !errors.Is(err, Fault(words)) {
		t.Fatalf("%v", err)
	}
	if l.Total() != 0 || l.heard() != "" {
		t.Errorf("%d subscriptions, and %q", l.Total(), l.heard())
	}
	eventually(t, "nothing is left", func() bool { return len(c.at("subscribe open"))+len(c.at("subscribe wide")) == 0 })
	l.join(t, Channel, "open")
	c.mu.Lock()
	c.refuses["open"] = "ERR max number of clients reached" // which passes
	c.mu.Unlock()
	before := c.askedFor("subscribe open")
	c.lose(c.Owner('o'))
	eventually(t, "it is tried again", func() bool { return c.askedFor("subscribe open") > before+2 })
	if text := l.ear.closedFor(); text != "" {
		t.Errorf("closed for %s", text)
	}
	c.mu.Lock()
	c.refuses["open"] = words
	c.mu.Unlock()
	c.lose(c.Owner('o'))
	eventually(t, "the client is closed", func() bool { return l.ear.closedFor() == words })
	l.Close()
	late := c.listener(resp.RESP3)
	late.Close()
	if err := late.joins(t, someone, Channel, "open"); err == nil {
		t.Error("a client that is gone subscribes")
	}
	if s := c.hub.Stats(); s.Topics != [NumKinds]int{} {
		t.Errorf("%+v", s)
	}
}

// TestNobodyConfirms: who waits goes when it has waited for long enough, and leaves nothing.
func TestNobodyConfirms(t *testing.T) {
	c := newCluster(t, "A")
	c.lose("A", "") // no owner
	l := c.listener(resp.RESP3)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Millisecond, Fault("late"))
	defer cancel()
	if err := l.Join(someone, Channel, []string{"x"}).Wait(ctx, func([]byte) { t.Error("confirmed") }); !errors.Is(err, Fault("late")) {
		t.Errorf("%v", err)
	}
	if s := c.hub.Stats(); s.Topics != [NumKinds]int{} || len(c.hub.homeless) != 0 {
		t.Errorf("%+v", s)
	}
}

// TestLongMessagesAreShared: many clients refer to the same bytes.
func TestLongMessagesAreShared(t *testing.T) {
	c := newCluster(t, "A")
	payload := strings.Repeat("x", 2*shareBytes)
	for _, proto := range []resp.Proto{resp.RESP2, resp.RESP3} {
		l := c.listener(proto)
		l.join(t, Channel, "news")
		c.publish("A", "news", payload)
		l.hears(t, pushed(proto, "message", "news", payload))
		c.publish("A", "news", "short")
		l.hears(t, pushed(proto, "message", "news", "short"))
		if l.ear.shared != 1 {
			t.Errorf("%d stretches were shared", l.ear.shared)
		}
		l.Close()
	}
}

func TestMayMatch(t *testing.T) {
	for pattern, want := range map[string]bool{
		"*": true, "__*": true, "__key*": true, "__keyspace@0__:foo": true, "__keyevent@*": true, "?_keyspace@0__:*": true,
		"[_]*": true, "[^a]*": true, "[a-z]*": true, "__key[es]*": true, `\__keyspace@0__:*`: true, "*foo": true, "__keyspace@": true,
		"??????????*": true, "[": true, `[\]_]_key*`: true,
		"": false, "news.*": false, "_": false, "_x*": false, "__keyx*": false, "[a]*": false, "__keyspacE@*": false, `\*__keyspace@*`: false,
		"__keyspace": false,
	} {
		if got := hasEvents(Pattern, pattern); got != want {
			t.Errorf("%q: %t", pattern, got)
		}
	}
	for channel, want := range map[string]bool{"__keyspace@0__:x": true, "__keyevent@0__:set": true, "__key*": false, "x": false, "": false} {
		if got := hasEvents(Channel, channel); got != want {
			t.Errorf("%q: %t", channel, got)
		}
		if hasEvents(Shard, channel) {
			t.Errorf("%q: events of a shard", channel)
		}
	}
}
