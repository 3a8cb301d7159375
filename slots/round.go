package slots

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// wantViews is how many nodes' views one load compares.
const wantViews = 3

// pace is how long a load waits for nodes.
type pace struct {
	// settle is for how long a load that has a good view waits for the others it asked for.
	settle time.Duration
	// settleBad is the same while all views are bad (cluster_state:fail, an older epoch): a better one is worth more time,
	// but a load that hangs on dead nodes would see the end of a failover late.
	settleBad time.Duration
	// hedge is after how long without a good view more nodes are asked.
	hedge time.Duration
	// askAgain is after how long without any view all nodes are asked once more: a name may lead elsewhere meanwhile, and a
	// node may be back, while questions to addresses that are gone hang for as long as connecting may take.
	askAgain time.Duration
}

var usualPace = pace{
	settle: 50 * time.Millisecond, settleBad: 250 * time.Millisecond, hedge: 100 * time.Millisecond, askAgain: time.Second,
}

// round is one load's asking around. Owned by the goroutine of Load; askers share only answers.
type round struct {
	c        *Cluster
	minEpoch uint64 // views of a lower one are not good
	waiting  []string
	met      map[string]bool // every address that is or was in waiting
	started  int
	pending  int
	answers  chan answer
	views    []*view
	good     int
	errs     []error
}

type answer struct {
	view *view
	err  error
}

func (c *Cluster) newRound() *round {
	r := &round{c: c, waiting: c.candidates(), met: map[string]bool{}, answers: make(chan answer)}
	if c.current.view != nil {
		r.minEpoch = c.current.view.epoch
	}
	for _, addr := range r.waiting {
		r.met[addr] = true
	}
	return r
}

// collect returns the views of some nodes, or an error if no node gave one.
func (r *round) collect(ctx context.Context) ([]*view, error) {
	done := make(chan struct{}) // lets the askers go whose answers come too late
	defer close(done)
	hedged := time.NewTicker(r.c.pace.hedge)
	defer hedged.Stop()
	again, until := time.NewTicker(r.c.pace.askAgain), time.Now().Add(r.c.cfg.ConnectTimeout)
	defer again.Stop()
	settled := time.NewTimer(time.Hour)
	defer settled.Stop()
	r.launch(wantViews, done)
	for r.pending > 0 && r.good < wantViews {
		select {
		case a := <-r.answers:
			r.pending--
			r.take(a)
			if r.good == 0 {
				r.launch(1, done)
			} else if r.started < wantViews {
				r.launch(wantViews-r.started, done) // nodes that the first view named
			}
			switch {
			case r.good > 0:
				settled.Reset(r.c.pace.settle)
			case len(r.views) > 0:
				settled.Reset(r.c.pace.settleBad)
			}
		case <-hedged.C:
			if r.good == 0 {
				r.launch(r.started, done)
			}
		case <-again.C:
			if len(r.views) == 0 && len(r.waiting) == 0 && time.Now().Before(until) {
				r.waiting = r.c.candidates()
				r.launch(len(r.waiting), done)
			}
		case <-settled.C:
			return r.views, nil
		case <-ctx.Done():
			return r.views, fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
		}
	}
	return r.views, r.failure()
}

func (r *round) take(a answer) {
	if a.err != nil {
		r.errs = append(r.errs, a.err)
		return
	}
	r.views = append(r.views, a.view)
	if a.view.ok && a.view.epoch >= r.minEpoch {
		r.good++
	}
	for _, n := range a.view.table.Nodes() {
		if !r.met[n.Addr] {
			r.met[n.Addr] = true
			r.waiting = append(r.waiting, n.Addr)
		}
	}
}

// launch asks the next n nodes that were not asked yet.
func (r *round) launch(n int, done <-chan struct{}) {
	for ; n > 0 && len(r.waiting) > 0; n-- {
		addr := r.waiting[0]
		r.waiting = r.waiting[1:]
		node, err := r.c.node(addr)
		if err != nil {
			r.errs = append(r.errs, err)
			return
		}
		r.started++
		r.pending++
		r.c.asks.Add(1)
		go r.c.ask(node, r.answers, done)
	}
}

// failure says why there is no view, with the reasons of at most maxListed nodes.
func (r *round) failure() error {
	if len(r.errs) == 0 {
		return fmt.Errorf("%w: no address is known", ErrUnreachable)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, errors.Join(r.errs[:min(len(r.errs), maxListed)]...))
}

// ask hands one node's view to a round unless that is over.
func (c *Cluster) ask(node *nodeClient, answers chan<- answer, done <-chan struct{}) {
	defer c.asks.Done()
	v, err := node.view(c.ctx)
	select {
	case answers <- answer{v, err}:
	case <-done:
	}
}
