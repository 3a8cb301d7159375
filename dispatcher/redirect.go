package dispatcher

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
	"redis-cluster-proxy/slots"
)

// bounce says why a part came back without an answer for its client.
type bounce uint8

const (
	bounceNone       bounce = iota // it has its answer
	bounceMoved                    // MOVED
	bounceAsk                      // ASK
	bounceTryAgain                 // TRYAGAIN
	bounceDown                     // CLUSTERDOWN, or a slot without a node
	bounceLoading                  // LOADING
	bounceMaster                   // MASTERDOWN
	bounceReadOnly                 // READONLY
	bounceLost                     // the connection
	bounceNoScript                 // an EVALSHA must be sent as EVAL, or the other way about
	bounceNoFunction               // the node may lack a library
	numBounces
)

var bounceNames = [numBounces]string{"none", "moved", "ask", "tryagain", "clusterdown", "loading", "masterdown", "readonly", "lost", "noscript", "nofunction"}

// errNotServed is Redis's text for a slot that no node serves.
const errNotServed = "CLUSTERDOWN Hash slot not served"

var bouncePrefixes = [numBounces][]byte{
	bounceMoved: []byte("-MOVED "), bounceAsk: []byte("-ASK "), bounceTryAgain: []byte("-TRYAGAIN "),
	bounceDown: []byte("-CLUSTERDOWN "), bounceLoading: []byte("-LOADING "),
	bounceMaster: []byte("-MASTERDOWN "), bounceReadOnly: []byte("-READONLY "),
}

