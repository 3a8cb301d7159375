package backend

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestPatience takes its time and has its cause.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ctx, cancel := WithPatience(t.Context(), time.Second, ErrTimeout)
		defer cancel()
		<-ctx.Done()
		if took := time.Since(begun); took != time.Second || context.Cause(ctx) != ErrTimeout {
			t.Errorf("%v after %v", context.Cause(ctx), took)
		}

		ctx, cancel = WithPatience(t.Context(), time.Second, ErrTimeout)
		time.Sleep(999 * time.Millisecond)
		cancel()
		time.Sleep(time.Hour)
		if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
			t.Errorf("stopped in time: %v", cause)
		}
	})
}

// TestPatienceOutlastsAStandstill: however late a step ends, it is one.
func TestPatienceOutlastsAStandstill(t *testing.T) {
	ended := false
	p := AfterPatience(patienceSteps*time.Hour, func() { ended = true })
	defer p.Stop()
	for range patienceSteps - 1 {
		p.pass()
		if ended {
			t.Fatal("ended too early")
		}
	}
	if p.pass(); !ended {
		t.Error("not ended")
	}
}
