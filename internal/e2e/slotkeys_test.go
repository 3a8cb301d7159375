package e2e

import (
	"fmt"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// TestKeysOfSlotThatMoves: KEYS with a hash tag and CLUSTER's questions about a slot are answered in full at each moment of the
// slot's move, each key once.
func TestKeysOfSlotThatMoves(t *testing.T) {
	c, ctx := cluster.Get(t), testContext(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	d.Do("FLUSHALL")
	defer d.Do("FLUSHALL")
	const keys = 50
	for i := range keys {
		d.Do("SET", fmt.Sprintf("{moving}%02d", i), "v")
	}
	d.Do("SET", "other", "v")
	slot := redistest.Slot("{moving}")
	check := func(when string) {
		t.Helper()
		for _, ask := range [][]string{{"KEYS", "{moving}*"}, {"CLUSTER", "GETKEYSINSLOT", fmt.Sprint(slot), "1000"}} {
			got := keysOf(d.Do(ask...).Elems)
			if len(got) != keys || got[0] != "{moving}00" || got[keys-1] != fmt.Sprintf("{moving}%d", keys-1) {
				t.Errorf("%s, %q: %d keys, %q", when, ask, len(got), got)
			}
		}
		d.Do("MULTI")
		d.Do("CLUSTER", "GETKEYSINSLOT", fmt.Sprint(slot), "1000")
		if got := d.Do("EXEC"); len(got.Elems) != 1 || len(got.Elems[0].Elems) != keys {
			t.Errorf("%s, inside MULTI: %+v", when, got)
		}
		if got := d.Do("CLUSTER", "COUNTKEYSINSLOT", fmt.Sprint(slot)); got.Int != keys {
			t.Errorf("%s, COUNTKEYSINSLOT says %+v", when, got)
		}
		if got := d.Do("CLUSTER", "GETKEYSINSLOT", fmt.Sprint(slot), "45"); len(got.Elems) != 45 {
			t.Errorf("%s, GETKEYSINSLOT 45 says %d keys", when, len(got.Elems))
		}
	}
	home := c.OwnerOf(slot)
	from, to := home, c.Primaries()[0]
	if to == from {
		to = c.Primaries()[1]
	}
	check("before")
	for range 2 { // there and back
		steps := []func() error{
			func() error { return c.BeginMigrate(ctx, slot, from, to) },
			func() error { _, err := c.MigrateKeys(ctx, slot, from, to, keys/2); return err },
			func() error { _, err := c.MigrateKeys(ctx, slot, from, to, keys); return err },
			func() error { return c.EndMigrate(ctx, slot, from, to) },
		}
		for i, step := range steps {
			if err := step(); err != nil {
				t.Fatal(err)
			}
			check(fmt.Sprintf("after step %d", i+1))
		}
		from, to = to, from
	}
	// Under way, key by key.
	watcher := startLoad(t, p.Addr, 4, func(c *proxytest.Client, _, _ int) error {
		v, err := c.Do("KEYS", "{moving}*")
		if err == nil && len(v.Elems) != keys {
			err = fmt.Errorf("%d keys, %.200q", len(v.Elems), v.Str)
		}
		return err
	})
	for range 4 {
		if err := c.MoveSlot(ctx, slot, from, to, nil); err != nil {
			t.Fatal(err)
		}
		from, to = to, from
	}
	watcher.pass(1)
	watcher.end()
}
