package dispatcher

import (
	"errors"
	"fmt"
	"strings"

	"redis-cluster-proxy/backend"
)

// Replied implements backend.Handler.
func (p *Pipeline) Replied(run []backend.Reply, chunk *backend.Chunk) backend.Flusher {
	var lanes []*backend.TaskRunner
	p.mu.Lock()
	for i := range run {
		pt, reply := run[i].Task.Owner.(*part), run[i].Bytes
		if reply[0] == '-' {
			if pre := pt.task.Prelude; pre != nil {
				reply = unitOutcome(pt.lane.Node().Addr, pre, reply)
			}
			b := classify(reply)
			if b == bounceNone {
				b = p.scriptBounce(pt, reply)
			}
			if b != bounceNone {
				p.mu.Unlock() // the topology is told without it
				p.bounced(pt, b, strings.TrimSpace(string(reply[1:])))
				p.mu.Lock()
				continue
			}
		} else if pt.script != nil {
			p.d.scripts.note(pt.script, pt.lane.Node(), pt.losses)
		} else if pt.message != nil {
			p.mu.Unlock() // who counts takes locks of his own
			reply = p.d.counted(pt.message, pt.lane.Node().Addr, reply)
			p.mu.Lock()
		}
		lanes = p.completedLocked(pt, reply, chunk, lanes)
	}
	f := p.flusherLocked()
	p.mu.Unlock()
	for _, lane := range lanes {
		lane.Flush()
	}
	return f
}

// Failed implements backend.Handler.
func (p *Pipeline) Failed(t *backend.Task, lost *backend.LostError) backend.Flusher {
	pt := t.Owner.(*part)
	addr, at := lost.Addr, pt.at
	return p.again(pt, func() {
		if lost.Sent {
			p.noteWriteLocked(pt)
		}
		refused := (*backend.HandshakeError)(nil)
		safe := !lost.Sent || pt.repeatable()
		switch {
		case errors.As(lost.Err, &refused):
			p.failLocked(pt, refused.Text)
		case errors.Is(lost.Err, backend.ErrTimeout) && pt.readOnly:
			p.failLocked(pt, "ERR no reply from "+addr+" in time")
		case errors.Is(lost.Err, backend.ErrTimeout):
			p.d.stats.Unknown.Add(1)
			p.failLocked(pt, "UNKNOWNRESULT no reply from "+addr+" in time; the command may have been executed")
		case !safe:
			p.d.stats.Unknown.Add(1)
			p.d.topology.Refresh("connection lost")
			p.failLocked(pt, "UNKNOWNRESULT connection to "+addr+" lost after the command was sent; it may have been executed")
		default:
			p.d.stats.Bounces[bounceLost].Add(1)
			p.d.topology.Refresh("connection lost")
			if at != nil {
				at.markUnfit()
			}
			pt.target, pt.task.Asking = "", false
			p.bounceLocked(pt, bounceLost, fmt.Sprintf("CLUSTERDOWN node %s is unreachable: %v", addr, lost.Err))
		}
	})
}

// completedLocked hands pt's reply on and sends what waited for it. It appends
// the lanes to flush to lanes.
func (p *Pipeline) completedLocked(pt *part, reply []byte, chunk *backend.Chunk, lanes []*backend.TaskRunner) []*backend.TaskRunner {
	p.landLocked(pt)
	slot := pt.slot
	p.noteWriteLocked(pt)
	if pt.task.Total != 0 {
		p.noteSlowLocked(pt)
	}
	p.finishPartLocked(pt, reply, chunk)
	if len(p.holds) > 0 {
		lanes = p.advanceLocked(slot, lanes)
	}
	return lanes
}

// finishPartLocked answers pt, and its request if pt was the last part.
func (p *Pipeline) finishPartLocked(pt *part, reply []byte, chunk *backend.Chunk) {
	r := pt.req
	pt.state = partDone
	if pt.message != nil {
		p.d.messages.land(pt.message)
	}
	if !r.isSplit() {
		p.finishLocked(r, reply, chunk)
		return
	}
	pt.reply.store(reply, chunk)
	p.answered = max(p.answered, r.seq+1)
	if r.left--; r.left == 0 {
		p.finishLocked(r, nil, nil)
	}
}
