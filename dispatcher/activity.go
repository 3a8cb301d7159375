package dispatcher

import (
	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
)

// Intake is what a session's reader has taken in.
type Intake struct {
	// Arrived is when the last bytes came, by backend.Now; 0: none yet.
	Arrived int64
	// Bytes is how many came in all.
	Bytes uint64
	// Unread is how many of them wait to be understood: the beginning of a
	// command, or commands that have to wait.
	Unread int
}

// Activity is what a session does and has done, as far as its Pipeline knows.
type Activity struct {
	// Intake is that of the last batch.
	Intake
	// Last is the row of the last request, nil if there was none.
	Last *command.Row
	// Requests is how many there were, and UnderWay how many are not
	// answered.
	Requests uint64
	UnderWay int
	// Profile is the session's.
	Profile backend.Profile
}

// Inspect calls f with what the session does at the moment. f is called with
// the Pipeline's lock held, like the methods of the Sink. Safe for concurrent use.
func (p *Pipeline) Inspect(f func(Activity)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := Activity{Intake: p.seen, Last: p.last, UnderWay: p.lenLocked(), Profile: p.profile.Value()}
	for _, n := range p.counts.Requests {
		a.Requests += n
	}
	f(a)
}

// TookIn says how many bytes came in all so far and how many of them are left
// for later. Flush makes it known to others, at no cost, since it takes the lock
// anyway.
func (p *Pipeline) TookIn(bytes uint64, unread int) {
	p.intake = Intake{p.arrived, bytes, unread}
}

// noteRequestLocked counts a request.
func (p *Pipeline) noteRequestLocked(row *command.Row) {
	p.counts.Requests[row.Family]++
	p.last = row
}
