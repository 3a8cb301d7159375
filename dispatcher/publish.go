package dispatcher

import (
	"bytes"
	"context"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// A message is published at the owner of its channel's slot, as if the channel
// were a key. Any node would pass it on to all others, but there those who subscribe
// through a proxy are, and messages of one channel keep their order.

// publishes reports whether a command is PUBLISH or SPUBLISH.
func publishes(row *command.Row) bool { return row.Is("publish") || row.Is("spublish") }

// destination is the slot whose owner a unit is sent to. One without keys that
// publishes goes where its first message would go by itself, so that this keeps its
// place among the others of its channel.
func (d *Dispatcher) destination(u *unit) uint16 {
	if u.slot == noSlot && len(u.published) > 0 {
		return d.hash(u.published[0].channel)
	}
	return u.slot
}

// Audience returns what to add to the number of receivers that the node at addr
// has told of a message in a channel, a sharded one or not. It must not block.
type Audience func(addr string, shard bool, channel []byte) (more int)

// SetAudience makes f correct the replies to PUBLISH and SPUBLISH, while match tells
// what patterns are about in a Lull: it reports whether a channel matches one. It must
// be called before there are Lulls.
func (d *Dispatcher) SetAudience(f Audience, match func(pattern, channel []byte) bool) {
	d.messages.mu.Lock()
	d.messages.match = match
	d.messages.mu.Unlock()
	d.audience.Store(&f)
}

// counted returns the reply to a PUBLISH or SPUBLISH as its client is to see it. Who
// hears of the message is the same as when it was sent: see Lull.
func (d *Dispatcher) counted(m *message, addr string, reply []byte) []byte {
	f := d.audience.Load()
	switch {
	case f == nil:
		return reply
	case m.unit:
		return d.countedUnit(*f, m, addr, reply)
	}
	return corrected(*f, &m.said[0], addr, reply)
}

// countedUnit is counted for the reply to a transaction.
func (d *Dispatcher) countedUnit(f Audience, m *message, addr string, reply []byte) []byte {
	kind, n, size, ok := resp.Header(reply)
	if !ok || kind != '*' || n <= m.said[len(m.said)-1].at {
		return reply // it was not executed
	}
	b, rest, said := bytes.Clone(reply[:size]), reply[size:], m.said
	for i := range n {
		size, err := resp.ReplyLen(rest)
		if err != nil || size == 0 {
			return reply
		}
		one := rest[:size]
		if rest = rest[size:]; len(said) > 0 && said[0].at == i {
			one, said = corrected(f, &said[0], addr, one), said[1:]
		}
		b = append(b, one...)
	}
	return b
}

// unitOver sends a unit over a lease, as soon as what it publishes may be sent, and
// returns the reply as its client is to see it.
func (e *Errand) unitOver(ctx context.Context, l *backend.Lease, u *unit, task backend.Task) (NodeReply, error) {
	m := newUnitMessage(u, nil)
	if m == nil {
		return e.over(ctx, l, task)
	}
	addr, ms := l.Node().Addr, &e.d.messages
	defer m.recycle()
	m.turn = make(chan struct{})
	defer ms.land(m)
	if !ms.depart(m, addr, noSlot) {
		select {
		case <-m.turn:
		case <-ctx.Done():
		}
	}
	reply, err := e.over(ctx, l, task)
	if err == nil {
		reply.Bytes = e.d.counted(m, addr, reply.Bytes)
	}
	return reply, err
}

// corrected is counted for one reply.
func corrected(f Audience, said *publication, addr string, reply []byte) []byte {
	if reply[0] != ':' {
		return reply
	}
	more := f(addr, said.shard, said.channel)
	v, _, err := resp.ReadValue(reply)
	if more == 0 || err != nil {
		return reply
	}
	return resp.AppendInt(nil, max(v.Int+int64(more), 0))
}

// OnReroute makes f be called with each change of the routes. f must return soon.
// Safe at any time.
func (d *Dispatcher) OnReroute(f func()) { d.onReroute.Store(&f) }

// Primaries returns the addresses of the primaries that have slots and that the
// cluster does not call failed.
func (d *Dispatcher) Primaries() []string {
	var addrs []string
	rt := d.routes.Load()
	for _, sh := range rt.list() {
		if sh.Primary != "" && sh.Slots > 0 {
			addrs = append(addrs, sh.Primary)
		}
	}
	return addrs
}

// Replicas returns the addresses of their replicas that the cluster does not call
// failed.
func (d *Dispatcher) Replicas() []string {
	var addrs []string
	for _, sh := range d.routes.Load().list() {
		if sh.Slots > 0 {
			addrs = append(addrs, sh.Replicas...)
		}
	}
	return addrs
}

// Node returns the node at addr.
func (d *Dispatcher) Node(addr string) *backend.Node { return d.member(addr).node }

// Moved takes the text of a MOVED error, which the node at from has answered.
func (d *Dispatcher) Moved(text, from string) {
	if slot, addr, ok := parseRedirect(text, from); ok {
		d.topology.Moved(slot, addr)
	}
}
