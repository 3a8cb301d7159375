package pubsub

import (
	"sync"
	"sync/atomic"
	"time"

	"redis-cluster-proxy/backend"
)

// Kind is what a subscription is to.
type Kind uint8

// The kinds there are.
const (
	Channel  Kind = iota // SUBSCRIBE
	Pattern              // PSUBSCRIBE
	Shard                // SSUBSCRIBE
	NumKinds int  = iota // how many there are; a Kind is an index below it
)

// kindWords are what the protocol calls things of a kind.
var kindWords = [NumKinds]struct{ subscribe, unsubscribe, message string }{
	Channel: {"subscribe", "unsubscribe", "message"},
	Pattern: {"psubscribe", "punsubscribe", "pmessage"},
	Shard:   {"ssubscribe", "sunsubscribe", "smessage"},
}

// Cluster is what a Hub needs of a cluster. Its methods must not block, and all
// but Moved are called with the Hub's lock held.
type Cluster interface {
	// SlotOf returns the slot of a name, as of a key.
	SlotOf(name []byte) uint16
	// Owner returns the address of the primary of a slot, "" if there is none
	// that is not called failed.
	Owner(slot uint16) string
	// Primaries returns the addresses of all primaries with slots.
	Primaries() []string
	// Replicas returns the addresses of their replicas that are not called failed.
	Replicas() []string
	// Open makes a connection that acts as who.
	Open(addr string, who backend.ProfileHandle, holder backend.StreamHolder) Upstream
	// Moved takes the text of a MOVED error that the node at from has answered.
	Moved(text, from string)
	// Refresh asks for the topology to be loaded again.
	Refresh(reason string)
	// Match reports whether text matches a pattern, as nodes see it.
	Match(pattern, text []byte) bool
	// Lull has nobody who uses the Hub's cluster publish what the names are about.
	// now is true if nothing is under way; else quiet, which may be nil, is called when
	// that is so, from any goroutine without locks. far says that some name is at home
	// elsewhere than at the owner of its slot.
	Lull(kind Kind, names []string, far bool, quiet func()) (l Lull, now bool)
}

// Lull is a time in which nothing is published to some channels, so that it is
// certain who is told of whom. End ends it, and may be called again.
type Lull interface{ End() }

// Upstream is a connection to a node; *backend.Stream is one.
type Upstream interface {
	Send(wire []byte)
	Flush()
	Resume()
	Close()
	// Lose ends the connection as if it were lost for that reason.
	Lose(err error)
}

// Hub is who subscribes to what. It is safe for concurrent use.
type Hub struct {
	// Set at construction.
	cluster Cluster
	pulse   pulse

	stamp     atomic.Uint64 // counts joins; see subscription.since
	delivered atomic.Uint64 // messages to clients
	running   sync.WaitGroup

	mu sync.RWMutex
	// Guarded by mu, which comes before the Pipelines' locks.
	topics    [NumKinds]map[string][]*topic // by name: one for each user
	trunks    map[trunkKey]*trunk
	homeless  map[*topic]struct{}  // lacks a leg
	shunned   map[string]time.Time // nodes that could not be connected to, and until when that counts
	unsent    []*trunk             // to be flushed when mu is released
	strangers map[string]int       // nodes without slots that are no replicas, and how many looks found them so
	looking   *time.Timer          // is going to look at them again; nil: there are none
	mending   *time.Timer          // runs while there are homeless topics; nil: none does
	delay     time.Duration        // of the next
	beat      *time.Timer          // runs while there are trunks; nil: none does
	closed    bool
}

// trunkKey is what there is one trunk for.
type trunkKey struct {
	addr string
	who  backend.ProfileHandle
}

// New makes a Hub. It starts nothing.
func New(cluster Cluster) *Hub {
	h := &Hub{
		cluster: cluster, pulse: usualPulse, trunks: make(map[trunkKey]*trunk),
		homeless: make(map[*topic]struct{}), shunned: make(map[string]time.Time),
	}
	for k := range h.topics {
		h.topics[k] = make(map[string][]*topic)
	}
	return h
}

// Close ends all connections and returns when all goroutines of the Hub have
// ended.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	for _, timer := range []*time.Timer{h.mending, h.beat, h.looking} {
		if timer != nil && timer.Stop() {
			h.running.Done()
		}
	}
	h.mending, h.beat, h.looking = nil, nil, nil
	for _, t := range h.trunks {
		t.conn.Close()
		t.rest()
	}
	h.mu.Unlock()
	h.running.Wait()
}

