package backend

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLooksThatAreLate do not count, each time that the process has stood still, but not twice in a row.
func TestLooksThatAreLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = 100 * time.Millisecond
		l := newTicker(every)
		defer l.Stop()
		look := func(stood time.Duration, wait time.Duration, counts bool) {
			t.Helper()
			time.Sleep(stood)
			began := time.Now()
			<-l.C
			if waited := time.Since(began); waited != wait {
				t.Errorf("after standing still for %s it came after %s, want %s", stood, waited, wait)
			}
			if got := l.counts(); got != counts {
				t.Errorf("after standing still for %s it counts: %t", stood, got)
			}
		}
		look(0, every, true)
		look(every/2, every/2, true)
		look(2*every, 0, true) // a little late
		look(3*every+every/2, 0, false)
		look(0, every, true) // not the half that would be left
		look(time.Hour, 0, false)
		look(time.Hour, 0, true) // or a machine that is always late would find nothing
		look(time.Hour, 0, false)
	})
}
