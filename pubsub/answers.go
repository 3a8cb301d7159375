package pubsub

import (
	"bytes"
	"errors"
	"strings"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

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
	t.hub.leaveLocked(l.topic)
	delete(t.legs[l.topic.kind], l.topic.name)
	t.hub.forgetLegLocked(l)
	t.hub.homeless[l.topic] = struct{}{}
	t.hub.cluster.Refresh("a channel has moved")
	t.hub.mendLaterLocked()
}
