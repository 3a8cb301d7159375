package dispatcher

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

func TestBackoff(t *testing.T) {
	for _, first := range []time.Duration{time.Millisecond, 5 * time.Millisecond} {
		for attempt := range 70 {
			whole := maxBackoff
			if attempt < 10 {
				whole = min(maxBackoff, first<<max(attempt-1, 0))
			}
			spread := map[time.Duration]bool{}
			for range 200 {
				d := backoff(attempt, first)
				if d < whole/2 || d > whole {
					t.Fatalf("attempt %d from %s: %s, want %s to %s", attempt, first, d, whole/2, whole)
				}
				spread[d] = true
			}
			if len(spread) < 10 {
				t.Errorf("attempt %d from %s: only %d different waits", attempt, first, len(spread))
			}
		}
	}
}

// virtually runs f in virtual time, in a subtest if it has a name.
func virtually(t *testing.T, name string, f func(t *testing.T)) {
	run := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			// Virtual time begins in the year 2000; backend.Now counts from the start of this process, and is positive.
			time.Sleep(100 * 365 * 24 * time.Hour)
			f(t)
		})
	}
	if name == "" {
		run(t)
	} else {
		t.Run(name, run)
	}
}

// virtual runs f with a Dispatcher in virtual time, in which no slot has a node.
func virtual(t *testing.T, cfg Config, f func(r *rig, c *chart)) {
	virtually(t, "", func(t *testing.T) {
		c := newChart(func(string) {})
		r := &rig{pool: backend.NewPool(backend.Config{}), table: command.Builtin()}
		r.d = New(cfg, r.pool, c)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.d.Run(ctx) })
		f(r, c)
		cancel()
		running.Wait()
		r.pool.Close()
	})
}

func get(key string) []byte { return resp.AppendCommand(nil, "GET", key) }

// TestTimeBudget waits for a slot that nobody serves, to the end of the budget and no longer.
func TestTimeBudget(t *testing.T) {
	for _, cfg := range []Config{{}, {RedirectTimeout: 15 * time.Second}, {RedirectTimeout: -1}} {
		want := map[time.Duration]time.Duration{0: 5 * time.Second, 15 * time.Second: 15 * time.Second, -1: 0}[cfg.RedirectTimeout]
		virtual(t, cfg, func(r *rig, _ *chart) {
			s := r.newSession()
			defer s.close()
			began := time.Now()
			s.say(get("foo"))
			replies, err := s.next(1)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != want || replies[0].Str != errNotServed {
				t.Errorf("%q after %s, want it after %s", replies[0].Str, took, want)
			}
		})
	}
}

// TestHeldPartsShareTheBudget sends many commands, one after another, to a slot that nobody serves: those that wait behind
// the first fail with it, and do not wait for their own budgets in turn.
func TestHeldPartsShareTheBudget(t *testing.T) {
	virtual(t, Config{}, func(r *rig, _ *chart) {
		s := r.newSession()
		defer s.close()
		began := time.Now()
		for range 50 {
			s.say(get("foo"))
			time.Sleep(10 * time.Millisecond)
		}
		replies, err := s.next(50)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range replies {
			if v.Str != errNotServed {
				t.Errorf("%q", v.Str)
			}
		}
		if took := time.Since(began); took > 5*time.Second+maxBackoff {
			t.Errorf("all have failed after %s", took)
		}
	})
}

// TestRetriesAreSpread counts how often a part is tried in its five seconds.
func TestRetriesAreSpread(t *testing.T) {
	virtual(t, Config{}, func(r *rig, _ *chart) {
		s := r.newSession()
		defer s.close()
		s.say(get("foo"))
		if _, err := s.next(1); err != nil {
			t.Fatal(err)
		}
		// About 7 attempts up to 250 ms, then 20 to 40.
		if n := r.d.stats.Retries.Load(); n < 15 || n > 60 {
			t.Errorf("%d retries in five seconds", n)
		}
	})
}

// TestTopologyChangeHurries has a waiting part looked at as soon as the layout changes, not when its wait is over.
func TestTopologyChangeHurries(t *testing.T) {
	virtual(t, Config{}, func(r *rig, c *chart) {
		s := r.newSession()
		defer s.close()
		s.say(get("foo"))
		time.Sleep(3 * time.Second) // the waits are 125 ms and more by now
		before := r.d.stats.Retries.Load()
		for i := range 20 {
			c.assign(uint16(i), fmt.Sprintf("127.0.0.1:%d", 1+i)) // other slots
			synctest.Wait()
		}
		if n := r.d.stats.Retries.Load() - before; n != 20 {
			t.Errorf("%d retries for 20 changes", n)
		}
	})
}

