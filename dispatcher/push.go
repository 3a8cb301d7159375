package dispatcher

import (
	"bytes"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
)

// Push sends bytes that answer no request, a copy of them, behind the replies
// that have left the ring, and the one that is leaving it in parts. It may be called
// from any goroutine, and CLIENT REPLY does not silence it.
func (p *Pipeline) Push(b []byte) {
	p.Gather(b, false)
	p.FlushGathered()
}

// Gather is Push for bytes that FlushGathered sends. If they are shared, they
// are kept instead of copied, and must never change.
func (p *Pipeline) Gather(b []byte, shared bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gatherPushLocked(b, shared)
}

func (p *Pipeline) gatherPushLocked(b []byte, shared bool) {
	switch {
	case p.closed:
	case p.parting:
		p.withheld.add(b, shared)
	case shared:
		p.sink.AppendChunk(b, nil)
		p.dirty = true
	default:
		p.sink.Append(b)
		p.dirty = true
	}
}

// withheld is what waits for the end of a reply that is sent in parts: it must not
// come in the middle of it.
type withheld struct {
	pushes []push
	bytes  int
}

type push struct {
	b      []byte
	shared bool
}

func (w *withheld) add(b []byte, shared bool) {
	if !shared {
		b = bytes.Clone(b)
	}
	w.pushes = append(w.pushes, push{b, shared})
	w.bytes += len(b)
}

// releaseLocked ends a reply that was sent in parts.
func (p *Pipeline) releaseLocked() {
	p.parting = false
	for _, push := range p.withheld.pushes {
		p.gatherPushLocked(push.b, push.shared)
	}
	p.withheld = withheld{}
}

// Withheld returns how many bytes of pushes wait for the end of a reply.
func (p *Pipeline) Withheld() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.withheld.bytes
}

// Withhold keeps what is pushed from now on until Release: the reply to come changes
// how it looks. Nothing may be under way.
func (p *Pipeline) Withhold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parting = true
}

// Release ends Withhold, and sends what was withheld, or forgets it.
func (p *Pipeline) Release(forget bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if forget {
		p.withheld = withheld{}
	}
	p.releaseLocked()
}

// FlushGathered sends what was gathered, unless it is withheld.
func (p *Pipeline) FlushGathered() {
	if p.CommitGathered() {
		p.sink.Flush()
	}
}

// CommitGathered is FlushGathered without the flush, which is due if it returns
// true.
func (p *Pipeline) CommitGathered() (due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.commitLocked() || p.withheld.bytes > 0 // whose amount is looked at
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
	p.gatherPushLocked(b, false)
	return p.flusherLocked()
}
