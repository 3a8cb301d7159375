package dispatcher

import (
	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
)

// Push sends bytes that answer no request, a copy of them, behind the replies
// that have left the ring. It may be called from any goroutine, and CLIENT REPLY
// does not silence it.
func (p *Pipeline) Push(b []byte) {
	p.Gather(b, false)
	p.FlushGathered()
}

// Gather is Push for bytes that FlushGathered sends. If they are shared, they
// are kept instead of copied, and must never change.
func (p *Pipeline) Gather(b []byte, shared bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if shared {
		p.sink.AppendChunk(b, nil)
	} else {
		p.sink.Append(b)
	}
	p.dirty = true
}

// FlushGathered sends what was gathered.
func (p *Pipeline) FlushGathered() {
	p.mu.Lock()
	dirty := p.commitLocked()
	p.mu.Unlock()
	if dirty {
		p.sink.Flush()
	}
}

// Announce is Local for an answer that CLIENT REPLY does not silence. Nothing may
// be under way.
func (p *Pipeline) Announce(row *command.Row, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noteRequestLocked(row)
	if !p.closed {
		p.gatherLocked(b, nil)
	}
}

// Hear is Push that leaves the writing to the caller, who has more to say. The
// Flusher may be nil.
func (p *Pipeline) Hear(b []byte) backend.Flusher {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.gatherLocked(b, nil)
	return p.flusherLocked()
}
