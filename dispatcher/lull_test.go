package dispatcher

import (
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// TestLull: what is under way is awaited, what comes is held back, what is about other channels is neither.
func TestLull(t *testing.T) {
	for _, c := range []struct {
		scope   Scope
		name    string
		publish []string
	}{
		{Channels, "foo", []string{"PUBLISH", "foo", "x"}},
		{Patterns, "f*", []string{"PUBLISH", "foo", "x"}},
		{Shards, "foo", []string{"SPUBLISH", "foo", "x"}},
	} {
		told, others, next := make(chan struct{}), make(chan struct{}), make(chan struct{})
		node := redistest.StartScript(t, redistest.Conversation(
			redistest.Expect(c.publish...), redistest.Await(told), redistest.Reply(":1\r\n"),
			redistest.Expect("PUBLISH", "bar", "x"), redistest.Reply(":2\r\n"), redistest.Do(func() { close(others) }),
			redistest.Expect(c.publish...), redistest.Do(func() { close(next) }), redistest.Reply(":3\r\n"),
		))
		s := alone(t, node.Addr)
		s.pipe.d.cfg.LullPatience = patience // the machine may be slow
		s.pipe.d.SetAudience(func(string, bool, []byte) int { return 0 },
			func(pattern, channel []byte) bool { return pattern[0] == channel[0] })
		if l, now := s.pipe.d.Lull(c.scope, []string{c.name}, false, func() { t.Error("quiet twice") }); !now {
			t.Errorf("%s: something is under way", c.name)
		} else {
			l.End()
		}
		s.say(resp.AppendCommand(nil, c.publish...))
		quiet := make(chan struct{})
		l, now := s.pipe.d.Lull(c.scope, []string{"other", c.name}, false, func() { close(quiet) })
		if now {
			t.Errorf("%s: nothing is under way", c.name)
		}
		close(told)
		await(t, quiet)
		s.say(resp.AppendCommand(nil, c.publish...)) // waits, and the other one does not
		s.say(resp.AppendCommand(nil, "PUBLISH", "bar", "x"))
		await(t, others)
		select {
		case <-next:
			t.Errorf("%s: published in the lull", c.name)
		default:
		}
		l.End()
		l.End()
		await(t, next)
		poll(t, "the replies", func() bool { return s.replies() == 3 })
		if got := string(s.take()); got != ":1\r\n:3\r\n:2\r\n" {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatal("not in time")
	}
}

// TestLullsLetMessagesThrough: one that comes while messages wait for the end of another begins behind those.
func TestLullsLetMessagesThrough(t *testing.T) {
	published, reply := make(chan struct{}), make(chan struct{})
	node := redistest.StartScript(t, redistest.Conversation(
		redistest.Expect("PUBLISH", "foo", "1"), redistest.Do(func() { close(published) }), redistest.Await(reply), redistest.Reply(":1\r\n"),
		redistest.Expect("PUBLISH", "foo", "2"), redistest.Reply(":2\r\n"),
	))
	s := alone(t, node.Addr)
	s.pipe.d.cfg.LullPatience = patience // the machine may be slow
	first, now := s.pipe.d.Lull(Channels, []string{"foo"}, false, nil)
	if !now {
		t.Error("something is under way")
	}
	s.say(resp.AppendCommand(nil, "PUBLISH", "foo", "1"))
	quiet := make(chan struct{})
	second, now := s.pipe.d.Lull(Channels, []string{"foo"}, false, func() { close(quiet) })
	if now {
		t.Error("a message is forgotten that waits")
	}
	first.End()
	await(t, published)
	s.say(resp.AppendCommand(nil, "PUBLISH", "foo", "2"))
	close(reply)
	await(t, quiet)
	if n := s.replies(); n > 1 {
		t.Errorf("%d replies in the second lull", n)
	}
	second.End()
	poll(t, "the replies", func() bool { return s.replies() == 2 })
}

// TestLullsHaveAnEnd: neither do messages wait for ever for a Lull, nor a Lull for messages.
func TestLullsHaveAnEnd(t *testing.T) {
	never := make(chan struct{})
	node := redistest.StartScript(t, redistest.Conversation(
		redistest.Expect("PUBLISH", "foo", "1"), redistest.Reply(":1\r\n"), redistest.Expect("PUBLISH", "foo", "2"), redistest.Await(never),
	))
	defer close(never)
	s := alone(t, node.Addr)
	l, _ := s.pipe.d.Lull(Channels, []string{"foo"}, false, nil)
	s.say(resp.AppendCommand(nil, "PUBLISH", "foo", "1"))
	poll(t, "the reply", func() bool { return s.replies() == 1 })
	l.End()
	s.say(resp.AppendCommand(nil, "PUBLISH", "foo", "2"))
	quiet := make(chan struct{})
	l, _ = s.pipe.d.Lull(Channels, []string{"foo"}, false, func() { close(quiet) })
	await(t, quiet)
	s.say(resp.AppendCommand(nil, "PUBLISH", "foo", "3")) // and its client goes
	s.pipe.Close()
	l.End()
	if ms := &s.pipe.d.messages; len(ms.hushed[Channels]) > 0 {
		t.Error("the name is still hushed")
	}
}

// TestStragglers: how long messages may be on their way over the cluster's bus.
func TestStragglers(t *testing.T) {
	virtual(t, Config{}, func(r *rig, c *chart) { stragglers(t, r.d, c) })
}

func stragglers(t *testing.T, d *Dispatcher, c *chart) {
	c.publish(allAt("127.0.0.1:1"))
	ms := &d.messages
	ms.match = func(pattern, channel []byte) bool { return strings.HasPrefix(string(channel), string(pattern)) }
	at := func(unit bool, addr, channel string) {
		m := &message{unit: unit, addr: addr}
		m.one[0].channel = []byte(channel)
		m.said = m.one[:]
		if ms.departLocked(m); unit {
			ms.recentUnits.note(m)
		} else {
			ms.recent.note(m)
		}
	}
	want := func(some bool, scope Scope, names ...string) {
		t.Helper()
		if d := ms.lingerLocked(&Lull{scope: scope, names: names}); d > 0 != some || d > straggle {
			t.Errorf("%v of scope %d: %s", names, scope, d)
		}
	}
	want(false, Patterns, "")
	at(false, "127.0.0.1:1", "near")
	want(false, Patterns, "")
	at(false, "127.0.0.1:2", "far")
	want(true, Patterns, "x", "f")
	want(false, Patterns, "x")
	want(false, Channels, "far") // it is the channel's node, or was
	if ms.lingerLocked(&Lull{scope: Channels, names: []string{"far"}, far: true}) <= 0 {
		t.Error("nobody waits for what is far from its channel's home")
	}
	at(true, "127.0.0.1:2", "unit")
	want(true, Channels, "x", "unit")
	want(true, Patterns, "u")
	want(false, Shards, "unit")
	at(false, "127.0.0.1:1", strings.Repeat("long", 100))
	want(true, Patterns, "x") // nobody has kept it all
	time.Sleep(straggle - 1)
	want(true, Patterns, "f")
	time.Sleep(time.Nanosecond)
	want(false, Patterns, "f")
	want(false, Channels, "unit")
	for range 2 * len(ms.recent.ring) {
		at(false, "127.0.0.1:1", "near")
	}
	want(true, Patterns, "x") // of so many some are forgotten
	want(false, Channels, "x")
}
