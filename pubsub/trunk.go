package pubsub

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/golang/glog"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// trunk is a connection to one node with all that clients of one user subscribe
// to there.
type trunk struct {
	// Set at construction.
	hub  *Hub
	addr string
	who  backend.ProfileHandle
	conn Upstream

	lively atomic.Bool // something was heard since the last look

	// Guarded by Hub.mu.
	legs   [NumKinds]map[string]*leg
	asked  []question    // what the node has not answered yet, in order
	newest chan struct{} // a fence that is not sent yet
	gone   bool
	idle   bool // closeUnused is going to look
	silent int  // looks that have found it so; see pulse.go

	fan fanOut
}

// idleTrunk is how long a connection without subscriptions is kept.
const idleTrunk = 10 * time.Second

// trunkLocked returns the trunk to a node, which it makes if there is none.
func (h *Hub) trunkLocked(addr string, who backend.ProfileHandle) *trunk {
	key := trunkKey{addr, who}
	if t := h.trunks[key]; t != nil {
		return t
	}
	t := &trunk{hub: h, addr: addr, who: who}
	for k := range t.legs {
		t.legs[k] = make(map[string]*leg)
	}
	t.fan.init()
	h.trunks[key] = t
	t.conn = h.cluster.Open(addr, who, t)
	h.running.Add(1)
	go t.fanLoop()
	h.pulseLaterLocked()
	return t
}

// subscribeLocked asks the node for a subscription.
func (t *trunk) subscribeLocked(l *leg) {
	t.legs[l.topic.kind][l.topic.name] = l
	t.asked = append(t.asked, question{leg: l})
	t.sendLocked(resp.AppendCommand(nil, kindWords[l.topic.kind].subscribe, l.topic.name))
}

// wireFence is a command with a reply that is no error. Every user may HELLO,
// though not PING.
var wireFence = resp.AppendCommand(nil, "HELLO", "3")

// unsubscribeLocked ends a subscription. fence is closed when the node has, or
// is lost.
func (t *trunk) unsubscribeLocked(l *leg) (fence <-chan struct{}) {
	end := make(chan struct{})
	if t.legs[l.topic.kind][l.topic.name] == l {
		delete(t.legs[l.topic.kind], l.topic.name)
	}
	if t.gone {
		close(end)
		return end
	}
	// What is published meanwhile could be told of this subscription, or not.
	lull, _ := t.hub.cluster.Lull(l.topic.kind, []string{l.topic.name}, false, nil)
	t.asked = append(t.asked, question{l, end, lull})
	wire := resp.AppendCommand(nil, kindWords[l.topic.kind].unsubscribe, l.topic.name)
	t.sendLocked(append(wire, wireFence...))
	if !t.idle && t.unusedLocked() {
		t.idle = true
		time.AfterFunc(idleTrunk, t.closeUnused)
	}
	return end
}

// fenceLocked returns what is closed when everything was heard that the node has
// said until now, or it is lost.
func (t *trunk) fenceLocked() <-chan struct{} {
	if t.newest == nil {
		t.newest = make(chan struct{})
		t.asked = append(t.asked, question{fence: t.newest})
		t.sendLocked(wireFence)
	}
	return t.newest
}

func (t *trunk) sendLocked(wire []byte) {
	t.conn.Send(wire)
	if n := len(t.hub.unsent); n == 0 || t.hub.unsent[n-1] != t {
		t.hub.unsent = append(t.hub.unsent, t)
	}
}

func (t *trunk) unusedLocked() bool {
	for _, legs := range t.legs {
		if len(legs) > 0 {
			return false
		}
	}
	return true
}

// closeUnused ends a connection that nobody needs.
func (t *trunk) closeUnused() {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	t.idle = false
	if t.unusedLocked() && !t.gone {
		t.leaveLocked()
		t.conn.Close()
	}
}

// leaveLocked takes the trunk out of the hub, so that nobody gets it any more.
func (t *trunk) leaveLocked() {
	key := trunkKey{t.addr, t.who}
	if t.hub.trunks[key] == t {
		delete(t.hub.trunks, key)
	}
}

// Heard implements backend.StreamHolder.
func (t *trunk) Heard(reply []byte) {
	if !t.lively.Load() { // rather than to write for each message
		t.lively.Store(true)
	}
	if kind, name := messageOf(reply); name != nil {
		t.fan.add(kind, name, reply, t.hub.stamp.Load())
		return
	}
	t.answered(reply)
}

// Ended implements backend.StreamHolder. What was subscribed to is subscribed to
// again.
func (t *trunk) Ended(err error) {
	h := t.hub
	text, denied := deniedBy(err)
	h.mu.Lock()
	t.gone = true
	t.leaveLocked()
	count, lost := 0, 0
	for kind := range t.legs {
		for _, l := range t.legs[kind] {
			count++
			if l.up {
				lost++
			}
			if denied {
				h.refusedLocked(l, text)
				continue
			}
			h.forgetLegLocked(l)
			h.homeless[l.topic] = struct{}{}
		}
		clear(t.legs[kind])
	}
	for _, q := range t.asked {
		q.over()
	}
	t.asked = nil
	if lost == 0 && !denied && !errors.Is(err, backend.ErrClosed) {
		h.shunned[t.addr] = time.Now().Add(shunFor)
	}
	h.mendLaterLocked()
	closed := h.closed
	h.unlock()
	t.rest()
	if count == 0 || closed {
		return
	}
	h.cluster.Refresh("connection lost")
	switch {
	case errors.Is(err, backend.ErrClosed):
	case lost > 0:
		glog.Warningf("node %s: connection with %d subscriptions lost: %v", t.addr, lost, err)
	default: // another attempt while the node is down
		glog.V(1).Infof("node %s: no connection for %d subscriptions: %v", t.addr, count, err)
	}
}
