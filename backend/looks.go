package backend

import "time"

// Looks is when somebody looks, again and again, for what is late. A look that comes
// much too late itself, for the process or its machine has stood still, would find
// everything late: what has arrived meanwhile was not read. So it does not count, and
// the next one, which is to come a whole period later, does.
type Looks struct {
	every   time.Duration
	last    int64 // when one was due or made, by Now
	excused bool  // the last one did not count
}

// NewLooks is for looks that begin now, one every so often.
func NewLooks(every time.Duration) Looks { return Looks{every: every, last: Now()} }

// Counts reports whether the look that is made now counts. It is asked once for each,
// by one goroutine at a time.
func (l *Looks) Counts() bool {
	now := Now()
	l.excused = !l.excused && now-l.last > 2*int64(l.every)
	l.last = now
	return !l.excused
}

// ticker is when Pool.Run looks.
type ticker struct {
	*time.Ticker       // set at construction
	looks        Looks // owned by Pool.Run
}

func newTicker(every time.Duration) *ticker {
	return &ticker{Ticker: time.NewTicker(every), looks: NewLooks(every)}
}

// counts reports whether the look that is made now counts.
func (t *ticker) counts() bool {
	counts := t.looks.Counts()
	if !counts {
		t.Reset(t.looks.every)
	}
	return counts
}
