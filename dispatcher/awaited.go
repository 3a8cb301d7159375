package dispatcher

import (
	"bytes"
	"strconv"

	"redis-cluster-proxy/backend"
)

// awaited is a key that clients wait for, with those who do. While there are any,
// the node that has the key is to tell when it changes: the proxy asks how much there
// is, by which the node remembers the key, and after each change asks again. So
// nothing that comes to the key is missed, whatever happens between two questions.
type awaited struct {
	// Set at construction.
	set  *claimSet
	id   keyID
	slot uint16

	// Guarded by the claimSet's mu.
	queues  []*queue
	at      *lookout     // whose node tells of changes; nil: none, at the moment
	kind    string       // the type by the last reply, see toldLocked; "" if not known
	task    backend.Task // the question, while it is under way
	asking  *lookout     // over which it is; nil: it is not
	sent    uint32       // how many questions were begun
	stale   bool         // the key has changed since it was sent
	again   bool         // somebody came since it was sent
	hops    int          // redirects since the last reply
	tries   int          // failures since
	retryAt int64        // when to ask again, by backend.Now; 0: no need to
	fault   string       // why there was no reply, for the client; "" if there was one
	blind   int          // by how many profiles nobody may look; see viewLocked
}

// keyID names a key.
type keyID struct {
	db  int
	key string
}

// signalLocked tells those for whom a key of this type may have something, ""
// for any, that there are n of it.
func (k *awaited) signalLocked(kind string, n int) {
	for _, q := range k.queues {
		if q.fits(kind) {
			q.signalLocked(n)
		}
	}
}

// knownLocked tells those who joined before the question was sent what the
// type is.
func (k *awaited) knownLocked(kind string) {
	for _, q := range k.queues {
		for s := q.last; s != nil; s = s.prev {
			if !s.known && int32(k.sent-s.needs) >= 0 {
				s.known, s.kind = true, kind
				s.claim.wakeLocked()
			}
		}
	}
}

// kindOther is a type that nobody who waits wants.
const kindOther = "other"

// heardLocked reads a reply: the type of the key, "none" if it does not exist,
// and how much there is, 1 if that was not asked.
func (k *awaited) heardLocked(reply []byte) (kind string, n int, ok bool) {
	switch {
	case bytes.HasPrefix(reply, prefixWrongType):
		return kindOther, 0, true
	case isError(reply):
		return "", 0, false
	case reply[0] == '+':
		return errorText(reply), 1, true
	}
	if n, _ = strconv.Atoi(errorText(reply)); n == 0 || len(k.queues) == 0 {
		return "none", 0, true
	}
	return kindOf(k.queues[0].class), n, true
}

// toldLocked deals with the reply to the question over l.
func (s *claimSet) toldLocked(k *awaited, l *lookout, reply []byte, after *aftermath) {
	k.asking = nil
	if s.keys[k.id] != k { // nobody waits for it any more
		return
	}
	kind, n, ok := k.heardLocked(reply)
	if !ok {
		s.refusedLocked(k, l, reply, after)
		return
	}
	settled := k.at == l
	k.at, k.kind, k.fault, k.hops, k.tries = l, kind, "", 0, 0
	if k.stale { // by now it may be otherwise
		s.askLocked(k, after)
		return
	}
	k.knownLocked(kind)
	// A stream is not empty because somebody has read it. If it has not changed,
	// all have had their look.
	if kind != classStream || !settled {
		k.signalLocked(kind, n)
	}
	if k.again {
		s.probeLocked(k, after)
	}
}

// refusedLocked deals with an error.
func (s *claimSet) refusedLocked(k *awaited, l *lookout, reply []byte, after *aftermath) {
	k.at = nil
	b := classify(reply)
	text := errorText(reply)
	switch b {
	case bounceMoved, bounceAsk:
		slot, addr, ok := parseRedirect(text, l.id.addr)
		if k.hops++; !ok || k.hops > maxHops {
			break
		}
		if b == bounceAsk {
			after.moving = append(after.moving, k.slot)
			s.askAtLocked(k, addr, true, after)
			return
		}
		after.moved = append(after.moved, movedSlot{slot, addr})
		s.askAtLocked(k, addr, false, after)
		return
	case bounceNone: // NOPERM, or NOAUTH
		k.blind++
		s.askLocked(k, after)
		return
	default:
		after.refresh = bounceNames[b]
	}
	k.hops = 0
	s.laterLocked(k, text)
}

// unheardLocked deals with a question that was lost, or with a lookout that was
// refused.
func (s *claimSet) unheardLocked(k *awaited, refused bool, lost *backend.LostError, after *aftermath) {
	k.asking, k.at = nil, nil
	switch {
	case s.keys[k.id] != k:
	case refused:
		s.askLocked(k, after)
	default:
		after.refresh = "connection lost"
		s.laterLocked(k, "CLUSTERDOWN node "+lost.Addr+" is unreachable: "+lost.Err.Error())
	}
}

// changedLocked deals with a node's word that k is not what it was.
func (s *claimSet) changedLocked(k *awaited, after *aftermath) {
	// What did not exist is there now, and of a stream there is more: whoever
	// waits need not wait for the reply to know where to look.
	switch k.kind {
	case "none":
		k.signalLocked("", 1)
	case classStream:
		k.signalLocked(classStream, 1)
	}
	k.kind = ""
	s.askLocked(k, after)
}
