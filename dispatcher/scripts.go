package dispatcher

import (
	"container/list"
	"crypto/sha1" //nolint:gosec // Redis names scripts by it
	"encoding/hex"
	"strconv"
	"sync"
	"sync/atomic"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
)

// script is a Lua script that a client has loaded or run.
type script struct {
	// Set at construction.
	sha  string // 40 hex digits in lower case
	body string

	used atomic.Bool // since it was last considered for eviction

	// Guarded by the scriptSet's mu.
	nodes map[*backend.Node]uint32 // that have it, with their Losses when they showed it
	place *list.Element            // in the scriptSet's order
}

// scriptSet is the scripts that the proxy has seen, so that it can give them to
// a node that lacks them. A standalone server keeps what it has run; in a cluster
// each node keeps its own, and a client does not know which node it talks to. It is
// safe for concurrent use.
type scriptSet struct {
	// Set at construction.
	limit int // bytes of bodies

	mu sync.RWMutex
	// Guarded by mu.
	bySHA  map[string]*script
	byBody map[string]*script
	order  list.List // of *script; the first is the next to be considered for eviction
	bytes  int
}

func (s *scriptSet) init(limit int) {
	s.limit = limit
	s.clear()
}

// of returns the script of an EVAL, which is remembered, or of an EVALSHA; nil
// for other commands, and for a script that was not seen.
func (s *scriptSet) of(row *command.Row, args [][]byte) *script {
	if len(args) < 2 {
		return nil
	}
	switch row.Name {
	case "eval", "eval_ro":
		if len(args) > 2 && countsKeys(args) {
			return s.learn(args[1])
		}
	case "evalsha", "evalsha_ro":
		return s.find(args[1])
	}
	return nil
}

// countsKeys reports whether the number of keys of an EVAL is one. Otherwise the
// node does not get as far as to look at the script (evalGenericCommand of Redis).
func countsKeys(args [][]byte) bool {
	n, err := strconv.Atoi(string(args[2]))
	return err == nil && n >= 0 && n <= len(args)-3
}

// find returns the script of this digest, in any case, or nil.
func (s *scriptSet) find(sha []byte) *script {
	var folded [2 * sha1.Size]byte
	if len(sha) != len(folded) {
		return nil
	}
	for i, c := range sha {
		if 'A' <= c && c <= 'F' {
			c |= 0x20
		}
		folded[i] = c
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.bySHA[string(folded[:])].touch()
}

// touch notes that the script, if it is one, is in use.
func (sc *script) touch() *script {
	if sc != nil && !sc.used.Load() { // reading does not take the cache line from others
		sc.used.Store(true)
	}
	return sc
}

// learn remembers a script and returns it; nil if it is too long for that. A
// body that is known is found by itself, without its digest.
func (s *scriptSet) learn(body []byte) *script {
	s.mu.RLock()
	known := s.byBody[string(body)].touch()
	s.mu.RUnlock()
	if known != nil || len(body) > s.limit/4 {
		return known
	}
	digest := sha1.Sum(body) //nolint:gosec // Redis names scripts by it
	sc := &script{sha: hex.EncodeToString(digest[:]), body: string(body), nodes: make(map[*backend.Node]uint32)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.byBody[sc.body]; other != nil {
		return other
	}
	s.bySHA[sc.sha], s.byBody[sc.body] = sc, sc
	sc.place = s.order.PushBack(sc)
	s.bytes += sc.cost()
	s.evictLocked()
	return sc
}

// scriptOverhead is about what a script takes besides its body, in bytes.
const scriptOverhead = 400

func (sc *script) cost() int { return len(sc.body) + scriptOverhead }

// evictLocked forgets scripts until the rest is within the limit: those not used
// since they were considered last.
func (s *scriptSet) evictLocked() {
	for s.bytes > s.limit {
		sc := s.order.Front().Value.(*script)
		if sc.used.Swap(false) {
			s.order.MoveToBack(sc.place)
		} else {
			s.dropLocked(sc)
		}
	}
}

func (s *scriptSet) dropLocked(sc *script) {
	if s.bySHA[sc.sha] != sc {
		return // it was dropped before
	}
	delete(s.bySHA, sc.sha)
	delete(s.byBody, sc.body)
	s.order.Remove(sc.place)
	s.bytes -= sc.cost()
}

// drop forgets a script.
func (s *scriptSet) drop(sc *script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(sc)
}

// clear forgets all scripts.
func (s *scriptSet) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bySHA, s.byBody, s.bytes = make(map[string]*script), make(map[string]*script), 0
	s.order.Init()
}

// isAt reports whether the node has the script, as far as is known: it has shown
// it, and no connection to it was lost since, as when it restarts.
func (s *scriptSet) isAt(sc *script, n *backend.Node) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	losses, ok := sc.nodes[n]
	return ok && losses == n.Losses()
}

// maxScriptNodes bounds what is remembered of nodes that have left.
const maxScriptNodes = 4096

// note remembers that the node has the script, as it has shown when its Losses
// were losses.
func (s *scriptSet) note(sc *script, n *backend.Node, losses uint32) {
	if s.isAt(sc, n) { // the usual
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(sc.nodes) >= maxScriptNodes {
		clear(sc.nodes)
	}
	sc.nodes[n] = losses
}

// miss remembers that the node lacks the script.
func (s *scriptSet) miss(sc *script, n *backend.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(sc.nodes, n)
}

// LearnScript remembers a script that was loaded, for nodes that turn out to
// lack it. body is copied.
func (d *Dispatcher) LearnScript(body []byte) { d.scripts.learn(body) }

// KnowsScript reports whether a script can be run by its digest.
func (d *Dispatcher) KnowsScript(sha []byte) bool { return d.scripts.find(sha) != nil }

// ForgetScripts forgets all scripts.
func (d *Dispatcher) ForgetScripts() { d.scripts.clear() }
