package proxy

import (
	"testing"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
)

// TestFlagsOfClientList has each letter alone, and all of them in Redis's order.
func TestFlagsOfClientList(t *testing.T) {
	all := portrait{
		unix: true, activity: dispatcher.Activity{Profile: backend.Profile{NoTouch: true}},
		badge: badge{watches: true, patterns: 1, blocked: true, tracking: true, redirectGone: true, trackingBcast: true, noEvict: true},
	}
	for want, p := range map[string]portrait{
		"N":          {queued: -1},
		"x":          {},
		"O":          {queued: -1, badge: badge{watches: true}},
		"P":          {queued: -1, badge: badge{shardChannels: 2}},
		"b":          {queued: -1, badge: badge{held: &command.Row{}}},
		"t":          {queued: -1, badge: badge{tracking: true}},
		"OPxbtRBUeT": all,
	} {
		if got := p.flags(); got != want {
			t.Errorf("%+v has the flags %s, want %s", p, got, want)
		}
	}
}

// TestKindOfClients: whom CLIENT LIST TYPE and the output limits mean.
func TestKindOfClients(t *testing.T) {
	for want, all := range map[string][]badge{
		"normal": {{}, {watches: true}, {blocked: true}},
		"pubsub": {{channels: 1}, {patterns: 1}, {shardChannels: 1}, {channels: 3, watches: true}},
	} {
		for _, b := range all {
			if got := b.kind(); got != want {
				t.Errorf("%+v is of kind %s, want %s", b, got, want)
			}
		}
	}
}
