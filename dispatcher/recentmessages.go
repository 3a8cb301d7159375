package dispatcher

import (
	"time"

	"redis-cluster-proxy/backend"
)

// straggle is the Straggle of a Config that has none: the bus waits for an
// acknowledgment of the message before, which Linux delays by 40 ms.
const straggle = 50 * time.Millisecond

// recentMessages are the last that have landed. Other nodes than theirs may not
// have heard of them yet.
type recentMessages struct {
	ring  [1024]recentMessage
	count uint64
}

type recentMessage struct {
	at      int64  // when it landed, by backend.Now
	addr    string // the node that it was sent to
	size    int    // of the channel's name
	channel [40]byte
}

// note remembers a message that has landed.
func (rm *recentMessages) note(m *message) {
	for i := range m.said {
		said := &m.said[i]
		if said.shard {
			continue
		}
		r := &rm.ring[rm.count%uint64(len(rm.ring))]
		rm.count++
		r.at, r.addr, r.size = backend.Now(), m.addr, len(said.channel)
		copy(r.channel[:], said.channel)
	}
}

// maxMatches is how often names are compared with channels, at the most.
const maxMatches = 4096

// lingerLocked returns for how long messages that have landed may still be on their
// way to where the names of l are subscribed to.
func (ms *messages) lingerLocked(l *Lull) time.Duration {
	switch {
	case l.scope == Shards: // who subscribes is where it was sent to
		return 0
	case l.scope == Channels && !l.far: // likewise, save for what went along with keys
		return ms.restLocked(&ms.recentUnits, l)
	}
	return max(ms.restLocked(&ms.recentUnits, l), ms.restLocked(&ms.recent, l))
}

func (ms *messages) restLocked(rm *recentMessages, l *Lull) time.Duration {
	now := backend.Now()
	for i := range min(rm.count, uint64(len(rm.ring))) {
		r := &rm.ring[(rm.count-1-i)%uint64(len(rm.ring))]
		rest := ms.d.cfg.Straggle - time.Duration(now-r.at)
		if rest <= 0 {
			return 0
		}
		if r.size > len(r.channel) || (int(i)+1)*len(l.names) > maxMatches {
			return rest // rather than to look
		}
		for _, name := range l.names {
			if ms.stragglesLocked(l, name, r) {
				return rest
			}
		}
	}
	if rm.count > uint64(len(rm.ring)) { // there were more
		return ms.d.cfg.Straggle
	}
	return 0
}

// stragglesLocked reports whether a message may be on its way from its node to the
// one where a name is subscribed to.
func (ms *messages) stragglesLocked(l *Lull, name string, r *recentMessage) bool {
	channel := r.channel[:r.size]
	if l.scope == Channels && name != string(channel) || l.scope == Patterns && !ms.match([]byte(name), channel) {
		return false
	}
	if l.far {
		return true
	}
	sh := ms.d.routes.Load().shard(ms.d.hash([]byte(name)))
	return sh == nil || sh.primary == nil || sh.primary.node.Addr != r.addr
}
