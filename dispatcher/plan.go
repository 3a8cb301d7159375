package dispatcher

import (
	"errors"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// errCrossSlot is Redis's text for keys that do not share a slot.
const errCrossSlot = "CROSSSLOT Keys in request don't hash to the same slot"

// course is what is done with a command.
type course uint8

const (
	courseForward course = iota // sent whole: to the node of its slot, or to any if it has none
	courseAskKeys               // sent when a node has told which arguments are its keys
	courseSplit                 // sent in parts, one for each slot
	courseRefuse                // answered with an error
)

// plan decides about a command. slot is that of the first key, or noSlot; keys
// are the indexes of its keys, valid until the next call; fault is the error to
// answer with courseRefuse.
func (p *Pipeline) plan(row *command.Row, args [][]byte) (do course, slot uint16, keys []int, fault string) {
	if row.KeyArg != 0 { // the hot path
		return courseForward, p.d.hash(args[row.KeyArg]), nil, ""
	}
	if !row.HasKeys() {
		if row.Is("publish") { // by the channel, like a key: see publish.go
			return courseForward, p.d.hash(args[1]), nil, ""
		}
		return courseForward, noSlot, nil, ""
	}
	keys, err := row.AppendKeys(p.keyArgs[:0], args)
	p.keyArgs = keys[:0]
	switch {
	case errors.Is(err, command.ErrAskServer):
		return courseAskKeys, noSlot, nil, ""
	case err != nil && mayMiscount(row):
		// A node would look at the slots before it counts.
		return courseRefuse, noSlot, nil, "ERR wrong number of arguments for '" + row.Name + "' command"
	case err != nil || len(keys) == 0:
		return courseForward, noSlot, nil, "" // any node words the error, or needs no key
	}
	slot = p.d.hash(args[keys[0]])
	switch {
	case !p.spread(args, keys, slot):
		return courseForward, slot, keys, ""
	case p.d.cfg.RejectCrossSlot || !row.Divides(args, keys):
		return courseRefuse, slot, keys, errCrossSlot
	}
	return courseSplit, slot, keys, ""
}

// Dispatch gives the command its place and sends it to whom it concerns. The
// command's bytes may change once Dispatch returns, unless they are so many
// that chunk, of which they are a part, was retained; chunk may be nil.
//
// If wait is true, the session must hand over nothing more until the Pipeline
// is empty (see Busy): a node is being asked where the command belongs.
func (p *Pipeline) Dispatch(row *command.Row, cmd *resp.Command, chunk *backend.Chunk) (wait bool) {
	do, slot, keys, fault := p.plan(row, cmd.Args)
	switch do {
	case courseAskKeys:
		p.askKeys(row, cmd)
		return true
	case courseRefuse:
		p.LocalError(row, fault)
		return false
	case courseSplit:
		p.dispatchParts(row, cmd.Args, keys)
		return false
	}
	var sc *script
	if row.Family == command.FamilyScripting {
		sc = p.d.scripting(row, cmd.Args)
	}
	p.mu.Lock()
	r := p.newForwardLocked(row, cmd, chunk)
	r.one.slot, r.one.several, r.one.script = slot, len(keys) > 1, sc
	p.placeLocked(r)
	p.mu.Unlock()
	return false
}

// mayMiscount reports whether the arguments of a command are groups, and nothing else.
func mayMiscount(row *command.Row) bool {
	s, ok := row.Split()
	return ok && !s.Counted
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
	pt.task.Caching = p.caching
	pt.readOnly = r.row.ReadOnly()
	switch {
	case pt.readOnly:
	case publishes(r.row):
		pt.message = newMessage(pt, r.row) // and not to be sent twice
	case r.row.KeyArg == 0 && aboutServer(r.row): // COMMAND, which is not flagged readonly
		pt.idempotent = true
	case p.d.cfg.RetryIdempotent:
		pt.idempotent = r.row.Idempotent(args)
	}
}

// placeLocked puts r into the FIFO and sends its parts.
func (p *Pipeline) placeLocked(r *request) {
	p.noteRequestLocked(r.row)
	p.pushLocked(r)
	if !r.isSplit() {
		p.sendLocked(&r.one)
		return
	}
	for _, pt := range r.parts {
		p.sendLocked(pt)
	}
}

// dispatchParts sends a command in parts.
func (p *Pipeline) dispatchParts(row *command.Row, args [][]byte, keys []int) {
	how, _ := row.Split()
	p.d.stats.Splits.Add(1)
	p.mu.Lock()
	r := p.newRequestLocked(row)
	p.mu.Unlock()
	p.split(r, args, keys, how) // takes long if there are many keys
	p.mu.Lock()
	p.placeLocked(r)
	p.mu.Unlock()
}
