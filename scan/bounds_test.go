package scan

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// TestCallsAreBounded: whatever COUNT says, a call ends when it has many bytes, and nothing is missed for it.
func TestCallsAreBounded(t *testing.T) {
	eachKind(t, func(t *testing.T, slotted func() bool) {
		c := newSim(1, 3, slotted)
		const keys, size = 300, 100 << 10
		for i := range keys {
			c.set(fmt.Sprintf("{%d}", i)+strings.Repeat("x", size), "string")
		}
		p := c.proxy()
		total := 0
		for cursor, calls := uint64(0), 1; ; calls++ {
			r := p.step(t, cursor, "COUNT", "1000000")
			if n := len(r.Keys); n > maxBytes/size+1 {
				t.Errorf("call %d: %d keys", calls, n)
			}
			total += len(r.Keys)
			if cursor = r.Cursor; cursor == 0 {
				if calls != 2 {
					t.Errorf("%d calls", calls)
				}
				break
			}
		}
		if total != keys {
			t.Errorf("%d keys of %d", total, keys)
		}
	})
}

// TestSlotsWithoutOwner: slots that belong to nobody are passed over; not so those of which only the proxy does not know
// whose they are.
func TestSlotsWithoutOwner(t *testing.T) {
	eachKind(t, func(t *testing.T, slotted func() bool) {
		c := newSim(1, 3, slotted)
		keys := c.fill(300, 3)
		for slot := range numSlots {
			if len(c.truth[slot].keys[slot]) == 0 && slot%100 < 60 || slot > numSlots-200 {
				c.truth[slot].give(slot, false)
				c.truth[slot] = nil
			}
		}
		want := 0
		for _, key := range keys {
			if c.truth[simSlot(key)] != nil {
				want++
			}
		}
		p := c.proxy()
		for _, slot := range c.slots[:50] {
			p.moved(slot, "")
		}
		if seen, _ := walkAll(t, []*simProxy{p}, nil, "COUNT", "100"); len(seen) != want {
			t.Errorf("%d keys, want %d", len(seen), want)
		}
	})
}

// TestWithoutNodes: what is not known to be empty is an error, not the end.
func TestWithoutNodes(t *testing.T) { synctest.Test(t, withoutNodes) } // it has patience

func withoutNodes(t *testing.T) {
	c := newSim(1, 3, func() bool { return false })
	c.fill(100, 1)
	p := c.proxy()
	scan := func(line string) error {
		req, _ := Parse(words(line))
		_, err := p.Scan(context.Background(), p, &req)
		return err
	}
	c.nodes[1].down = true
	if err := scan("SCAN 0 COUNT 1000"); err == nil || !strings.HasPrefix(err.Error(), "CLUSTERDOWN ") {
		t.Errorf("with a node that is down: %v", err)
	}
	p.known = simLayout{owners: new([numSlots]string)}
	c.truth = [numSlots]*simNode{}
	if err := scan("SCAN 0"); err == nil || !strings.HasPrefix(err.Error(), "CLUSTERDOWN ") {
		t.Errorf("without nodes: %v", err)
	}
}
