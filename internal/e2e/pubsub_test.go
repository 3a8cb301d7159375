package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
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
	const sessions = 1000
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
	if v, want := d.Do("INFO", "stats"), "\r\npubsub_channels:1\r\npubsub_patterns:0\r\npubsubshard_channels:0\r\n"; !strings.Contains(v.Str, want) {
		t.Errorf("INFO has no %q:\n%s", want, v.Str)
	}
	if v := d.Do("CLIENT", "LIST", "TYPE", "pubsub"); strings.Count(v.Str, " flags=P db=0 sub=1 psub=0 ssub=0 ") != sessions {
		t.Errorf("CLIENT LIST has %d subscribers", strings.Count(v.Str, "\n"))
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

// TestOrderOfAChannelIsKept has many publishers, each with a connection of its own, to channels at all nodes, through two
// proxies. Each subscriber hears what each publisher said in a channel in the order in which it said it, and all of it.
func TestOrderOfAChannelIsKept(t *testing.T) {
	const publishers, messages, channels = 8, 300, 5
	c := cluster.Get(t)
	proxies := []*proxytest.Proxy{start(t, c, proxytest.Config{}), start(t, c, proxytest.Config{})}
	var names []string
	for i := range channels {
		names = append(names, fmt.Sprint("ordered:", i))
	}
	type heard struct {
		what string
		sub  *proxytest.Dialog
	}
	var subs []heard
	for _, p := range proxies {
		subs = append(subs, heard{"SUBSCRIBE", subscribed(t, p.Addr, append([]string{"SUBSCRIBE"}, names...)...)},
			heard{"PSUBSCRIBE", subscribed(t, p.Addr, "PSUBSCRIBE", "ordered:*")})
	}
	var running sync.WaitGroup
	for i := range publishers {
		pub := proxytest.Connect(t, proxies[i%len(proxies)].Addr)
		running.Go(func() {
			var wire []byte
			for n := range messages {
				wire = resp.AppendCommand(wire, "PUBLISH", names[n%channels], fmt.Sprintf("%d %d", i, n/channels))
			}
			if err := pub.Send(wire); err != nil {
				t.Error(err)
			}
			for range messages {
				if v, err := pub.Read(); err != nil || v.Kind != ':' {
					t.Errorf("PUBLISH: %+v, %v", v, err)
				}
			}
		})
	}
	for _, s := range subs {
		next := map[string]int{}
		for range publishers * messages {
			v, err := s.sub.Read()
			if err != nil || len(v.Elems) < 3 {
				t.Fatalf("%s hears %+v, %v", s.what, v, err)
			}
			var from, n int
			fmt.Sscan(v.Elems[len(v.Elems)-1].Str, &from, &n)
			of := fmt.Sprint(v.Elems[len(v.Elems)-2].Str, " ", from)
			if n != next[of] {
				t.Fatalf("%s: in %s, message %d comes where %d was to", s.what, of, n, next[of])
			}
			next[of]++
		}
		if v := s.sub.Do("PING"); v.Str != "PONG" {
			t.Errorf("%s hears too much: %+v", s.what, v)
		}
	}
	running.Wait()
}

// TestSlowSubscriberIsCut: one that does not read is closed at the limit for subscribers; the others miss nothing.
func TestSlowSubscriberIsCut(t *testing.T) {
	const others, messages = 5, 400
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	if v := d.Do("CONFIG", "GET", "client-output-buffer-limit"); !strings.HasSuffix(v.Elems[1].Str, "pubsub 33554432 8388608 60") {
		t.Errorf("the limits are %q", v.Elems[1].Str)
	}
	d.Do("CONFIG", "SET", "client-output-buffer-limit", "pubsub 4mb 0 0")
	slow := subscribed(t, p.Addr, "SUBSCRIBE", "flood")
	var running sync.WaitGroup
	payload := strings.Repeat("x", 64<<10)
	want := message("message", "flood", payload)
	heard := make([]atomic.Int64, others)
	for n := range others {
		sub := subscribed(t, p.Addr, "SUBSCRIBE", "flood")
		running.Go(func() {
			for i := range messages {
				if raw, err := sub.ReadRaw(); err != nil || string(raw) != want {
					t.Errorf("message %d: %.80q, %v", i, raw, err)
					return
				}
				heard[n].Add(1)
			}
		})
	}
	for i := range messages {
		for n := range heard { // the others are not slow, whatever the machine is
			eventually(t, "the others keep up", func() bool { return int(heard[n].Load())+20 > i || t.Failed() })
		}
		if v := d.Do("PUBLISH", "flood", payload); v.Int < others || v.Int > others+1 {
			t.Fatalf("PUBLISH: %+v", v)
		}
	}
	running.Wait()
	if v := d.Do("PUBSUB", "NUMSUB", "flood"); v.Elems[1].Int != others {
		t.Errorf("NUMSUB: %+v", v)
	}
	rest, err := slow.ReadRest()
	if len(rest) > 16<<20 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the slow one has got %d bytes, %v", len(rest), err)
	}
}

