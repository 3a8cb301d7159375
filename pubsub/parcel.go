package pubsub

import (
	"bytes"

	"redis-cluster-proxy/resp"
)

// parcel is a run as clients get it.
type parcel struct {
	round     *round
	run       *run
	picked    []byte // what is left of the run, if not all of it; see onlyEvents
	starts    []int
	shared    bool   // clients refer to the same bytes
	three     []byte // in RESP3; nil: not made yet
	two       []byte // in RESP2
	delivered int
}

// Clients refer to the same bytes instead of copying them if those are so many,
// or the clients are. A small copy is cheaper than another stretch for the socket,
// but it takes a buffer, and all clients have theirs at the same time.
const (
	shareBytes   = 1 << 10
	shareClients = 64
)

// deliver gathers the run for each subscriber. It is called with the hub's lock
// held, for reading.
func (p *parcel) deliver(t *topic, touched []*Client) []*Client {
	p.shared = p.run.bytes.to-p.run.bytes.from >= shareBytes || len(t.subs) >= shareClients
	for _, sub := range t.subs {
		if sub.since > p.run.stamp {
			continue
		}
		c := sub.client
		c.out.Gather(p.encoded(c.proto), p.shared)
		if !c.gathered.Swap(true) {
			touched = append(touched, c)
		}
		p.delivered += p.messages()
	}
	return touched
}

func (p *parcel) messages() int {
	if p.picked != nil {
		return len(p.starts)
	}
	return p.run.messages.to - p.run.messages.from
}

// encoded returns the run in a protocol. RESP2 has an array where RESP3 has a
// push, and no other difference. What is shared has memory of its own, or a slow
// client would keep that of the whole round.
func (p *parcel) encoded(proto resp.Proto) []byte {
	if proto == resp.RESP3 {
		if p.three == nil {
			if p.three = p.picked; p.three == nil {
				if p.three = p.round.bytes[p.run.bytes.from:p.run.bytes.to]; p.shared {
					p.three = bytes.Clone(p.three)
				}
			}
		}
		return p.three
	}
	if p.two == nil {
		starts, base := p.starts, 0
		if p.picked != nil {
			p.two = bytes.Clone(p.picked)
		} else {
			p.two = bytes.Clone(p.round.bytes[p.run.bytes.from:p.run.bytes.to])
			starts, base = p.round.starts[p.run.messages.from:p.run.messages.to], p.run.bytes.from
		}
		for _, at := range starts {
			p.two[at-base] = '*'
		}
	}
	return p.two
}

// onlyEvents leaves of a run what is told by this node alone. Everything else
// comes from the topic's home. It reports whether something is left.
func (p *parcel) onlyEvents(t *topic) bool {
	if !t.events {
		return false
	}
	if t.kind == Channel {
		return true
	}
	r, run := p.round, p.run
	for i := run.messages.from; i < run.messages.to; i++ {
		end := run.bytes.to
		if i+1 < run.messages.to {
			end = r.starts[i+1]
		}
		message := r.bytes[r.starts[i]:end]
		if _, name := messageOf(message); isEvent(bulkBehind(message, name)) {
			p.starts = append(p.starts, len(p.picked))
			p.picked = append(p.picked, message...)
		}
	}
	return len(p.picked) > 0
}
