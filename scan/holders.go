package scan

import (
	"context"
	"errors"
)

// Holders returns the addresses of the nodes that have keys of a slot: its owner
// and, if that gives the slot away, the one it gives it to behind it. A key goes from
// the former to the latter and not back, so whoever asks them in this order, and
// finds that they are still the same, has seen each key that was there all the time.
// It waits for a failover as Cluster.AskSlot does.
func (w *Walker) Holders(ctx context.Context, c Cluster, slot uint16) ([]string, error) {
	s := &walk{Walker: w, ctx: ctx, c: c, layout: c.Layout()}
	for {
		addrs, err := s.holders(int(slot))
		if err == nil {
			return addrs, nil
		}
		if err = s.settle(int(slot), err); err != nil {
			return nil, err
		}
	}
}

func (w *walk) holders(slot int) (addrs []string, err error) {
	at := w.layout.Owner(uint16(slot))
	if at == "" {
		return nil, &trouble{errors.New("CLUSTERDOWN Hash slot not served")}
	}
	for probed := slot; ; probed = -1 {
		g, err := w.glimpse(at, probed)
		switch {
		case err != nil:
			return nil, err
		case !g.view.holds(slot), addrs == nil && !g.view.owns(slot), len(addrs) == maxChain:
			return nil, errMoved
		}
		addrs = append(addrs, at)
		id, leaves := g.view.leaving[slot]
		if !leaves {
			return addrs, nil
		}
		at = w.addrOf(id, g.view)
	}
}

// addrOf returns the address of a node that v names.
func (w *walk) addrOf(id string, v *view) string {
	if addr := w.layout.Addr(id); addr != "" {
		return addr
	}
	return v.addrOf(id)
}