// TestClosedPipelineLetsGo has nothing happen for a session that is gone.
func TestClosedPipelineLetsGo(t *testing.T) {
	virtual(t, Config{}, func(r *rig, _ *chart) {
		s := r.newSession()
		for i := range 10 {
			s.say(get(fmt.Sprint(i)))
		}
		s.say(resp.AppendCommand(nil, "MGET", "foo", "bar"))
		s.close()
		if n := s.pipe.Len(); n != 0 {
			t.Errorf("%d requests are left", n)
		}
		before := r.d.stats.Retries.Load()
		time.Sleep(time.Minute)
		if n := r.d.stats.Retries.Load() - before; n != 0 {
			t.Errorf("%d retries after the session's end", n)
		}
		if got := s.take(); len(got) > 0 {
			t.Errorf("%q was sent to a client that is gone", got)
		}
	})
}

// TestLateOutput has a reply that is ready wait for those behind it, but not for long: the longer the client has waited
// already, the longer, up to a limit.
func TestLateOutput(t *testing.T) {
	for _, tt := range []struct{ waited, most time.Duration }{
		{0, 2 * lateAfter}, {lateAfter, 2 * lateAfter}, {6 * lateAfter, 4 * lateAfter}, {time.Hour, mostLate + lateAfter},
	} {
		lateOutput(t, tt.waited, tt.most)
	}
}

func lateOutput(t *testing.T, waited, most time.Duration) {
	virtual(t, Config{}, func(r *rig, _ *chart) {
		s := r.newSession()
		defer s.close()
		row, err := r.table.Lookup([][]byte{[]byte("PING")})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the lateLoop has nothing to do
		first, second := s.pipe.Reserve(row), s.pipe.Reserve(row)
		p := s.pipe
		p.mu.Lock()
		p.seen.Arrived = backend.Now() - int64(waited)
		p.finishLocked(first.r, []byte("+1\r\n"), nil)
		f := p.flusherLocked()
		p.mu.Unlock()
		f.Flush()
		synctest.Wait()
		if got := s.take(); len(got) > 0 {
			t.Errorf("%q did not wait", got)
		}
		began := time.Now()
		if _, err := s.next(1); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > most || took < most-lateAfter {
			t.Errorf("a reply waited for %s, want %s at the most, and at least %s", took, most, most-lateAfter)
		}
		s.pipe.Answer(second, Whole([]byte("+2\r\n")))
		if got := string(s.take()); got != "+2\r\n" {
			t.Errorf("%q", got)
		}
	})
}

// TestRetryQueueOrder takes retries out when they are due, the earliest first.
func TestRetryQueueOrder(t *testing.T) {
	virtually(t, "", func(t *testing.T) {
		var q retryQueue
		q.init()
		now := backend.Now()
		for _, slot := range []uint16{7, 2, 9, 4, 1} {
			q.add(nil, slot, now+int64(slot)*int64(time.Second))
		}
		if list, _, wait := q.due(); len(list) != 0 || wait != time.Second {
			t.Errorf("at once %d, then a wait of %s", len(list), wait)
		}
		time.Sleep(4 * time.Second)
		list, urged, wait := q.due()
		if len(list) != 3 || list[0].slot != 1 || list[2].slot != 4 || urged || wait != 3*time.Second {
			t.Errorf("after four seconds %v, urged %t, then a wait of %s", list, urged, wait)
		}
		q.hurry()
		if list, urged, wait := q.due(); len(list) != 2 || !urged || wait >= 0 {
			t.Errorf("in a hurry %v, urged %t, then a wait of %s", list, urged, wait)
		}
		q.hurry()
		if _, urged, _ := q.due(); urged {
			t.Error("an empty queue is in a hurry")
		}
	})
}

// TestMovingPasses remembers for a while which slots are moving.
func TestMovingPasses(t *testing.T) {
	virtually(t, "", func(t *testing.T) {
		var m movingSlots
		if m.is(7) {
			t.Error("a slot moves from the start")
		}
		m.note(7)
		m.note(noSlot)
		time.Sleep(movingFor)
		if !m.is(7) || m.is(8) || m.is(noSlot) {
			t.Error("want slot 7 only")
		}
		m.note(8)
		time.Sleep(movingFor)
		if m.is(7) || !m.is(8) {
			t.Error("want slot 8 only")
		}
		time.Sleep(time.Nanosecond)
		if m.is(8) {
			t.Error("past its time")
		}
	})
	// In the first second of the process, when backend.Now is small.
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Duration(-backend.Now()))
		var m movingSlots
		m.note(7)
		if !m.is(7) || m.is(8) {
			t.Error("in the first second: want slot 7 only")
		}
	})
}
