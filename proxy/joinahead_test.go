package proxy_test

import (
	"fmt"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
)

// TestSubscriptionsInARow: what is begun before its turn is confirmed in its turn, as by one server, whatever stands between.
func TestSubscriptionsInARow(t *testing.T) {
	tw := startTwins(t)
	many := []string{}
	for i := range 100 {
		many = append(many, fmt.Sprintf("SUBSCRIBE ahead:%d", i))
	}
	for _, hello := range []string{"", commands("HELLO 3")} {
		for _, lines := range [][]string{
			many,
			{"SUBSCRIBE ahead:a", "SUBSCRIBE ahead:b ahead:c", "SUBSCRIBE ahead:b", "PSUBSCRIBE ahead:*", "SUBSCRIBE ahead:d", "UNSUBSCRIBE ahead:b", "SUBSCRIBE ahead:b"},
			{"SUBSCRIBE ahead:a", "SUBSCRIBE", "SUBSCRIBE ahead:b", "SSUBSCRIBE ahead:s", "NOSUCH", "SUBSCRIBE ahead:c"},
			{"SUBSCRIBE ahead:a", "SUBSCRIBE ahead:b", "RESET", "PING", "SUBSCRIBE ahead:b"},
			{"SUBSCRIBE ahead:a", "SUBSCRIBE ahead:b", "PING", "SUBSCRIBE ahead:c", "QUIT", "SUBSCRIBE ahead:d"},
		} {
			tw.alike(t, hello+commands(lines...))
		}
	}
}

// TestNothingStaysSubscribed of clients that leave with subscriptions under way.
func TestNothingStaysSubscribed(t *testing.T) {
	p := start(t, proxytest.Config{})
	for i := range 20 {
		d := proxytest.Connect(t, p.Addr)
		for n := range 20 {
			if err := d.SendCommand("SUBSCRIBE", fmt.Sprintf("leaving:%d:%d", i, n)); err != nil {
				t.Fatal(err)
			}
		}
		if i%2 == 0 {
			d.Hear()
		}
		_ = d.Reset()
	}
	eventually(t, "the nodes have no subscription", func() bool {
		for _, n := range cluster.Get(t).Nodes() {
			if len(n.Client().PubSubChannels(t.Context(), "leaving:*").Val()) > 0 {
				return false
			}
		}
		return true
	})
}
