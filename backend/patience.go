package backend

import (
	"context"
	"sync"
	"time"
)

// patienceSteps is in how many steps a patience passes.
const patienceSteps = 4

// patienceTimer ends a context after a while.
type patienceTimer struct {
	// Set at construction.
	step   time.Duration
	cancel context.CancelCauseFunc
	cause  error

	mu sync.Mutex
	// Guarded by mu.
	timer *time.Timer
	left  int // steps
}

// WithPatience is context.WithTimeoutCause for who waits for others, save that it is
// context.Canceled what the context's Err says. The time passes in a few steps, and
// a step that ends late counts as one: when this process stood still the others may
// have done all they should, and there is time left to read it.
func WithPatience(parent context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	p := &patienceTimer{step: d / patienceSteps, cancel: cancel, cause: cause, left: patienceSteps}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(p.step, p.pass)
	return ctx, p.stop
}

func (p *patienceTimer) pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.left--; {
	case p.left > 0:
		p.timer.Reset(p.step)
	case p.left == 0:
		p.cancel(p.cause)
	}
}

func (p *patienceTimer) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = 0
	p.timer.Stop()
	p.cancel(context.Canceled)
}
