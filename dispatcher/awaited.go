package dispatcher

import (
	"bytes"
	"cmp"
	"strconv"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
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

// questionLocked asks how much there is, if all who wait want the same type of
// key, else for the type. Either makes the node remember the key, whatever the reply.
func (k *awaited) questionLocked() []byte {
	word := ""
	for _, q := range k.queues {
		switch w := countWords[kindOf(q.class)]; {
		case word == "":
			word = w
		case word != w:
			word = wordType
		}
	}
	return resp.AppendCommand(nil, cmp.Or(word, wordType), k.id.key)
}

const wordType = "TYPE"

var countWords = map[string]string{classList: "LLEN", classZset: "ZCARD", classStream: wordType}

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

const (
	// awaitRetry is the wait before a question that had no reply is asked again.
	awaitRetry = 50 * time.Millisecond
	// firstPoll and lastPoll bound the waits between two looks at a key of which
	// no node tells that it changes.
	firstPoll = 10 * time.Millisecond
	lastPoll  = 320 * time.Millisecond
	// pollsBlind is after how many of those it is tried again to be told.
	pollsBlind = 32
	// maxHops is how many redirects one question follows at once.
	maxHops = 5
)

// viewLocked is the profile to ask by: the proxy's own, so that one connection
// serves everybody, else that of the client who has waited longest. false: nobody
// may.
func (s *claimSet) viewLocked(k *awaited) (backend.ProfileHandle, bool) {
	switch k.blind {
	case 0:
		return lookoutProfile(s.d.cfg.Own, k.id.db), true
	case 1:
		for _, q := range k.queues {
			if q.first != nil {
				return lookoutProfile(q.first.claim.profile.Value(), k.id.db), true
			}
		}
	}
	return backend.ProfileHandle{}, false
}

// askLocked asks because no node is known to tell of changes. If a question is
// under way, another one follows it.
func (s *claimSet) askLocked(k *awaited, after *aftermath) {
	k.at = nil
	if k.asking != nil {
		k.stale = true
		return
	}
	s.probeLocked(k, after)
}

// probeLocked asks at the node that has k's slot.
func (s *claimSet) probeLocked(k *awaited, after *aftermath) {
	if k.asking != nil {
		k.again = true
		return
	}
	sh := s.d.routes.Load().shard(k.slot)
	if sh == nil || sh.primary == nil || sh.primary.unhealthy.Load() {
		s.laterLocked(k, errNotServed)
		return
	}
	s.askAtLocked(k, sh.primary.node.Addr, false, after)
}

// askAtLocked asks at a node.
func (s *claimSet) askAtLocked(k *awaited, addr string, asking bool, after *aftermath) {
	for ; ; k.blind++ {
		profile, ok := s.viewLocked(k)
		if !ok {
			s.pollLocked(k)
			return
		}
		l := s.lookoutLocked(addr, profile)
		if l == nil {
			continue
		}
		if !l.askLocked(k, asking) {
			if l.lane.Closed() { // the node was dropped
				l.closeLocked()
			}
			s.laterLocked(k, "CLUSTERDOWN node "+addr+" is unreachable")
			return
		}
		k.stale, k.again, k.retryAt = false, false, 0
		k.sent++
		k.asking = l
		after.flushLater(l)
		return
	}
}

// laterLocked asks again soon, and after that at intervals, because of fault.
func (s *claimSet) laterLocked(k *awaited, fault string) {
	k.fault = fault
	k.retryAt = backend.Now()
	if k.tries++; k.tries > 1 {
		k.retryAt += int64(awaitRetry)
	}
	s.dueLocked(k)
	for _, q := range k.queues { // those who look for the first time have a limit
		for at := q.first; at != nil; at = at.next {
			if !at.known {
				at.claim.wakeLocked()
			}
		}
	}
}

// pollLocked looks again after a while: nobody tells of changes. Those who wait
// find out themselves what the key is.
func (s *claimSet) pollLocked(k *awaited) {
	k.kind, k.fault = "", ""
	k.sent++
	k.knownLocked("")
	k.signalLocked("", 1)
	k.retryAt = backend.Now() + int64(min(firstPoll<<min(k.tries, 10), lastPoll))
	if k.tries++; k.tries%pollsBlind == 0 {
		k.blind = 0
	}
	s.dueLocked(k)
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
