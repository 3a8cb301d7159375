package dispatcher

import (
	"bytes"
	"context"
	"sync"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// Blocked is a command that may block and whose keys share a slot. It waits at
// the primary of that, and where the slot goes, it goes as well, with what is left of
// its time. No request's deadline applies.
//
// It belongs to whoever has the next step: the session's reader, which begins it;
// the handler of the node's reply; the goroutine that sends it again.
type Blocked struct {
	// Set at construction.
	e    *Errand
	pipe *Pipeline
	row  *command.Row
	slot uint16
	done func(Reply)
	time timeLimit

	// Owned by who has the next step.
	wire    []byte
	preface preface // nil: there is none
	budget  attempts
	target  string // where to ask; "": where the routes say
	asking  bool

	mu sync.Mutex
	// Guarded by mu.
	begun  bool               // it was sent, or is about to be sent again
	at     *stay              // nil: it is at no node
	left   bool               // the client is gone
	cancel context.CancelFunc // ends the wait for the next attempt; nil: nobody waits
	forced []byte             // the answer that CLIENT UNBLOCK gave meanwhile
	ended  bool
}

func newBlocked(p *Pipeline, row *command.Row, slot uint16, args [][]byte, done func(Reply)) *Blocked {
	b := &Blocked{e: p.Errand(), pipe: p, row: row, slot: slot, done: done, wire: resp.AppendCommandBytes(nil, args)}
	b.budget.e = b.e
	b.time = limitOf(row, args)
	if ids := lastIDsOf(row, args); ids != nil {
		b.preface = ids
	}
	return b
}

// preface is what has to be asked right in front of a command.
type preface interface {
	// questions returns tasks whose replies come before the command's.
	questions(leg) []*backend.Task
	// fill changes the arguments of a command that is sent again.
	fill(args [][]byte)
	// fault returns the error that takes the place of the command's reply; nil:
	// there is none.
	fault() []byte
}

// Begin implements Waiting.
func (b *Blocked) Begin() { b.send() }

// send asks the node whose turn it is.
func (b *Blocked) send() {
	q := leg{addr: b.target, profile: b.e.profile, wire: b.wire, asking: b.asking}
	if q.addr == "" {
		var err error
		if q.addr, err = b.route(); err != nil {
			go b.again(bounceDown, errorBytes(err), q)
			return
		}
	}
	st := b.e.newStay(q, b.told)
	b.mu.Lock()
	b.begun, b.at, b.cancel = true, st, nil
	left := b.left
	b.mu.Unlock()
	var lead []*backend.Task
	if b.preface != nil {
		lead = b.preface.questions(q)
	}
	st.begin(lead...)
	if left { // when there was nothing to call off
		b.Leave()
	}
}

// route returns the address of the node of the command's slot, or of any if it
// has none.
func (b *Blocked) route() (addr string, err error) {
	if b.slot != noSlot {
		addr, _, err = b.e.route(b.slot, false)
		return addr, err
	}
	if addr = b.e.Any(); addr == "" {
		err = &failure{text: errNotServed}
	}
	return addr, err
}

// prefixUnblocked begins what a node answers whose role has changed, to all
// who are blocked there.
var prefixUnblocked = []byte("-UNBLOCKED force unblock")

// What WAIT is answered where no primary is any more.
var (
	prefixWaitReplica    = []byte("-ERR WAIT cannot be used with replica")
	prefixWaitAOFReplica = []byte("-ERR WAITAOF cannot be used with replica")
)

// told is told what became of a stay.
func (b *Blocked) told(st *stay, reply []byte, chunk *backend.Chunk, lost *backend.LostError) {
	b.mu.Lock()
	b.at = nil
	left := b.left
	b.mu.Unlock()
	if backend.Now()-st.begun > int64(maxBackoff) {
		b.budget = attempts{e: b.e} // it was blocked: this is another trouble
	}
	q := leg{addr: st.lease.Node().Addr, asking: st.task.Asking}
	if b.preface != nil && lost == nil {
		if fault := b.preface.fault(); fault != nil {
			reply, chunk = fault, nil
		}
	}
	switch {
	case lost != nil && left:
		b.finish(Reply{})
	case lost != nil:
		b.lost(q, lost)
	case left && isNull(reply):
		b.finish(Reply{})
	case isError(reply) && classify(reply) != bounceNone:
		go b.again(classify(reply), bytes.Clone(reply), q)
	case bytes.HasPrefix(reply, prefixUnblocked), bytes.HasPrefix(reply, prefixWaitReplica), bytes.HasPrefix(reply, prefixWaitAOFReplica):
		go b.again(bounceReadOnly, bytes.Clone(reply), q)
	default:
		if b.row.MayWrite() && b.slot != noSlot {
			b.pipe.noteWrite(b.slot, st.lease.Node())
		}
		b.finish(Reply{pieces: []NodeReply{{Addr: q.addr, Bytes: reply, chunk: chunk}}})
	}
}

// lost deals with the loss of the connection. That of one of Redis's own commands
// is sent again, though the node may have given something away to nobody: so it does
// when a client's own connection to one Redis breaks, and an error would not bring
// it back.
func (b *Blocked) lost(q leg, lost *backend.LostError) {
	again := !lost.Sent || b.time.known || !b.row.MayWrite()
	if !b.e.broken(context.Background(), lost) || !again {
		b.finish(Whole(errorBytes(b.e.explain(lost, !b.row.MayWrite()))))
		return
	}
	go b.again(bounceLost, errorBytes(b.e.explain(lost, true)), q)
}

// again sends the command anew after trouble, or answers with fault.
func (b *Blocked) again(trouble bounce, fault []byte, q leg) {
	ctx, cancel := b.time.context()
	defer cancel()
	if !b.mayWait(cancel) {
		b.finish(Reply{})
		return
	}
	ok := true
	switch trouble {
	case bounceLost:
		b.target, b.asking = "", false
	default:
		b.target, b.asking, ok = b.e.redirected(b.slot, trouble, fault, q)
	}
	if ok {
		ok = b.budget.again(ctx, trouble)
	}
	switch forced, left := b.waited(); {
	case left:
		b.finish(Reply{})
	case forced != nil:
		b.finish(Whole(forced))
	case b.time.over():
		b.finish(Whole(resp.AppendNullArray(nil, b.e.proto())))
	case !ok:
		b.finish(Whole(fault))
	default:
		b.rewrite()
		b.send()
	}
}

// rewrite makes the command ask for what the first one would still get.
func (b *Blocked) rewrite() {
	var parser resp.CommandParser
	cmd, _, err := parser.Next(b.wire)
	if err != nil {
		return // no node has taken it either
	}
	b.time.shorten(cmd.Args)
	if b.preface != nil {
		b.preface.fill(cmd.Args)
	}
	b.wire = resp.AppendCommandBytes(nil, cmd.Args)
}

// mayWait notes that an attempt is waited for; false if the client is gone.
func (b *Blocked) mayWait(cancel context.CancelFunc) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun, b.cancel = true, cancel
	return !b.left
}

