package pubsub

import (
	"context"
	"slices"
)

// settleLocked appends what is closed when everything of the topic was heard that
// has been published and answered, to fences.
func (t *topic) settleLocked(fences []<-chan struct{}) []<-chan struct{} {
	if t.published.Swap(false) {
		t.fences = nil
		for _, l := range t.legs {
			t.fences = append(t.fences, l.trunk.fenceLocked())
		}
	}
	t.fences = open(t.fences)
	return append(fences, t.fences...)
}

// passLocked appends what is closed when what was heard of the topic has been
// passed on, to passes.
func (t *topic) passLocked(passes []<-chan struct{}) []<-chan struct{} {
	for _, l := range t.legs {
		if pass := l.trunk.fan.mark(); pass != nil && !slices.Contains(passes, pass) {
			passes = append(passes, pass)
		}
	}
	return passes
}

// farLocked reports whether messages of the topic reach the Hub from another node
// than the one that they are sent to.
func (h *Hub) farLocked(t *topic) bool {
	home := ""
	if t.home != nil {
		home = t.home.trunk.addr
	} else {
		home = h.homeLocked(t)
	}
	return home != h.cluster.Owner(t.slot)
}

// open leaves those that are not closed.
func open(chans []<-chan struct{}) []<-chan struct{} {
	return slices.DeleteFunc(chans, func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	})
}

// await waits until all are closed, or ctx ends.
func await(ctx context.Context, chans []<-chan struct{}) {
	for _, c := range chans {
		select {
		case <-c:
		case <-ctx.Done():
			return
		}
	}
}