// unlock releases mu and writes what was sent meanwhile.
func (h *Hub) unlock() {
	unsent := h.unsent
	h.unsent = nil
	for _, t := range unsent {
		t.newest = nil
	}
	h.mu.Unlock()
	for _, t := range unsent {
		t.conn.Flush()
	}
}

// How long it takes until lost subscriptions are tried again, the first time and
// at the most.
const (
	firstDelay = 20 * time.Millisecond
	maxDelay   = time.Second
)

// mendLaterLocked has homeless topics placed again after a while.
func (h *Hub) mendLaterLocked() {
	if h.mending != nil || h.closed || len(h.homeless) == 0 {
		return
	}
	h.delay = min(max(2*h.delay, firstDelay), maxDelay)
	h.running.Add(1)
	h.mending = time.AfterFunc(h.delay, h.mend)
}

// mend places topics that lack a node.
func (h *Hub) mend() {
	defer h.running.Done()
	h.mu.Lock()
	defer h.unlock()
	h.mending = nil
	if !h.closed {
		h.mendLocked()
	}
}

func (h *Hub) mendLocked() {
	for t := range h.homeless {
		h.placeLocked(t)
	}
	h.mendLaterLocked()
}

// Rerouted is to be called when other nodes are primaries, or own slots, than
// before. It returns at once.
func (h *Hub) Rerouted() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.trunks)+len(h.homeless) == 0 {
		return
	}
	h.running.Add(1)
	go h.review()
}

// review moves the topics whose node is not the right one any more.
func (h *Hub) review() { h.reviewAll(false) }

// reviewAll is review. look says that strangers have had another while.
func (h *Hub) reviewAll(look bool) {
	defer h.running.Done()
	h.mu.Lock()
	defer h.unlock()
	if h.closed {
		return
	}
	primaries := make(map[string]bool)
	members := make(map[string]bool)
	for _, addr := range h.cluster.Primaries() {
		primaries[addr], members[addr] = true, true
	}
	for _, addr := range h.cluster.Replicas() {
		members[addr] = true
	}
	h.bearStrangersLocked(members, look)
	for _, named := range h.topics {
		for _, same := range named {
			for _, t := range same {
				if t.kind == Shard || t.events {
					h.reviewLocked(t, primaries)
				} else {
					h.reviewLocked(t, members) // a replica hears as well, and a move would lose messages or double them
				}
			}
		}
	}
	h.mendLocked()
}

// A node without slots that is no replica keeps its subscriptions for a while: in a
// failover one may be seen like that for a moment. It is looked at again, so often that a
// process which has stood still meanwhile hears first what the cluster says now.
const (
	strangerLooks = 4
	strangerEvery = 500 * time.Millisecond
)

// bearStrangersLocked adds the nodes with trunks to members that are strangers since not
// long ago. look says that it is time to count.
func (h *Hub) bearStrangersLocked(members map[string]bool, look bool) {
	strangers := make(map[string]int)
	for key := range h.trunks {
		if !members[key.addr] {
			strangers[key.addr] = h.strangers[key.addr]
		}
	}
	h.strangers = strangers
	again := false
	for addr := range strangers {
		if look {
			strangers[addr]++
		}
		if strangers[addr] < strangerLooks {
			members[addr], again = true, true
		}
	}
	if again && h.looking == nil {
		h.running.Add(1)
		h.looking = time.AfterFunc(strangerEvery, h.lookAgain)
	}
}

// lookAgain is review after a while. It has the topology loaded for the next one.
func (h *Hub) lookAgain() {
	h.mu.Lock()
	h.looking = nil
	h.mu.Unlock()
	h.cluster.Refresh("a node has no part in the cluster")
	h.reviewAll(true)
}

// reviewLocked takes away the legs of a topic that are at wrong nodes: not at one of
// fit, or not at the owner of a sharded channel's slot.
func (h *Hub) reviewLocked(t *topic, fit map[string]bool) {
	owner := ""
	if t.kind == Shard {
		owner = h.cluster.Owner(t.slot)
	}
	for i := len(t.legs) - 1; i >= 0; i-- {
		l := t.legs[i]
		if !fit[l.trunk.addr] || owner != "" && l.trunk.addr != owner {
			h.leaveLocked(t)
			h.detachLocked(l)
		}
	}
	if t.placed {
		h.homeless[t] = struct{}{} // or it lacks a new primary; placing it finds out
	}
}
