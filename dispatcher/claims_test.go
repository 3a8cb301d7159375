package dispatcher

import (
	"testing"

	"redis-cluster-proxy/backend"
)

// lineUp makes claims on one key, all of which wait.
func lineUp(q *queue, n int) []*claim {
	claims := make([]*claim, n)
	for i := range claims {
		c := &claim{woken: make(chan struct{}, 1), parked: true}
		c.spots = []*spot{{claim: c, queue: q}}
		q.pushLocked(c.spots[0])
		claims[i] = c
	}
	return claims
}

func called(claims []*claim) (n int) {
	for _, c := range claims {
		if c.spots[0].called {
			n++
		}
	}
	return n
}

// TestSignalCallsTheOldest, as many as there is something for.
func TestSignalCallsTheOldest(t *testing.T) {
	k := &awaited{kind: classList}
	q := k.queueLocked(classList, false)
	claims := lineUp(q, 5)
	q.signalLocked(2)
	if !claims[0].spots[0].called || !claims[1].spots[0].called || called(claims) != 2 || q.active != 2 || q.more {
		t.Errorf("%d called, %d active", called(claims), q.active)
	}
	q.signalLocked(2) // they have not taken it yet
	if called(claims) != 2 || !q.more {
		t.Errorf("%d called", called(claims))
	}
	q.signalLocked(3)
	if called(claims) != 3 || !claims[2].spots[0].called {
		t.Errorf("%d called", called(claims))
	}
	q.signalLocked(9)
	if called(claims) != 5 || q.active != 5 || !q.more {
		t.Errorf("%d called, more %t", called(claims), q.more)
	}
}

// TestSignalPassesBusyClaimsOver: what nobody has time for is remembered.
func TestSignalPassesBusyClaimsOver(t *testing.T) {
	k := &awaited{kind: classZset}
	q := k.queueLocked(classZset, false)
	claims := lineUp(q, 3)
	claims[0].trying = &spot{}
	claims[1].parked, claims[1].began = false, backend.Now()-2*int64(lookPatience)
	q.signalLocked(1)
	if !claims[2].spots[0].called || called(claims) != 1 {
		t.Errorf("%d called", called(claims))
	}
	q.removeLocked(claims[2].spots[0])
	q.active = 0
	q.signalLocked(1)
	if q.active != 0 || !q.more {
		t.Errorf("%d active, more %t", q.active, q.more)
	}
	claims[1].began = backend.Now() // it will come back to it
	q.signalLocked(1)
	if !claims[1].spots[0].called {
		t.Error("a claim that looks has no turn")
	}
}

// TestSignalByType calls only those who can use it, and all who read.
func TestSignalByType(t *testing.T) {
	k := &awaited{}
	lists := lineUp(k.queueLocked(classList, false), 2)
	readers := lineUp(k.queueLocked(classStream, true), 3)
	one := lineUp(k.queueLocked(classStream+" g", false), 2)
	other := lineUp(k.queueLocked(classStream+" h", false), 2)
	k.signalLocked(kindOther, 1)
	if n := called(lists) + called(readers) + called(one) + called(other); n != 0 {
		t.Errorf("%d called for what nobody wants", n)
	}
	k.signalLocked(classStream, 1)
	if called(lists) != 0 || called(readers) != 3 || called(one) != 1 || called(other) != 1 {
		t.Errorf("%d, %d, %d, %d called", called(lists), called(readers), called(one), called(other))
	}
	k.signalLocked("", 1)
	if called(lists) != 1 {
		t.Errorf("%d called for what may be anything", called(lists))
	}
}

// TestQuestion asks how much there is where that is enough to know.
func TestQuestion(t *testing.T) {
	k := &awaited{id: keyID{0, "k"}}
	for _, c := range []struct{ class, want string }{
		{classList, "*2\r\n$4\r\nLLEN\r\n$1\r\nk\r\n"}, {classZset, "*2\r\n$4\r\nTYPE\r\n$1\r\nk\r\n"},
	} {
		k.queueLocked(c.class, false)
		if got := string(k.questionLocked()); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	for reply, want := range map[string]struct {
		kind string
		n    int
		ok   bool
	}{
		":0\r\n": {"none", 0, true}, ":7\r\n": {classList, 7, true}, "+zset\r\n": {"zset", 1, true}, "+none\r\n": {"none", 1, true},
		"-WRONGTYPE x\r\n": {kindOther, 0, true}, "-NOPERM x\r\n": {"", 0, false},
	} {
		if kind, n, ok := k.heardLocked([]byte(reply)); kind != want.kind || n != want.n || ok != want.ok {
			t.Errorf("%q: %s, %d, %t", reply, kind, n, ok)
		}
	}
}
