package dispatcher

import (
	"errors"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// errCrossSlot is Redis's text for keys that do not share a slot.
const errCrossSlot = "CROSSSLOT Keys in request don't hash to the same slot"

// Dispatch gives the command its place and sends it to whom it concerns. The
// command's bytes may change once Dispatch returns, unless they are so many
// that chunk, of which they are a part, was retained; chunk may be nil.
//
// If wait is true, the session must hand over nothing more until the Pipeline
// is empty (see Busy): a node is being asked where the command belongs.
func (p *Pipeline) Dispatch(row *command.Row, cmd *resp.Command, chunk *backend.Chunk) (wait bool) {
	slot, several := noSlot, false
	if row.KeyArg != 0 {
		slot = p.d.hash(cmd.Args[row.KeyArg])
	} else if row.HasKeys() {
		keys, err := row.AppendKeys(p.keyArgs[:0], cmd.Args)
		p.keyArgs = keys[:0]
		switch {
		case errors.Is(err, command.ErrAskServer):
			p.askKeys(row, cmd)
			return true
		case err != nil && canSplit(row):
			// A node would look at the slots before it counts.
			p.LocalError(row, "ERR wrong number of arguments for '"+row.Name+"' command")
			return false
		case err != nil || len(keys) == 0:
			// Any node words the error, or needs no key.
		default:
			several = len(keys) > 1
			slot = p.d.hash(cmd.Args[keys[0]])
			if p.spread(cmd.Args, keys, slot) {
				p.dispatchSpread(row, cmd.Args, keys)
				return false
			}
		}
	}
	p.mu.Lock()
	r := p.newForwardLocked(row, cmd, chunk)
	r.one.slot, r.one.several = slot, several
	p.placeLocked(r)
	p.mu.Unlock()
	return false
}

func canSplit(row *command.Row) bool {
	_, ok := row.Split()
	return ok
}

func (d *Dispatcher) hash(key []byte) uint16 { return d.routes.Load().table.Hash(key) }

// spread reports whether a key is in another slot than slot.
func (p *Pipeline) spread(args [][]byte, keys []int, slot uint16) bool {
	for _, k := range keys[1:] {
		if p.d.hash(args[k]) != slot {
			return true
		}
	}
	return false
}

// newForwardLocked makes the request that forwards cmd as it is.
func (p *Pipeline) newForwardLocked(row *command.Row, cmd *resp.Command, chunk *backend.Chunk) *request {
	r := p.newRequestLocked(row)
	pt := &r.one
	switch {
	case cmd.Inline:
		r.wire = resp.AppendCommandBytes(r.wire, cmd.Args)
		pt.task.Wire = r.wire
	case chunk != nil && len(cmd.Raw) >= refBytes:
		chunk.Retain()
		pt.task.Wire, pt.task.WireChunk = cmd.Raw, chunk
	default:
		r.wire = append(r.wire, cmd.Raw...)
		pt.task.Wire = r.wire
	}
	r.bytes = len(pt.task.Wire)
	p.prepare(pt, cmd.Args)
	return r
}

// prepare fills in what the command's row and arguments say about a part.
func (p *Pipeline) prepare(pt *part, args [][]byte) {
	r := pt.req
	r.silent = p.silent
	pt.slot = noSlot
	pt.task.Start = p.arrived
	pt.readOnly = r.row.ReadOnly()
	if p.d.cfg.RetryIdempotent && !pt.readOnly {
		pt.idempotent = r.row.Idempotent(args)
	}
}

// placeLocked puts r into the FIFO and sends its parts.
func (p *Pipeline) placeLocked(r *request) {
	p.counts.Requests[r.row.Family]++
	p.pushLocked(r)
	if !r.isSplit() {
		p.sendLocked(&r.one)
		return
	}
	for _, pt := range r.parts {
		p.sendLocked(pt)
	}
}

// dispatchSpread handles a command whose keys are in several slots.
func (p *Pipeline) dispatchSpread(row *command.Row, args [][]byte, keys []int) {
	step, ok := row.Split()
	if !ok || p.d.cfg.RejectCrossSlot {
		p.LocalError(row, errCrossSlot)
		return
	}
	p.d.stats.Splits.Add(1)
	p.mu.Lock()
	r := p.newRequestLocked(row)
	p.mu.Unlock()
	p.split(r, args, keys, step) // takes long if there are many keys
	p.mu.Lock()
	p.placeLocked(r)
	p.mu.Unlock()
}
