package dispatcher

import (
	"bytes"
	"slices"

	"redis-cluster-proxy/backend"
)

// maxLateBytes is how many bytes of pushes wait for replies. Of more, the client is
// told to forget everything.
const maxLateBytes = 1 << 20

// latePush is a push that must not overtake replies.
type latePush struct {
	behind uint64 // all requests before it have left the ring
	push   []byte
}

// Tell sends a push, a copy of it, that came over lane: behind the replies that
// came over the lane before it, or over any lane if it is nil. A value that has been
// read must not reach the client after the news that it has changed: it would be
// kept for ever. It does not wait for requests that no node has answered yet. The
// caller flushes.
func (p *Pipeline) Tell(push []byte, lane *backend.TaskRunner) backend.Flusher {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tellLocked(push, p.saidLocked(lane))
}

// saidLocked returns how many requests must have left the ring before what came
// over lane is told.
func (p *Pipeline) saidLocked(lane *backend.TaskRunner) uint64 {
	if p.head >= p.answered || lane == nil {
		return max(p.head, p.answered)
	}
	first := max(p.head, p.heldBack)
	for seq := min(p.answered, p.tail); seq > first; seq-- {
		if p.atLocked(seq - 1).answeredBy(lane) {
			return seq
		}
	}
	return first
}

// answeredBy reports whether r, or a part of it, has its answer over lane.
func (r *request) answeredBy(lane *backend.TaskRunner) (by bool) {
	r.each(func(pt *part) { by = by || pt.lane == lane && (r.done || pt.state == partDone) })
	return by
}

func (p *Pipeline) tellLocked(push []byte, behind uint64) backend.Flusher {
	if p.parting && p.head != p.tail { // not in the middle of a reply
		behind = max(behind, p.head+1)
	}
	switch {
	case p.closed:
		return nil
	case p.own != nil && p.head < behind:
		p.own.lateLocked(push, behind)
		return nil // whoever empties the ring flushes
	}
	p.gatherPushLocked(push, false)
	return p.flusherLocked()
}

func (o *ownLanes) lateLocked(push []byte, behind uint64) {
	if o.lateBytes += len(push); o.lateBytes > maxLateBytes && o.Null != nil {
		behind = o.pipe.answered
		o.pushes, o.lateBytes, o.nullAt, push = nil, len(o.Null), behind+1, o.Null
	}
	i := len(o.pushes)
	for i > 0 && o.pushes[i-1].behind > behind {
		i--
	}
	o.pushes = slices.Insert(o.pushes, i, latePush{behind, bytes.Clone(push)})
}

// Forget makes the client forget all that it has read, as Tell would. It does
// nothing if the client has got no reply since the last time, unless it is told of
// what others read.
func (p *Pipeline) Forget(lane *backend.TaskRunner) backend.Flusher {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.own
	if o == nil || o.Null == nil {
		return nil
	}
	behind := p.saidLocked(lane)
	if o.nullAt > behind && !o.Broadcast {
		return nil
	}
	o.nullAt = behind + 1
	return p.tellLocked(o.Null, behind)
}

// leftLocked is called when the request of that number has left the ring.
func (o *ownLanes) leftLocked(seq uint64) {
	p := o.pipe
	if seq < o.doubtBefore && o.Null != nil && !p.closed {
		o.nullAt = max(o.nullAt, p.head+1)
		p.gatherLocked(o.Null, nil)
	}
	for len(o.pushes) > 0 && o.pushes[0].behind <= p.head {
		if !p.closed {
			p.gatherLocked(o.pushes[0].push, nil)
		}
		o.lateBytes -= len(o.pushes[0].push)
		o.pushes[0] = latePush{}
		if o.pushes = o.pushes[1:]; len(o.pushes) == 0 {
			o.pushes = nil
		}
	}
}