// TestUsersHearWhatTheyMay: nodes judge by their ACLs, and a user who may not hear any more what he subscribes to is closed.
func TestUsersHearWhatTheyMay(t *testing.T) {
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	setUser := func(args ...string) {
		t.Helper()
		if v := d.Do(append([]string{"ACL", "SETUSER", "listener"}, args...)...); v.Str != "OK" {
			t.Fatalf("ACL SETUSER: %+v", v)
		}
	}
	setUser("on", ">secret", "+@all", "~*", "resetchannels", "&open:*")
	defer d.Do("ACL", "DELUSER", "listener")
	connect := func() *proxytest.Dialog {
		user := proxytest.Connect(t, p.Addr)
		user.Do("HELLO", "3", "AUTH", "listener", "secret")
		return user
	}
	user := connect()
	anybody := subscribed(t, p.Addr, "SUBSCRIBE", "closed:a", "open:a")
	const noPerm = "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n"
	for _, command := range [][]string{
		{"SUBSCRIBE", "closed:a"}, {"SUBSCRIBE", "open:a", "closed:a"}, {"PSUBSCRIBE", "open:a*", "*"}, {"SSUBSCRIBE", "closed:a"},
		{"PUBLISH", "closed:a", "x"},
	} {
		if got := user.Ask(string(resp.AppendCommand(nil, command...))); got != noPerm {
			t.Errorf("%q: %q", command, got)
		}
	}
	if v := user.Do("PUBSUB", "NUMSUB", "closed:a", "open:a"); v.Elems[1].Int != 1 || v.Elems[3].Int != 1 {
		t.Errorf("NUMSUB: %+v", v)
	}
	if v := user.Do("SUBSCRIBE", "open:a"); v.Kind != '>' || v.Elems[2].Int != 1 {
		t.Errorf("SUBSCRIBE: %+v", v)
	}
	if v := d.Do("PUBLISH", "open:a", "x"); v.Int != 2 {
		t.Errorf("PUBLISH to two users: %+v", v)
	}
	for _, sub := range []*proxytest.Dialog{user, anybody} {
		if got := sub.Hear(); got != message("message", "open:a", "x") {
			t.Errorf("heard %q", got)
		}
	}
	d.Do("ACL", "SETUSER", "narrow", "on", ">secret", "-@all", "+subscribe", "+unsubscribe", "resetchannels", "&open:*")
	defer d.Do("ACL", "DELUSER", "narrow")
	narrow := proxytest.Connect(t, p.Addr)
	narrow.Do("HELLO", "3", "AUTH", "narrow", "secret")
	for range 3 {
		if v := narrow.Do("SUBSCRIBE", "open:narrow"); v.Kind != '>' || v.Elems[2].Int != 1 {
			t.Fatalf("SUBSCRIBE by one who may do nothing else: %+v", v)
		}
		if v := narrow.Do("UNSUBSCRIBE", "open:narrow"); v.Kind != '>' || v.Elems[2].Int != 0 {
			t.Fatalf("UNSUBSCRIBE: %+v", v)
		}
	}
	if v := narrow.Do("PSUBSCRIBE", "open:*"); v.Kind != '-' || !strings.HasPrefix(v.Str, "NOPERM ") {
		t.Errorf("PSUBSCRIBE: %+v", v)
	}
	// Redis closes the connection of who may not hear any more what it hears; so the proxy's.
	setUser("resetchannels", "&other:*")
	user.WantClosed()
	d.Do("PUBLISH", "open:a", "y")
	if got := anybody.Hear(); got != message("message", "open:a", "y") {
		t.Errorf("another user hears %q", got)
	}
}
