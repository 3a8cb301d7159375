package dispatcher

import (
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// Place is a request's place in the order, to be answered later by Answer.
type Place struct{ r *request }

// Local answers a request at its place with reply, which is copied.
func (p *Pipeline) Local(row *command.Row, reply []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if row != nil {
		p.noteRequestLocked(row)
	}
	if p.head == p.tail { // nothing to wait for
		p.emitLocked(row, reply, nil, p.silent)
		return
	}
	r := p.newRequestLocked(row)
	r.silent = p.silent
	r.done = true
	r.reply.store(reply, nil)
	p.pushLocked(r)
}

// LocalError is Local with an error, whose text has no leading '-'.
func (p *Pipeline) LocalError(row *command.Row, text string) {
	p.Local(row, resp.AppendError(nil, text))
}

// Reserve takes a place for a request that is answered later.
func (p *Pipeline) Reserve(row *command.Row) Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.newRequestLocked(row)
	r.silent = p.silent
	p.noteRequestLocked(row)
	p.pushLocked(r)
	if row.Write() && !row.HasKeys() || row.Is("exec") || row.Is("client|tracking") {
		p.answered, p.heldBack = r.seq+1, r.seq+1 // what comes of it is told behind its reply
	}
	return Place{r}
}

// Answer answers a reserved place, once. It must be the oldest: nothing was
// under way when it was reserved.
func (p *Pipeline) Answer(at Place, reply Reply) {
	p.mu.Lock()
	r := at.r
	if r.seq != p.head {
		panic("dispatcher: a reserved place is answered before its turn")
	}
	for i, piece := range reply.pieces {
		if i == 0 {
			p.emitLocked(r.row, piece.Bytes, piece.chunk, r.silent)
		} else if !r.silent && !p.closed {
			p.gatherLocked(piece.Bytes, piece.chunk)
		}
	}
	p.nextLocked(r)
	p.releaseLocked()
	dirty := p.commitLocked()
	p.mu.Unlock()
	if dirty {
		p.sink.Settle()
	}
}
