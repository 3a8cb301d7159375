package dispatcher

import (
	"cmp"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

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
