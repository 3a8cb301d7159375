package pubsub

import (
	"bytes"
	"testing"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// FuzzHeard has a node push anything that is framed right. What is a message is passed on as it is, or in RESP2 with one
// byte changed for each, and all of it ends in the hub.
func FuzzHeard(f *testing.F) {
	for _, kind := range []string{"message", "smessage", "subscribe", "sunsubscribe"} {
		f.Add([]byte(pushed(resp.RESP3, kind, "news", "x") + pushed(resp.RESP3, kind, "other", "")))
	}
	f.Add([]byte(pushed(resp.RESP3, "pmessage", "*", "news", "x") + pushed(resp.RESP3, "pmessage", "*", "__keyspace@0__:k", "set")))
	f.Add([]byte(">3\r\n$7\r\nmessage\r\n+99999999999999999999\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$-1\r\n_\r\n-ERR x\r\n+PONG\r\n"))
	f.Fuzz(func(t *testing.T, input []byte) {
		h := New(&deaf{})
		two, three := &ear{}, &ear{}
		for _, e := range []*ear{two, three} {
			c := h.NewClient(e, resp.RESP2)
			if e == three {
				c = h.NewClient(e, resp.RESP3)
			}
			for kind, names := range [NumKinds][]string{{"news"}, {"*"}, {"news"}} {
				c.Join(someone, Kind(kind), names)
				h.mu.Lock()
				for _, name := range names {
					c.addLocked(h.findLocked(someone, Kind(kind), name))
				}
				h.mu.Unlock()
			}
		}
		trunk := h.trunks[trunkKey{"A", someone}]
		size := 0
		for len(input) > 0 {
			n, err := resp.ReplyLen(input)
			if n == 0 || err != nil {
				break
			}
			trunk.Heard(input[:n:n])
			input, size = input[n:], size+n
		}
		trunk.Caught()
		h.Close()
		if got := three.heard(); len(got) > size || len(got) != len(two.heard()) {
			t.Errorf("of %d bytes %q and %q are heard", size, got, two.heard())
		}
		if bytes.ContainsRune([]byte(three.heard()[:min(1, len(three.heard()))]), '*') || bytes.HasPrefix([]byte(two.heard()), []byte{'>'}) {
			t.Errorf("the protocols are confused: %q, %q", three.heard(), two.heard())
		}
	})
}

// deaf is a cluster of one node that says nothing by itself.
type deaf struct{}

func (*deaf) SlotOf([]byte) uint16                                                { return 0 }
func (*deaf) Owner(uint16) string                                                 { return "A" }
func (*deaf) Primaries() []string                                                 { return []string{"A"} }
func (*deaf) Replicas() []string                                                  { return nil }
func (*deaf) Moved(string, string)                                                {}
func (*deaf) Refresh(string)                                                      {}
func (*deaf) Lull(Kind, []string, bool, func()) (Lull, bool)                      { return &lull{}, true }
func (*deaf) Match(_, _ []byte) bool                                              { return true }
func (*deaf) Send([]byte)                                                         {}
func (*deaf) Lose(error)                                                          {}
func (*deaf) Flush()                                                              {}
func (*deaf) Resume()                                                             {}
func (*deaf) Close()                                                              {}
func (d *deaf) Open(string, backend.ProfileHandle, backend.StreamHolder) Upstream { return d }
