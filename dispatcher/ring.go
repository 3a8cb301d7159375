package dispatcher

import (
	"sync"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
)

// pushLocked gives r the next place.
func (p *Pipeline) pushLocked(r *request) {
	if n := p.lenLocked(); n == len(p.ring) {
		p.growLocked(n)
	}
	r.seq = p.tail
	p.ring[p.tail&uint64(len(p.ring)-1)] = r
	p.tail++
	p.bytes += r.bytes
	p.crowded = p.crowdedLocked()
}

func (p *Pipeline) growLocked(n int) {
	var ring []*request
	if n == keepRing {
		ring = longRings.Get().(*longRing)[:]
	} else {
		ring = make([]*request, max(8, 2*n))
	}
	for seq := p.head; seq < p.tail; seq++ {
		ring[seq&uint64(len(ring)-1)] = p.atLocked(seq)
	}
	if n == keepRing {
		clear(p.ring)
		p.short = p.ring
	} else {
		p.shelveLocked()
	}
	p.ring = ring
}

// shelveLocked gives the ring back if it is a pooled one. What is in it is
// needed no more.
func (p *Pipeline) shelveLocked() {
	if len(p.ring) == len(longRing{}) {
		clear(p.ring)
		longRings.Put((*longRing)(p.ring))
	}
}

func (p *Pipeline) atLocked(seq uint64) *request {
	return p.ring[seq&uint64(len(p.ring)-1)]
}

// keepRing is the longest ring that an idle session keeps.
const keepRing = 64

// longRing is the next longer ring, which is borrowed for a long pipeline.
type longRing [4 * keepRing]*request

var longRings = sync.Pool{New: func() any { return new(longRing) }}

// finishLocked gives r its reply; a split request has it in its parts. If it is
// r's turn, the reply and all those that waited for it go to the sink.
func (p *Pipeline) finishLocked(r *request, reply []byte, chunk *backend.Chunk) {
	r.done = true
	if r.seq != p.head {
		p.answered = max(p.answered, r.seq+1)
		if !r.isSplit() {
			r.reply.store(reply, chunk)
		}
		return
	}
	if r.isSplit() {
		p.mergeLocked(r)
	} else {
		p.emitLocked(r.row, reply, chunk, r.silent)
	}
	p.nextLocked(r)
}

// nextLocked takes r, whose reply went to the sink, out of the ring, with those
// behind it whose replies are there.
func (p *Pipeline) nextLocked(r *request) {
	p.popLocked(r)
	for p.head < p.tail {
		next := p.atLocked(p.head)
		if !next.done {
			break
		}
		if next.isSplit() {
			p.mergeLocked(next)
		} else {
			p.emitLocked(next.row, next.reply.bytes, next.reply.chunk, next.silent)
		}
		p.popLocked(next)
	}
	if p.head == p.tail && len(p.ring) > keepRing {
		p.shelveLocked()
		p.ring, p.short = p.short, nil
	}
	if p.lenLocked() <= p.wakeAt {
		p.wakeAt = -1
		p.sink.Wake()
	}
}

func (p *Pipeline) popLocked(r *request) {
	p.ring[p.head&uint64(len(p.ring)-1)] = nil
	p.head++
	p.bytes -= r.bytes
	if p.own != nil {
		p.own.leftLocked(r.seq)
	}
	p.recycleLocked(r)
}

// emitLocked hands a reply to the sink.
func (p *Pipeline) emitLocked(row *command.Row, reply []byte, chunk *backend.Chunk, silent bool) {
	if len(reply) > 0 && reply[0] == '-' && !p.closed {
		p.counts.Errors[familyOf(row)]++
	}
	if !silent && !p.closed {
		p.gatherLocked(reply, chunk)
	}
}

// gatherLocked hands bytes to the sink, by reference if they are many and a part
// of chunk.
func (p *Pipeline) gatherLocked(b []byte, chunk *backend.Chunk) {
	if chunk != nil && len(b) >= refBytes {
		p.sink.AppendChunk(b, chunk)
	} else {
		p.sink.Append(b)
	}
	p.dirty = true
}

func familyOf(row *command.Row) command.Family {
	if row == nil {
		return command.FamilyOther
	}
	return row.Family
}
