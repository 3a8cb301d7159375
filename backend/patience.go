package backend

import (
	"context"
	"sync"
	"time"
)

// patienceSteps is in how many steps a patience passes.
const patienceSteps = 5

// Patience is time.AfterFunc for who waits for others. The time passes in a few
// steps, and a step that ends late counts as one: when this process stood still the
// others may have done all they should, and there is time left to read it.
type Patience struct {
	// Set at construction.
	step time.Duration
	end  func()

	mu sync.Mutex
	// Guarded by mu.
	timer *time.Timer
	left  int // steps
}

// AfterPatience calls end, in a goroutine of its own and without locks, when d has
// passed.
func AfterPatience(d time.Duration, end func()) *Patience {
	p := &Patience{step: d / patienceSteps, end: end, left: patienceSteps}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(p.step, p.pass)
	return p
}

// WithPatience is context.WithTimeoutCause with a Patience, save that it is
// context.Canceled what the context's Err says.
func WithPatience(parent context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	p := AfterPatience(d, func() { cancel(cause) })
	return ctx, func() {
		p.Stop()
		cancel(context.Canceled)
	}
}

func (p *Patience) pass() {
	if p.passStep() {
		p.end()
	}
}

// passStep reports whether that was the last step.
func (p *Patience) passStep() (last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left--; p.left > 0 {
		p.timer.Reset(p.step)
	}
	return p.left == 0
}

// Stop keeps the end from being called, unless it is so already. It does not wait for
// it. It may be called again.
func (p *Patience) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = 0
	p.timer.Stop()
}
