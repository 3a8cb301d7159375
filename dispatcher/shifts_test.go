package dispatcher

import (
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
	"redis-cluster-proxy/slots"
)

// TestMessageBehindAShift: when a slot has got another primary, the next message of its channel waits until the last one before it,
// which may have been under way, must have been passed on by the old one.
func TestMessageBehindAShift(t *testing.T) {
	for _, underWay := range []bool{false, true} {
		published, answer, arrived := make(chan struct{}), make(chan struct{}), make(chan int64, 1)
		from := redistest.StartScript(t, redistest.Conversation(redistest.Expect("PUBLISH", "foo", "1"),
			redistest.Do(func() { close(published) }), redistest.Await(answer), redistest.Reply(":1\r\n"), redistest.AwaitClose()))
		to := redistest.StartScript(t, redistest.Conversation(redistest.Expect("PUBLISH", "foo", "2"),
			redistest.Do(func() { arrived <- backend.Now() }), redistest.Reply(":2\r\n"), redistest.AwaitClose()))
		c := newChart(func(string) {})
		r := newRig(t, Config{}, backend.Config{}, c)
		table := slots.NewTable(slots.Hash)
		table.Shards = []*slots.Shard{{Primary: &slots.Node{Addr: from.Addr, Healthy: true}}, {Primary: &slots.Node{Addr: to.Addr, Healthy: true}}}
		clear(table.Slot[:])
		c.publish(table)
		s := r.newSession()
		t.Cleanup(s.close)

		s.say(resp.AppendCommand(nil, "PUBLISH", "foo", "1"))
		await(t, published)
		if !underWay {
			close(answer)
			poll(t, "the reply", func() bool { return s.replies() == 1 })
		}
		last := backend.Now()
		c.assign(slots.Hash([]byte("foo")), to.Addr)
		s.say(resp.AppendCommand(nil, "PUBLISH", "foo", "2"))
		if underWay {
			last = backend.Now()
			close(answer)
		}
		poll(t, "the replies", func() bool { return s.replies() == 2 })
		if waited := time.Duration(<-arrived - last); waited < straggle {
			t.Errorf("under way %t: the second message came %v behind the first one", underWay, waited)
		}
		if got := string(s.take()); got != ":1\r\n:2\r\n" {
			t.Errorf("under way %t: %q", underWay, got)
		}
	}
}

// TestWhatWaitsForShifts: messages of channels in slots that have shifted, and no longer than messages wait at all.
func TestWhatWaitsForShifts(t *testing.T) {
	s := alone(t, "127.0.0.1:1")
	p := s.pipe
	slot, now := slots.Hash([]byte("foo")), backend.Now()
	p.d.shifts.latest.Store(now)
	p.d.shifts.each[slot].Store(now + int64(time.Hour)) // as if it shifted all the time
	foo := []byte("foo")
	for _, c := range []struct {
		what string
		slot uint16
		m    *message
		want bool
	}{
		{"a message", slot, &message{said: []publication{{channel: foo}}}, true},
		{"a message in another slot", slot + 1, &message{said: []publication{{channel: foo}}}, false},
		{"a sharded message", slot, &message{said: []publication{{channel: foo, shard: true}}}, false},
		{"a transaction", slot, &message{said: []publication{{channel: foo}}, unit: true}, false},
		{"a key", slot, nil, false},
		{"a message that has waited for long", slot, &message{said: []publication{{channel: foo}}, patience: now}, false},
	} {
		pt := &part{slot: c.slot, message: c.m}
		p.mu.Lock()
		if got := p.awaitShiftLocked(pt); got != c.want {
			t.Errorf("%s waits: %t", c.what, got)
		}
		p.mu.Unlock()
		if !c.want {
			continue
		}
		if wait := time.Duration(pt.notBefore - backend.Now()); wait > lullPatience {
			t.Errorf("%s waits for %v", c.what, wait)
		}
	}
}
