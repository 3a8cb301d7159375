package dispatcher

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// wroteTo is the nodes that a session has written to, as far as it knows: for
// WAIT. The zero value is none.
type wroteTo struct {
	last  *backend.Node // the usual: the same as before
	nodes []*backend.Node
}

func (w *wroteTo) note(n *backend.Node) {
	if n == w.last {
		return
	}
	w.last = n
	if !slices.Contains(w.nodes, n) {
		w.nodes = append(w.nodes, n)
	}
}

// wroteAt remembers a write that did not go through the Pipeline.
func (e *Errand) wroteAt(n *backend.Node) {
	if e.pipe != nil {
		e.pipe.mu.Lock()
		e.pipe.wrote.note(n)
		e.pipe.mu.Unlock()
	}
}

// wroteIn is wroteAt for a unit of a transaction, whose slot is read from the primary
// then.
func (e *Errand) wroteIn(slot uint16, n *backend.Node) {
	switch {
	case e.pipe == nil:
	case slot == noSlot:
		e.wroteAt(n)
	default:
		e.pipe.noteWrite(slot, n)
	}
}

// waitSlots returns a slot of each shard that the session has written to; of all
// if it has written to none, or to a node that has left.
func (p *Pipeline) waitSlots() (slots []uint16) {
	p.mu.Lock()
	wrote := make(map[string]bool, len(p.wrote.nodes))
	for _, n := range p.wrote.nodes {
		wrote[n.Addr] = true
	}
	p.mu.Unlock()
	var all []uint16
	for _, sh := range p.d.Shards() {
		if sh.Slots == 0 {
			continue
		}
		all = append(all, sh.Lowest)
		concerned := wrote[sh.Primary]
		delete(wrote, sh.Primary)
		for _, addr := range sh.Replicas { // after a failover
			concerned = concerned || wrote[addr]
			delete(wrote, addr)
		}
		if concerned {
			slots = append(slots, sh.Lowest)
		}
	}
	if len(wrote) > 0 || len(slots) == 0 {
		return all
	}
	return slots
}

// replicaWait is WAIT or WAITAOF: the primaries of all shards that the session
// has written to are asked at once, and the least number of replicas counts.
type replicaWait struct {
	// Set at construction.
	parts   []*Blocked
	numbers int // in an answer
	done    func(Reply)

	mu sync.Mutex
	// Guarded by mu.
	missing int     // parts without an answer
	least   []int64 // nil: none is known yet
	fault   []byte  // the first error
	gone    bool    // the client is
}

func (p *Pipeline) newReplicaWait(row *command.Row, args [][]byte, done func(Reply)) (Waiting, string) {
	w := &replicaWait{numbers: 1, done: done}
	if row.Name == "waitaof" { // this server, replicas
		w.numbers = 2
	}
	for _, slot := range p.waitSlots() {
		b := newBlocked(p, row, slot, args, w.answer)
		b.preface = &upToDate{write: p.d.waitsForWrites.Load()}
		w.parts = append(w.parts, b)
	}
	if w.missing = len(w.parts); w.missing == 0 {
		return nil, errNotServed
	}
	return w, ""
}

// Begin implements Waiting.
func (w *replicaWait) Begin() {
	for _, b := range w.parts {
		b.Begin()
	}
}

// Waits implements Waiting.
func (w *replicaWait) Waits() bool {
	return !slices.ContainsFunc(w.parts, func(b *Blocked) bool { return !b.Waits() })
}

// Leave implements Waiting.
func (w *replicaWait) Leave() {
	w.mu.Lock()
	w.gone = true
	w.mu.Unlock()
	w.leaveParts()
}

func (w *replicaWait) leaveParts() {
	for _, b := range w.parts {
		b.Leave()
	}
}

