package scan

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
)

// step sends one SCAN.
func (p *simProxy) step(t testing.TB, cursor uint64, options ...string) Reply {
	t.Helper()
	args := [][]byte{[]byte("SCAN"), strconv.AppendUint(nil, cursor, 10)}
	for _, o := range options {
		args = append(args, []byte(o))
	}
	req, ok := Parse(args)
	if !ok {
		t.Fatalf("Parse(%q) failed", args)
	}
	reply, err := p.Scan(context.Background(), p, &req)
	if err != nil {
		t.Fatalf("SCAN %d: %v", cursor, err)
	}
	if reply.Cursor >= 1<<53 {
		t.Fatalf("cursor %d is beyond 2^53", reply.Cursor)
	}
	return reply
}

// walkAll scans everything, each call by another of the proxies, and returns
// how often each key was told and how many calls it took.
func walkAll(t testing.TB, proxies []*simProxy, between func(), options ...string) (seen map[string]int, calls int) {
	t.Helper()
	seen = map[string]int{}
	for cursor := uint64(0); ; {
		reply := proxies[calls%len(proxies)].step(t, cursor, options...)
		for _, key := range reply.Keys {
			seen[string(key)]++
		}
		if calls++; reply.Cursor == 0 {
			return seen, calls
		}
		if cursor = reply.Cursor; calls > 200_000 {
			t.Fatal("the walk does not end")
		}
		if between != nil {
			between()
		}
	}
}

// kinds are the kinds of clusters there are.
var kinds = []struct {
	name    string
	slotted func(i *int) bool
}{
	{"flat", func(*int) bool { return false }},
	{"slotted", func(*int) bool { return true }},
	{"mixed", func(i *int) bool { *i++; return *i%2 == 0 }},
}

func eachKind(t *testing.T, f func(t *testing.T, slotted func() bool)) {
	for _, kind := range kinds {
		i := 0
		t.Run(kind.name, func(t *testing.T) { f(t, func() bool { return kind.slotted(&i) }) })
	}
}

// fill makes n keys in each of some slots and returns them.
func (c *simCluster) fill(tags, n int) (keys []string) {
	for i := range tags {
		tag := fmt.Sprintf("{%d}", i)
		c.slots = append(c.slots, simSlot(tag))
		for j := range n {
			key := fmt.Sprintf("%s:%d", tag, j)
			c.set(key, []string{"string", "hash"}[j%2])
			keys = append(keys, key)
		}
	}
	slices.Sort(c.slots)
	c.slots = slices.Compact(c.slots)
	return keys
}

// TestQuietWalk: of a cluster where nothing happens, each key is told exactly
// once, and the number of calls is about that of keys by COUNT.
func TestQuietWalk(t *testing.T) {
	eachKind(t, func(t *testing.T, slotted func() bool) {
		for _, tt := range []struct{ tags, each, count, calls int }{
			{0, 0, 10, 1},
			{1, 1, 10, 1},
			{20, 1, 10, 4},
			{300, 3, 10, 110},
			{300, 3, 100, 13},
			{5, 2000, 100, 180},
			{5, 400, 1000, 6},
		} {
			c := newSim(1, 3, slotted)
			keys := c.fill(tt.tags, tt.each)
			seen, calls := walkAll(t, []*simProxy{c.proxy()}, nil, "COUNT", strconv.Itoa(tt.count))
			if len(seen) != len(keys) {
				t.Errorf("%+v: %d keys of %d", tt, len(seen), len(keys))
			}
			for key, n := range seen {
				if n != 1 {
					t.Errorf("%+v: %s was told %d times", tt, key, n)
				}
			}
			if calls > tt.calls {
				t.Errorf("%+v: %d calls", tt, calls)
			}
			t.Logf("%+v: %d calls, %d commands", tt, calls, c.asked)
		}
	})
}

// TestNothingIsMissed: whatever happens to slots, nodes and tables, between and
// in the middle of calls of two proxies, each key that was there all the time is
// told.
func TestNothingIsMissed(t *testing.T) {
	eachKind(t, func(t *testing.T, slotted func() bool) {
		for seed := range uint64(40) {

			c := newSim(seed, 2+int(seed%3), slotted)
			keys := c.fill([]int{1, 3, 30, 200}[seed%4], []int{2000, 500, 40, 6}[seed%4])
			proxies := []*simProxy{c.proxy(), c.proxy()}
			extra := 0
			c.happen = func() {
				if c.rand.IntN(4) > 0 {
					return
				}
				switch k := c.rand.IntN(100); {
				case k < 20:
					c.begin()
				case k < 70:
					c.move(1 + c.rand.IntN(100))
				case k < 75:
					c.failOver()
				case k < 77:
					c.restart()
				case k < 80:
					c.resize()
				case k < 81 && len(c.nodes) < 8:
					c.addNode()
				case k < 90:
					extra++
					c.set(fmt.Sprintf("{%d}:x%d", c.rand.IntN(200), extra%500), "string")
				case k < 92:
					proxies[c.rand.IntN(2)].refresh()
				}
			}
			calm := 0
			seen, calls := walkAll(t, proxies, func() {
				if c.rand.IntN(20) == 0 {
					c.abort() // not while both ends are asked: see fetchMoving
				}
				if calm++; calm > 3000 { // with that much going on a slot may never be done
					c.happen = nil
				}
			}, "COUNT", []string{"1", "10", "100", "1000"}[c.rand.IntN(4)])
			missed := 0
			for _, key := range keys {
				if seen[key] == 0 {
					missed++
				}
			}
			if missed > 0 {
				t.Errorf("seed %d: %d of %d keys were missed in %d calls", seed, missed, len(keys), calls)
			}
		}
	})
}

// TestOptions: MATCH and TYPE leave out what they should, and keys that have
// expired are not told.
func TestOptions(t *testing.T) {
	eachKind(t, func(t *testing.T, slotted func() bool) {
		c := newSim(1, 3, slotted)
		keys := c.fill(600, 6)
		for i, key := range keys {
			if i%7 == 0 {
				c.set(key, expired)
			}
		}
		slot, from, to := c.slots[100], c.owner(c.slots[100]), c.nodes[2] // one slot is moving
		if from == to {
			t.Fatal("the slot moves nowhere")
		}
		to.coming[slot], from.leaving[slot] = from, to
		c.move(3)
		for _, options := range [][]string{
			{}, {"TYPE", "hash"}, {"TYPE", "HASH"}, {"TYPE", "none"}, {"MATCH", "*:3"}, {"MATCH", "*:[1-3]", "TYPE", "string"},
			{"MATCH", "{77}:*"}, {"MATCH", "{77}:3"}, {"MATCH", "{" + "no}:*"},
		} {
			match, kind := "", ""
			for i := 0; i < len(options); i += 2 {
				if options[i] == "MATCH" {
					match = options[i+1]
				} else {
					kind = map[string]string{"hash": "hash", "HASH": "hash", "string": "string", "none": "none"}[options[i+1]]
				}
			}
			want := map[string]bool{}
			for i, key := range keys {
				is := []string{"string", "hash"}[i%6%2]
				if i%7 != 0 && (kind == "" || kind == is) && (match == "" || matches([]byte(match), []byte(key))) {
					want[key] = true
				}
			}
			seen, _ := walkAll(t, []*simProxy{c.proxy()}, nil, append(options, "COUNT", "50")...)
			if len(seen) != len(want) {
				t.Errorf("%q: %d keys, want %d", options, len(seen), len(want))
			}
			for key := range seen {
				if !want[key] {
					t.Errorf("%q: %s was told", options, key)
				}
			}
		}
	})
}
