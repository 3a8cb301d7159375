package dispatcher

import (
	"sync"
	"sync/atomic"

	"redis-cluster-proxy/command"
)

// Counts are requests and error replies by command family, as clients see them.
type Counts struct {
	Requests, Errors [command.NumFamilies]uint64
}

func (c *Counts) add(o *Counts) {
	for i := range c.Requests {
		c.Requests[i] += o.Requests[i]
		c.Errors[i] += o.Errors[i]
	}
}

// Stats are a Dispatcher's counters.
type Stats struct {
	// Bounces counts parts that came back, by reason.
	Bounces [numBounces]atomic.Uint64
	// Retries counts parts sent again.
	Retries atomic.Uint64
	// Unknown counts writes whose result is unknown.
	Unknown atomic.Uint64
	// Splits counts requests sent in several parts.
	Splits atomic.Uint64
	// Transactions counts EXECs that were not refused for what had been queued.
	Transactions atomic.Uint64
	// Aborted counts those that were answered with nil because a watched key
	// had changed, or might have.
	Aborted atomic.Uint64

	mu sync.Mutex
	// Guarded by mu.
	pipes map[*Pipeline]struct{}
	gone  Counts // of the sessions that ended
}

// join makes p's counts part of the sums.
func (s *Stats) join(p *Pipeline) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipes == nil {
		s.pipes = make(map[*Pipeline]struct{})
	}
	s.pipes[p] = struct{}{}
}

// leave keeps the counts of p, which is closed.
func (s *Stats) leave(p *Pipeline) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pipes, p)
	p.mu.Lock()
	defer p.mu.Unlock()
	s.gone.add(&p.counts)
}

// Counts returns the sums over all sessions since the start.
func (d *Dispatcher) Counts() Counts {
	d.stats.mu.Lock()
	defer d.stats.mu.Unlock()
	sum := d.stats.gone
	for p := range d.stats.pipes {
		p.mu.Lock()
		sum.add(&p.counts)
		p.mu.Unlock()
	}
	return sum
}
