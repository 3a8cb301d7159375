package pubsub

import (
	"bytes"
	"errors"
	"strings"
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

	// Guarded by Hub.mu.
	legs   [NumKinds]map[string]*leg
	asked  []question    // what the node has not answered yet, in order
	newest chan struct{} // a fence that is not sent yet
	gone   bool
	idle   bool // closeUnused is going to look

	fan fanOut
}

// question is what a node was asked: to subscribe to the topic of leg, or to end
// a subscription, which the reply to wireFence behind it shows the end of. Without a
// leg it is wireFence alone.
type question struct {
	leg   *leg
	fence chan struct{} // closed at the end; nil: a subscription
	lull  Lull          // until the end; nil: none
}

// over says that the node has done it, or is lost.
func (q *question) over() {
	if q.fence != nil {
		close(q.fence)
	}
	if q.lull != nil {
		q.lull.End()
	}
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
	lull, _ := t.hub.cluster.Lull(l.topic.kind, []string{l.topic.name}, nil)
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
	if kind, name := messageOf(reply); name != nil {
		t.fan.add(kind, name, reply, t.hub.stamp.Load())
		return
	}
	t.answered(reply)
}

// answered takes what is no message.
func (t *trunk) answered(reply []byte) {
	v, _, err := resp.ReadValue(bytes.Clone(reply))
	h := t.hub
	moved := ""
	h.mu.Lock()
	switch {
	case err != nil:
		t.conn.Close()
	case v.Kind == '>':
		if len(v.Elems) == 3 {
			t.toldLocked(v.Elems[0].Str, v.Elems[1].Str)
		}
	case len(t.asked) == 0:
		t.conn.Close() // out of step
	case t.asked[0].fence != nil:
		if v.Kind != '-' || t.asked[0].leg == nil { // or the error is of what came before
			t.asked[0].over()
			t.nextLocked()
		}
	case v.Kind == '-':
		l := t.asked[0].leg
		t.nextLocked()
		if strings.HasPrefix(v.Str, "MOVED ") {
			moved = v.Str
		}
		t.faultLocked(l, v.Str)
	}
	h.unlock()
	if moved != "" {
		h.cluster.Moved(moved, t.addr)
	}
}

func (t *trunk) nextLocked() {
	t.asked[0] = question{}
	if t.asked = t.asked[1:]; len(t.asked) == 0 {
		t.asked = nil
	}
}

// toldLocked takes the confirmation of what was asked, or that the node has
// ended the subscription to a sharded channel since its slot has moved.
func (t *trunk) toldLocked(word, name string) {
	if len(t.asked) > 0 {
		q := t.asked[0]
		if q.fence == nil && word == kindWords[q.leg.topic.kind].subscribe && name == q.leg.topic.name {
			t.nextLocked()
			if t.legs[q.leg.topic.kind][name] == q.leg {
				t.hub.confirmedLocked(q.leg)
			}
			return
		}
		if q.fence != nil && q.leg != nil && word == kindWords[q.leg.topic.kind].unsubscribe && name == q.leg.topic.name {
			return
		}
	}
	if l := t.legs[Shard][name]; l != nil && word == kindWords[Shard].unsubscribe {
		t.moveLocked(l)
	}
}

// faultLocked deals with a node's refusal to subscribe.
func (t *trunk) faultLocked(l *leg, text string) {
	if t.legs[l.topic.kind][l.topic.name] != l { // nobody wants it any more
		return
	}
	code, _, _ := strings.Cut(text, " ")
	switch {
	case passing[code], len(l.topic.subs) > 0 && !denials[code]:
		t.moveLocked(l)
	default:
		delete(t.legs[l.topic.kind], l.topic.name)
		t.hub.refusedLocked(l, text)
	}
}

// passing are the codes of errors that will pass.
var passing = map[string]bool{
	"MOVED": true, "ASK": true, "TRYAGAIN": true, "CLUSTERDOWN": true, "LOADING": true, "MASTERDOWN": true,
}

// denials are the codes of errors that say that a user may not do what he did
// before.
var denials = map[string]bool{"NOPERM": true, "WRONGPASS": true, "NOAUTH": true}

// deniedBy returns the node's words if err says that the user is not let in.
func deniedBy(err error) (text string, denied bool) {
	refused := (*backend.HandshakeError)(nil)
	if !errors.As(err, &refused) {
		return "", false
	}
	code, _, _ := strings.Cut(refused.Text, " ")
	return refused.Text, denials[code]
}

// moveLocked has a leg's topic placed again, when that has a chance.
func (t *trunk) moveLocked(l *leg) {
	delete(t.legs[l.topic.kind], l.topic.name)
	t.hub.forgetLegLocked(l)
	t.hub.homeless[l.topic] = struct{}{}
	t.hub.cluster.Refresh("a channel has moved")
	t.hub.mendLaterLocked()
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
