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
type request struct {
	pipe   *Pipeline
	row    *command.Row
	seq    uint64 // counts the session's requests
	bytes  int    // what it counts against MaxInFlightBytes
	silent bool   // its reply is dropped (CLIENT REPLY)
	done   bool   // the reply is there

	one   part     // the only part, if parts is nil
	parts []*part  // of a request that was split
	left  int      // parts that are not finished
	keys  int      // keys of a split request
	elems [][]byte // scratch of its merge
	wire  []byte   // the request's own memory for what is sent
	slow  *Slow    // of a split request, while parts are missing

	transaction *Transaction // of an EXEC in parts, or with replies of the session's

	reply storedReply // while it waits for its turn; not if it was split
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
	task  backend.Task
	req   *request
	slot  uint16 // noSlot: no keys
	state partState

	readOnly   bool // may be sent twice, and to a replica
	idempotent bool // no read, but may be sent twice
	dress      dress
	several    bool // it has more than one key

	message *message // of PUBLISH; nil: it is another command

	script *script // of EVAL, or of EVALSHA if it was seen
	losses uint32  // its node's, when a part with a script was sent

	lane *backend.TaskRunner // in partFlying
	at   *member             // whose read counter it holds, in partFlying

	// Set once it has bounced.
	target    string // address to try next; "" as the routes say
	hops      int
	attempts  int   // how often it bounced
	deadline  int64 // by backend.Now, when the budget is spent
	notBefore int64 // by backend.Now, when it may be sent again
	timed     bool  // the retryLoop knows of notBefore

	// Of a split request.
	keys  []int32 // which of the request's keys it carries
	reply storedReply
}

// storedReply is a reply that has to wait.
type storedReply struct {
	bytes []byte
	chunk *backend.Chunk // retained if bytes is a part of it
	own   []byte         // memory for a copy
}

// store keeps reply, a part of chunk, which may be nil: small ones copied.
func (s *storedReply) store(reply []byte, chunk *backend.Chunk) {
	if chunk != nil && len(reply) >= refBytes {
		chunk.Retain()
		s.bytes, s.chunk = reply, chunk
		return
	}
	s.own = append(s.own[:0], reply...)
	s.bytes = s.own
}

// drop forgets the reply and keeps a little memory for the next.
func (s *storedReply) drop() {
	if s.chunk != nil {
		s.chunk.Release()
	}
	if cap(s.own) > keepBytes {
		s.own = nil
	}
	*s = storedReply{own: s.own[:0]}
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

// keepParts is the longest list of parts that a pooled request keeps.
const keepParts = 64

// keepBytes is the largest buffer that a pooled request keeps.
const keepBytes = 16 << 10

// recycleLocked gives the request back. Nobody else may know it any more.
func (p *Pipeline) recycleLocked(r *request) {
	if c := r.one.task.WireChunk; c != nil {
		c.Release()
	}
	r.one.message.recycle()
	r.reply.drop()
	for i, pt := range r.parts {
		pt.recycle()
		r.parts[i] = nil
	}
	if cap(r.wire) > keepBytes {
		r.wire = nil
	}
	if cap(r.parts) > keepParts {
		r.parts, r.elems = nil, nil
	}
	clear(r.elems)
	*r = request{wire: r.wire[:0], reply: r.reply, parts: r.parts[:0], elems: r.elems[:0]}
	if len(p.free) < maxFree && p.lenLocked() > 0 {
		p.free = append(p.free, r)
		return
	}
	requestPool.Put(r)
}

// isSplit reports whether the request has parts besides one.
func (r *request) isSplit() bool { return len(r.parts) > 0 }

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