// Unblock implements Waiting. Once a part is ended all have to end, also one that
// is about to go to a node only now, or the client would wait on.
func (w *replicaWait) Unblock(ctx context.Context, by *Errand, reason ...[]byte) []byte {
	answer := replyZero
	var rest []*Blocked
	for _, b := range w.parts {
		reply := b.Unblock(ctx, by, reason...)
		if !bytes.Equal(reply, replyOne) {
			rest = append(rest, b)
		}
		if !bytes.Equal(reply, replyZero) && !bytes.Equal(answer, replyOne) {
			answer = reply
		}
	}
	if bytes.Equal(answer, replyOne) {
		for _, b := range rest {
			b.Leave()
		}
	}
	return answer
}

// answer is told of each part.
func (w *replicaWait) answer(reply Reply) {
	w.mu.Lock()
	failed := w.noteLocked(reply)
	w.missing--
	last := w.missing == 0
	w.mu.Unlock()
	switch {
	case last:
		w.done(w.sum())
	case failed:
		w.leaveParts()
	}
}

// noteLocked takes a part's answer, and reports whether it is an error that ends
// the whole.
func (w *replicaWait) noteLocked(reply Reply) bool {
	if reply.Empty() {
		return false
	}
	b := reply.Bytes()
	if isError(b) {
		first := w.fault == nil
		if first {
			w.fault = bytes.Clone(b)
		}
		return first
	}
	v, _, err := resp.ReadValue(b)
	if err != nil {
		return false
	}
	counts := []int64{v.Int}
	switch {
	case v.Null: // it ended between two nodes
		counts = make([]int64, w.numbers)
	case v.Kind == '*':
		counts = counts[:0]
		for _, e := range v.Elems {
			counts = append(counts, e.Int)
		}
	}
	if w.least == nil {
		w.least = counts
	}
	for i := range min(len(counts), len(w.least)) {
		w.least[i] = min(w.least[i], counts[i])
	}
	return false
}

// sum is the answer when all parts have theirs.
func (w *replicaWait) sum() Reply {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.gone || w.fault == nil && w.least == nil:
		return Reply{}
	case w.fault != nil:
		return Whole(w.fault)
	case len(w.least) == 1:
		return Whole(resp.AppendInt(nil, w.least[0]))
	}
	b := resp.AppendArrayHeader(nil, len(w.least))
	for _, n := range w.least {
		b = resp.AppendInt(b, n)
	}
	return Whole(b)
}

// upToDate goes in front of WAIT. That is about what its own connection wrote
// last, and this one wrote nothing: the session's writes went by lanes, and are
// answered. So it has to write now. Before Redis 7.2 any command counts as a
// write.
type upToDate struct {
	write   bool
	refusal []byte // of the write; nil: none
}

// wireTouch is a write that changes nothing, of which replicas are told: it
// restores no function libraries, besides those that there are. The payload is what
// FUNCTION DUMP of Redis 7.0 without any is.
var wireTouch = resp.AppendCommand(nil, "FUNCTION", "RESTORE", "\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda", "APPEND")

func (u *upToDate) questions(l leg) []*backend.Task {
	u.refusal = nil
	wire := backend.WireHello(l.profile)
	if u.write {
		wire = wireTouch
	}
	return []*backend.Task{{Wire: wire, Handler: u}}
}

func (u *upToDate) fill([][]byte) {}

// fault is the error without which WAIT would tell more replicas than there are.
func (u *upToDate) fault() []byte { return u.refusal }

// Replied implements backend.Handler.
func (u *upToDate) Replied(run []backend.Reply, _ *backend.Chunk) backend.Flusher {
	if isError(run[0].Bytes) {
		u.refusal = bytes.Clone(run[0].Bytes)
	}
	return nil
}

// Failed implements backend.Handler.
func (u *upToDate) Failed(*backend.Task, *backend.LostError) backend.Flusher { return nil }

// SetServerVersion tells of the cluster's version as a number, 7.2 for "7.2.4".
// Safe at any time.
func (d *Dispatcher) SetServerVersion(release float64) { d.waitsForWrites.Store(release >= 7.2) }