// waited ends the wait for the next attempt and says whether somebody else has.
func (b *Blocked) waited() (forced []byte, left bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cancel = nil
	return b.forced, b.left
}

// finish answers.
func (b *Blocked) finish(reply Reply) {
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
	b.done(reply)
}

// Waits implements Waiting. Before it has begun Unblock would find nothing to end.
func (b *Blocked) Waits() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.begun
}

// Leave implements Waiting.
func (b *Blocked) Leave() {
	b.mu.Lock()
	st := b.at
	first := !b.left
	b.left = true
	if b.cancel != nil {
		b.cancel()
	}
	b.mu.Unlock()
	if st != nil && (first || !st.isOver()) {
		go st.callOff(b.e.d)
	}
}

// Unblock implements Waiting.
func (b *Blocked) Unblock(ctx context.Context, by *Errand, reason ...[]byte) []byte {
	b.mu.Lock()
	st := b.at
	if st == nil {
		defer b.mu.Unlock()
		if b.ended || b.left || b.forced != nil || b.cancel == nil {
			return replyZero
		}
		b.forced = resp.AppendNullArray(nil, b.e.proto())
		if len(reason) > 0 && bytes.EqualFold(reason[0], []byte("ERROR")) {
			b.forced = replyUnblocked
		}
		b.cancel()
		return replyOne
	}
	b.mu.Unlock()
	addr := st.lease.Node().Addr
	reply, err := st.unblock(unblockPatience, reason, func(args ...[]byte) ([]byte, error) {
		return by.Ask(ctx, addr, args...)
	})
	if err != nil {
		return errorBytes(err)
	}
	return reply
}

var (
	replyOne       = []byte(":1\r\n")
	replyUnblocked = []byte("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n")
)
