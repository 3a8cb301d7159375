package clients

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

func (g *goRedis) pubsub() {
	ctx := testContext(g.T)
	one, two := g.key("one"), g.key("two")
	s := g.Subscribe(ctx, one, two)
	defer s.Close()
	for i, name := range []string{one, two} {
		got, err := s.Receive(ctx)
		g.same("SUBSCRIBE", &redis.Subscription{Kind: "subscribe", Channel: name, Count: i + 1})(got, err)
	}
	if err := s.PSubscribe(ctx, g.key("by*")); err != nil {
		g.Fatal(err)
	}
	got, err := s.Receive(ctx)
	g.same("PSUBSCRIBE", &redis.Subscription{Kind: "psubscribe", Channel: g.key("by*"), Count: 3})(got, err)
	if err := s.Ping(ctx, "are you there"); err != nil {
		g.Fatal(err)
	}
	got, err = s.Receive(ctx)
	g.same("PING", &redis.Pong{Payload: "are you there"})(got, err)
	messages := s.Channel(redis.WithChannelSize(1000))
	var want, heard []string
	for i := range 500 {
		name := []string{one, two, g.key("by pattern")}[i%3]
		g.same("PUBLISH", int64(1))(g.Publish(ctx, name, i).Result())
		want = append(want, fmt.Sprint(name, " ", i))
	}
	for range want {
		select {
		case m := <-messages:
			heard = append(heard, fmt.Sprint(m.Channel, " ", m.Payload))
		case <-ctx.Done():
			g.Fatalf("%d messages of %d arrived", len(heard), len(want))
		}
	}
	for _, name := range []string{one, two, g.key("by pattern")} { // each channel keeps its order
		of := func(all []string) (some []string) {
			for _, m := range all {
				if len(m) > len(name) && m[:len(name)] == name {
					some = append(some, m)
				}
			}
			return some
		}
		if !slices.Equal(of(heard), of(want)) {
			g.Errorf("%s: heard %q, want %q", name, of(heard), of(want))
		}
	}
	g.same("PUBSUB NUMSUB", map[string]int64{one: 1, g.key("nobody"): 0})(g.PubSubNumSub(ctx, one, g.key("nobody")).Result())
	sharded := g.SSubscribe(ctx, one)
	defer sharded.Close()
	got, err = sharded.Receive(ctx)
	g.same("SSUBSCRIBE", &redis.Subscription{Kind: "ssubscribe", Channel: one, Count: 1})(got, err)
	g.same("SPUBLISH", int64(1))(g.SPublish(ctx, one, "sharded").Result())
	got, err = sharded.Receive(ctx)
	g.same("SPUBLISH", &redis.Message{Channel: one, Payload: "sharded"})(got, err)
}

// reconnected is a subscriber that loses its connection: the library subscribes again.
func (g *goRedis) reconnected() {
	ctx, channel := testContext(g.T), g.key("channel")
	s := g.Subscribe(ctx, channel)
	defer s.Close()
	messages := s.Channel()
	g.hears(ctx, channel, messages)
	g.same("CLIENT KILL", int64(1))(g.ClientKillByFilter(ctx, "TYPE", "pubsub", "ID", g.subscriber(ctx)).Result())
	g.hears(ctx, channel, messages)
}

// subscriber returns the id of this test's one subscriber.
func (g *goRedis) subscriber(ctx context.Context) string {
	g.Helper()
	list, err := g.Do(ctx, "CLIENT", "LIST", "TYPE", "pubsub").Text()
	if err != nil {
		g.Fatalf("CLIENT LIST: %v", err)
	}
	for line := range strings.Lines(list) {
		if strings.Contains(line, " name="+g.prefix+" ") {
			id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
			return id
		}
	}
	g.Fatalf("CLIENT LIST: %q", list)
	return ""
}

// hears publishes until the subscriber has heard it. Whether a node that died has sent a message on is not known.
func (g *goRedis) hears(ctx context.Context, channel string, messages <-chan *redis.Message) {
	g.Helper()
	token := fmt.Sprint(time.Now().UnixNano())
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := g.Publish(ctx, channel, token).Err(); err != nil && !strings.HasPrefix(err.Error(), "UNKNOWNRESULT ") {
			g.Fatalf("PUBLISH: %v", err)
		}
		select {
		case m := <-messages:
			if m.Payload == token {
				return
			}
		case <-tick.C:
		case <-ctx.Done():
			g.Fatalf("the subscriber heard nothing")
		}
	}
}
