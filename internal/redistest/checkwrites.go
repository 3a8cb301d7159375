package redistest

import "testing"

// CheckWrites compares what was executed on a key by SET and MSET, with values that each come once, with what sessions were told:
// nothing was executed twice, what was acknowledged to a session was executed, in the order of acked, which has the values
// of each session, and the key has the value that was written last.
func (c *FakeCluster) CheckWrites(tb testing.TB, key string, acked ...[]string) {
	tb.Helper()
	at, last := map[string]int{}, "" // when a value was written
	for n, e := range c.Writes(key) {
		for j := 1; j+1 < len(e.Args); j += 2 {
			if e.Args[j] != key {
				continue
			}
			last = e.Args[j+1]
			if _, twice := at[last]; twice {
				tb.Errorf("%s: %.20s was executed twice", key, last)
			}
			at[last] = n
		}
	}
	for _, values := range acked {
		before := -1
		for _, value := range values {
			n, executed := at[value]
			if !executed {
				tb.Errorf("%s: %.20s was acknowledged and not executed", key, value)
			} else if n < before {
				tb.Errorf("%s: %.20s was executed before one that was sent earlier", key, value)
			}
			before = max(before, n)
		}
	}
	if got, _ := c.OwnerOf(Slot(key)).Get(key); got != last {
		tb.Errorf("%s is %.20q, want %.20q, which was written last", key, got, last)
	}
}