// classify tells a node's error that the proxy acts on from one that is the
// client's.
func classify(reply []byte) bounce {
	for b := bounceMoved; b <= bounceReadOnly; b++ {
		if bytes.HasPrefix(reply, bouncePrefixes[b]) {
			return b
		}
	}
	return bounceNone
}

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
		} else if pt.published {
			p.mu.Unlock() // who counts takes locks of his own
			reply = p.d.counted(pt, reply)
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

// noteWriteLocked remembers that pt, if it is a write, may have been executed.
func (p *Pipeline) noteWriteLocked(pt *part) {
	if !pt.readOnly {
		p.wrote.note(pt.lane.Node())
	}
	if !pt.readOnly && p.d.cfg.ReadPrefer != PreferPrimary && pt.slot != noSlot {
		p.writes.note(pt.slot, int64(p.d.cfg.ReadYourWrites))
	}
}

// noteWrite remembers that a write that is no part may have been executed.
func (p *Pipeline) noteWrite(slot uint16, at *backend.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrote.note(at)
	if p.d.cfg.ReadPrefer == PreferPrimary {
		return
	}
	p.writes.note(slot, int64(p.d.cfg.ReadYourWrites))
}

// finishPartLocked answers pt, and its request if pt was the last part.
func (p *Pipeline) finishPartLocked(pt *part, reply []byte, chunk *backend.Chunk) {
	r := pt.req
	pt.state = partDone
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

// bounced deals with a part that a node sent back with an error.
func (p *Pipeline) bounced(pt *part, b bounce, text string) {
	p.d.stats.Bounces[b].Add(1)
	from, slot := pt.lane.Node().Addr, pt.slot
	target, asking, ok := "", false, true
	if b == bounceAsk || b == bounceTryAgain {
		p.d.noteMoving(pt.slot)
	}
	switch b {
	case bounceMoved, bounceAsk:
		var of uint16
		of, target, ok = parseRedirect(text, from)
		asking = b == bounceAsk
		if ok && b == bounceMoved {
			p.d.topology.Moved(of, target)
			if of == slot {
				target = "" // by the patched routes
			}
		}
	case bounceTryAgain, bounceNoScript:
		// The node that a slot is moving to says so, too. Asking its owner
		// first would only cost a hop each time.
		target, asking = pt.target, pt.task.Asking
	case bounceLoading, bounceMaster:
		if pt.at != nil {
			pt.at.markUnfit()
		}
		p.d.topology.Refresh(bounceNames[b])
	case bounceDown, bounceReadOnly:
		p.d.topology.Refresh(bounceNames[b])
	}
	if asking && pt.task.Caching == backend.CachingYes {
		p.doubt() // a node cannot be told both
	}
	f := p.again(pt, func() {
		pt.target, pt.task.Asking = target, asking
		if !ok {
			p.failLocked(pt, text)
			return
		}
		if b == bounceTryAgain && pt.attempts > 0 {
			if parts := p.explodeLocked(pt); parts != nil {
				for _, one := range parts {
					p.bounceLocked(one, b, text)
				}
				return
			}
		}
		if b == bounceNoScript {
			pt.dressAgainLocked()
		}
		p.bounceLocked(pt, b, text)
	})
	if f != nil {
		f.Flush()
	}
	if b == bounceNoFunction {
		p.d.functions.want(from, waiter{p, slot})
	}
}

// again takes pt back from its lane, lets f decide what becomes of it, and sends
// what can be sent.
func (p *Pipeline) again(pt *part, f func()) backend.Flusher {
	p.mu.Lock()
	slot := pt.slot
	p.landLocked(pt)
	f()
	lanes := p.advanceLocked(slot, nil)
	flusher := p.flusherLocked()
	p.mu.Unlock()
	for _, lane := range lanes {
		lane.Flush()
	}
	return flusher
}

// bounceLocked puts pt in line to be sent again, or answers with text if its
// budget is spent.
func (p *Pipeline) bounceLocked(pt *part, b bounce, text string) {
	now := backend.Now()
	if pt.deadline == 0 {
		pt.deadline = now + int64(p.d.cfg.RedirectTimeout)
	}
	pt.attempts++
	if b == bounceMoved || b == bounceAsk {
		pt.hops++
	}
	if now >= pt.deadline {
		p.hastenLocked(pt.slot, now)
	}
	if now >= pt.deadline || pt.hops > max(p.d.cfg.MaxRedirects, 0) || p.closed {
		p.failLocked(pt, text)
		return
	}
	pt.notBefore, pt.timed = 0, false
	if wait := waitAfter(b, pt.attempts); wait > 0 {
		pt.notBefore = min(now+int64(wait), pt.deadline)
	}
	if b == bounceNoFunction {
		pt.notBefore = pt.deadline // or when the functionKeeper has looked
	}
	p.d.stats.Retries.Add(1)
	p.holdLocked(pt)
}

// hastenLocked lets what waits in the hold of slot be tried once more and no
// longer: the part that it waited for has used up the time for all of them. Else
// each would begin a budget of its own when the one before it has failed.
func (p *Pipeline) hastenLocked(slot uint16, now int64) {
	h := p.holdOf(slot)
	if h == nil {
		return
	}
	for _, pt := range h.waiting {
		if pt.deadline == 0 {
			pt.deadline = now
		}
	}
}

// failLocked answers pt with an error.
func (p *Pipeline) failLocked(pt *part, text string) {
	if total := backend.Now() - pt.task.Start; total >= p.d.pool.Slow() {
		pt.task.Total = total
		p.noteSlowLocked(pt)
	}
	p.finishPartLocked(pt, resp.AppendError(nil, text), nil)
}

// parseRedirect reads "MOVED 3999 127.0.0.1:6381" or the same with ASK, sent
// by the node at from.
func parseRedirect(text, from string) (slot uint16, addr string, ok bool) {
	fields := strings.Fields(text)
	if len(fields) < 3 {
		return 0, "", false
	}
	n, err := strconv.ParseUint(fields[1], 10, 16)
	if err != nil || n >= slots.NumSlots {
		return 0, "", false
	}
	addr, err = slots.ResolveAddr(fields[2], from)
	return uint16(n), addr, err == nil
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
