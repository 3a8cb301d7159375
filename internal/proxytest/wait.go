package proxytest

import (
	"context"
	"testing"
	"time"
)

// longTest is longer than any test takes on a machine that has much else to do.
const longTest = 3 * time.Minute

// Context ends with the test, and before it when longTest is over.
func Context(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), longTest)
	tb.Cleanup(cancel)
	return ctx
}

// Eventually waits until check is true, and ends the test if it never is.
func Eventually(tb testing.TB, what string, check func() bool) {
	tb.Helper()
	Within(tb, Patience, what, check)
}

// Within is Eventually for what has a time of its own.
func Within(tb testing.TB, d time.Duration, what string, check func() bool) {
	tb.Helper()
	deadline := time.Now().Add(d)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !check() {
		if time.Now().After(deadline) {
			tb.Fatalf("not within %v: %s", d, what)
		}
		<-tick.C
	}
}
