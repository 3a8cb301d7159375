package backend

import "time"

// looks is when Pool.Run looks for what is late. A look that comes much too late
// itself, for the process or its machine has stood still, would find everything late:
// what has arrived meanwhile was not read. So it does not count, and the next one, a
// whole period later, does.
type looks struct {
	// Set at construction.
	every time.Duration
	*time.Ticker

	// Owned by Pool.Run.
	last    int64 // when one was due or made, by Now
	excused bool  // the last one did not count
}

func newLooks(every time.Duration) *looks {
	return &looks{every: every, Ticker: time.NewTicker(every), last: Now()}
}

// counts reports whether the look that is made now counts.
func (l *looks) counts() bool {
	now := Now()
	l.excused = !l.excused && now-l.last > 2*int64(l.every)
	l.last = now
	if l.excused {
		l.Reset(l.every)
	}
	return !l.excused
}
