package dispatcher

import (
	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// A message is published at the owner of its channel's slot, as if the channel
// were a key. Any node would pass it on to all others, but there those who subscribe
// through a proxy are, and messages of one channel keep their order.

// publishes reports whether a command is PUBLISH or SPUBLISH.
func publishes(row *command.Row) bool { return row.Is("publish") || row.Is("spublish") }

// Audience returns what to add to the number of receivers that the node at addr
// has told of a message in a channel, a sharded one or not. It must not block.
type Audience func(addr string, shard bool, channel []byte) (more int)

// SetAudience makes f correct the replies to PUBLISH and SPUBLISH. Safe at any
// time.
func (d *Dispatcher) SetAudience(f Audience) { d.audience.Store(&f) }

// counted returns the reply to a PUBLISH or SPUBLISH as its client is to see it.
func (d *Dispatcher) counted(pt *part, reply []byte) []byte {
	f := d.audience.Load()
	if f == nil || reply[0] != ':' {
		return reply
	}
	args := wireArgs(pt.task.Wire)
	if len(args) != 3 {
		return reply
	}
	more := (*f)(pt.lane.Node().Addr, pt.req.row.Is("spublish"), args[1])
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

// Node returns the node at addr.
func (d *Dispatcher) Node(addr string) *backend.Node { return d.member(addr).node }

// Moved takes the text of a MOVED error, which the node at from has answered.
func (d *Dispatcher) Moved(text, from string) {
	if slot, addr, ok := parseRedirect(text, from); ok {
		d.topology.Moved(slot, addr)
	}
}
