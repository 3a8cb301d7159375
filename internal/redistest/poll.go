package redistest

import (
	"context"
	"fmt"
	"time"
)

// pollInterval is how often a condition is looked at while it is awaited.
const pollInterval = 10 * time.Millisecond

// poll calls check until it returns nil or ctx ends; then its last error says what was missing.
func poll(ctx context.Context, what string, check func() error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: %w", what, ctx.Err(), err)
		case <-tick.C:
		}
	}
}
