package dispatcher

import (
	"sync"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
)

// refBytes is the size, in bytes, from which requests and replies are passed on
// by reference to their read buffer instead of being copied.
const refBytes = 8 << 10

// noSlot is the slot of a part without keys.
const noSlot = uint16(0xFFFF)

// request is one command of a client, from its place in the Pipeline to its
// reply. It belongs to its Pipeline, under whose lock its fields change.
//
// Thousands of them are under way at a time, in long pipelines, so it is their
// size that decides how much of them stays in the processor's cache. What most of
// them never need is behind pointers.
type request struct {
	pipe   *Pipeline
	row    *command.Row
	seq    uint64 // counts the session's requests
	bytes  int    // what it counts against MaxInFlightBytes
	silent bool   // its reply is dropped (CLIENT REPLY)
	done   bool   // the reply is there

	wire  []byte      // the request's own memory for what is sent
	one   part        // the only part, if the request is not split
	reply storedReply // while it waits for its turn; not if it was split

	*division // nil unless it was split, or is about to be
}

// division is what a request has that is split.
type division struct {
	parts []*part
	left  int      // parts that are not finished
	keys  int      // keys of all of them
	elems [][]byte // scratch of the merge
	slow  *Slow    // while parts are missing

	transaction *Transaction // of an EXEC in parts, or with replies of the session's
}

// partState is where a part is.
type partState uint8

const (
	partHeld   partState = iota // in a hold, or not routed yet
	partFlying                  // at a lane
	partDone                    // answered
)

// part is one command to one node.
type part struct {
	task backend.Task
	req  *request

	slot       uint16 // noSlot: no keys
	state      partState
	dress      dress
	readOnly   bool // may be sent twice, and to a replica
	idempotent bool // no read, but may be sent twice
	several    bool // it has more than one key

	message *message            // of PUBLISH; nil: it is another command
	lane    *backend.TaskRunner // in partFlying
	at      *member             // whose read counter it holds, in partFlying
	script  *script             // of EVAL, or of EVALSHA if it was seen
	losses  uint32              // its node's, when a part with a script was sent

	*detour // nil unless it has been in a hold, or has come back from a node
	*share  // of a split request; else nil
}

// detour is what a part has that could not just be sent and answered.
type detour struct {
	target    string // address to try next; "" as the routes say
	hops      int
	attempts  int   // how often it bounced
	deadline  int64 // by backend.Now, when the budget is spent
	notBefore int64 // by backend.Now, when it may be sent again
	timed     bool  // the retryLoop knows of notBefore
}

// divert sees to it that the part has a detour.
func (pt *part) divert() {
	if pt.detour == nil {
		pt.detour = new(detour)
	}
}

// share is what a part has to do with the other parts of its request.
type share struct {
	keys  []int32 // which of the request's keys it carries
	reply storedReply
}

// storedReply is a reply that has to wait.
type storedReply struct {
	bytes []byte         // while there is no reply, memory for one
	chunk *backend.Chunk // retained if bytes is a part of it; nil: bytes is a copy
	small [16]byte       // the first memory for a copy: enough for most
}

// store keeps reply, a part of chunk, which may be nil: small ones copied.
func (s *storedReply) store(reply []byte, chunk *backend.Chunk) {
	if chunk != nil && len(reply) >= refBytes {
		chunk.Retain()
		s.bytes, s.chunk = reply, chunk
		return
	}
	if s.bytes == nil {
		s.bytes = s.small[:]
	}
	s.bytes = append(s.bytes[:0], reply...)
}

// drop forgets the reply and returns a little memory for the next.
func (s *storedReply) drop() []byte {
	if s.chunk != nil {
		s.chunk.Release()
		s.bytes, s.chunk = nil, nil
	}
	if cap(s.bytes) > keepBytes {
		return nil
	}
	return s.bytes
}

var requestPool = sync.Pool{New: func() any { return new(request) }}

// maxFree is how many requests a Pipeline keeps for itself while more are under
// way. The pool they otherwise go to costs more when one thread takes and another
// gives back; but what it gives is still in the cache, which a request that has
// lain in an idle session is not.
const maxFree = 16

func (p *Pipeline) newRequestLocked(row *command.Row) *request {
	var r *request
	if n := len(p.free); n > 0 {
		r = p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
	} else {
		r = requestPool.Get().(*request)
	}
	r.pipe, r.row = p, row
	r.one.req, r.one.slot = r, noSlot
	r.one.task.Handler, r.one.task.Owner = p, &r.one
	return r
}

// keepBytes is the largest buffer that a pooled request keeps.
const keepBytes = 16 << 10

// recycleLocked gives the request back. Nobody else may know it any more.
func (p *Pipeline) recycleLocked(r *request) {
	if c := r.one.task.WireChunk; c != nil {
		c.Release()
	}
	r.one.message.recycle()
	if r.division != nil {
		r.division.recycle()
	}
	wire, memory := r.wire, r.reply.drop()
	if cap(wire) > keepBytes {
		wire = nil
	}
	*r = request{}
	r.wire, r.reply.bytes = wire[:0], memory
	if len(p.free) < maxFree && p.lenLocked() > 0 {
		p.free = append(p.free, r)
		return
	}
	requestPool.Put(r)
}

// isSplit reports whether the request has parts besides one.
func (r *request) isSplit() bool { return r.division != nil && len(r.parts) > 0 }

// each calls f with every part.
func (r *request) each(f func(*part)) {
	if !r.isSplit() {
		f(&r.one)
		return
	}
	for _, pt := range r.parts {
		f(pt)
	}
}
