package pubsub

import (
	"slices"
	"sync/atomic"
	"time"

	"redis-cluster-proxy/backend"
)

// topic is a channel or a pattern that clients of one user subscribe to.
type topic struct {
	// Set at construction.
	kind   Kind
	name   string
	who    backend.ProfileHandle
	slot   uint16
	events bool // it has events of the keyspace, which all primaries tell

	// Guarded by Hub.mu.
	subs    []*subscription
	joins   int               // how many wait for it
	placed  bool              // nodes were asked for it
	legs    []*leg            // one for each node that it is subscribed to at
	home    *leg              // the one that counts, if it has no events; nil: there is none
	fault   string            // a node's refusal
	changed chan struct{}     // closed when it is up, or has a fault
	fences  []<-chan struct{} // see settleLocked
	lull    Lull              // until it has moved; nil: none

	published atomic.Bool // somebody was told who hears it, maybe before they have
}

// leg is a topic at one node.
type leg struct {
	topic *topic
	trunk *trunk
	up    bool // the node has confirmed it
}

// subscription is a client's to a topic. Guarded by Hub.mu.
type subscription struct {
	client *Client
	topic  *topic
	at     int    // in topic.subs
	since  uint64 // runs of messages with an older stamp are not for it
}

// upLocked reports whether every message is heard.
func (t *topic) upLocked() bool {
	if t.home == nil {
		return false
	}
	for _, l := range t.legs {
		if !l.up {
			return false
		}
	}
	return true
}

// tellLocked wakes up those who wait for the topic.
func (t *topic) tellLocked() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// topicLocked returns the topic. If there is none it makes one, which is to be
// placed.
func (h *Hub) topicLocked(who backend.ProfileHandle, kind Kind, name string) *topic {
	if t := h.findLocked(who, kind, name); t != nil {
		return t
	}
	t := &topic{
		kind: kind, name: name, who: who, slot: h.cluster.SlotOf([]byte(name)), events: hasEvents(kind, name),
		changed: make(chan struct{}),
	}
	h.topics[kind][name] = append(h.topics[kind][name], t)
	return t
}

func (h *Hub) findLocked(who backend.ProfileHandle, kind Kind, name string) *topic {
	for _, t := range h.topics[kind][name] {
		if t.who == who {
			return t
		}
	}
	return nil
}

// placeLocked subscribes to the topic where it is to be and is not yet. If that
// is not possible now it is homeless.
func (h *Hub) placeLocked(t *topic) {
	delete(h.homeless, t)
	t.placed = true
	if t.home == nil {
		addr := h.homeLocked(t)
		if addr == "" {
			h.homeless[t] = struct{}{}
		} else if t.home = t.legAt(addr); t.home == nil {
			t.home = h.attachLocked(t, addr)
		}
	}
	if !t.events {
		return
	}
	for _, addr := range h.cluster.Primaries() {
		if t.legAt(addr) == nil {
			h.attachLocked(t, addr)
		}
	}
}

// homeLocked returns where a topic is to be at home: at the owner of its slot, or
// while that cannot be reached at another primary, which hears what is published
// anywhere, save in sharded channels. "" if there is none.
func (h *Hub) homeLocked(t *topic) string {
	owner := h.cluster.Owner(t.slot)
	if t.kind == Shard || owner != "" && !h.shunnedLocked(owner) {
		return owner
	}
	primaries := h.cluster.Primaries()
	for i := range primaries {
		if addr := primaries[(int(t.slot)+i)%len(primaries)]; addr != owner && !h.shunnedLocked(addr) {
			return addr
		}
	}
	return owner
}

// shunFor is for how long another node is preferred to one that could not be
// connected to.
const shunFor = 2 * time.Second

func (h *Hub) shunnedLocked(addr string) bool {
	until, shunned := h.shunned[addr]
	if shunned && time.Now().After(until) {
		delete(h.shunned, addr)
		return false
	}
	return shunned
}

func (t *topic) legAt(addr string) *leg {
	for _, l := range t.legs {
		if l.trunk.addr == addr {
			return l
		}
	}
	return nil
}

// attachLocked subscribes at one node.
func (h *Hub) attachLocked(t *topic, addr string) *leg {
	l := &leg{topic: t, trunk: h.trunkLocked(addr, t.who)}
	t.legs = append(t.legs, l)
	l.trunk.subscribeLocked(l)
	return l
}

// detachLocked unsubscribes at one node. fence is closed when the node has done
// it.
func (h *Hub) detachLocked(l *leg) (fence <-chan struct{}) {
	h.forgetLegLocked(l)
	return l.trunk.unsubscribeLocked(l)
}

// forgetLegLocked takes a leg off its topic.
func (h *Hub) forgetLegLocked(l *leg) {
	t := l.topic
	if i := slices.Index(t.legs, l); i >= 0 {
		t.legs = slices.Delete(t.legs, i, i+1)
	}
	if t.home == l {
		t.home = nil
	}
}

// dropUnusedLocked ends a topic that nobody wants any more. The fences are closed
// when the nodes have done their part.
func (h *Hub) dropUnusedLocked(t *topic, fences []<-chan struct{}) []<-chan struct{} {
	if t.joins > 0 || len(t.subs) > 0 {
		return fences
	}
	return h.removeLocked(t, fences)
}

// removeLocked takes a topic out of the hub.
func (h *Hub) removeLocked(t *topic, fences []<-chan struct{}) []<-chan struct{} {
	same := h.topics[t.kind][t.name]
	if i := slices.Index(same, t); i >= 0 {
		if same = slices.Delete(same, i, i+1); len(same) == 0 {
			delete(h.topics[t.kind], t.name)
		} else {
			h.topics[t.kind][t.name] = same
		}
	}
	delete(h.homeless, t)
	t.arriveLocked()
	for len(t.legs) > 0 {
		fences = append(fences, h.detachLocked(t.legs[len(t.legs)-1]))
	}
	return fences
}

// confirmedLocked notes that a node has confirmed a leg.
func (h *Hub) confirmedLocked(l *leg) {
	l.up = true
	h.delay = 0
	if l.topic.upLocked() {
		l.topic.arriveLocked()
		l.topic.tellLocked()
	}
}

// leaveLocked says that a sharded channel moves to another node. What is published
// meanwhile waits: who subscribes would not hear of it, or the node would count the
// new subscription before it has told of it.
func (h *Hub) leaveLocked(t *topic) {
	if t.kind == Shard && t.lull == nil {
		t.lull, _ = h.cluster.Lull(t.kind, []string{t.name}, false, nil)
	}
}

// arriveLocked says that the topic is where it is to be, or nowhere any more.
func (t *topic) arriveLocked() {
	if t.lull != nil {
		t.lull.End()
		t.lull = nil
	}
}

// refusedLocked notes that a node does not let the topic's user subscribe. Who
// waits for it gets the node's words; who had it is closed, as Redis closes a
// client that may not hear any more what it subscribes to.
func (h *Hub) refusedLocked(l *leg, text string) {
	t := l.topic
	t.fault = text
	h.forgetLegLocked(l)
	h.removeLocked(t, nil) // whoever comes next asks anew
	for _, sub := range t.subs {
		sub.client.out.Kick(text)
	}
	t.tellLocked()
}
