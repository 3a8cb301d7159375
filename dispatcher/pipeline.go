package dispatcher

import (
	"sync"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
)

// Sink is a session's way to its client. Its methods are called with the
// Pipeline's lock held, save Flush and Settle, and must not block or call the Pipeline.
type Sink interface {
	// Append gathers a copy of reply.
	Append(reply []byte)
	// AppendChunk gathers reply, a part of chunk, retaining chunk. If chunk is
	// nil, reply's memory is the garbage collector's and never changes.
	AppendChunk(reply []byte, chunk *backend.Chunk)
	// Slow tells of a request that took longer than Pool.SetSlow said. It is
	// about to be answered; what it is told is valid until Slow returns.
	Slow(Slow)
	// Gathered returns how many bytes have gathered since the last Commit.
	Gathered() int
	// Commit settles that what has gathered is what the next Flush sends.
	Commit()
	// Flush sends what was committed, soon. It is called from any goroutine.
	Flush()
	// Settle sends what was committed, at once. Likewise.
	Settle()
	// Wake says that what WakeAt waited for has come.
	Wake()
}

// Pipeline is the FIFO of one session's requests. The methods that take
// requests (Dispatch, Local, Place ...) belong to the session's reader;
// the rest is safe for concurrent use.
type Pipeline struct {
	// Set at construction.
	d    *Dispatcher
	sink Sink
	seed uint32

	// Owned by the session's reader.
	profile     backend.ProfileHandle // written under mu
	readProfile backend.ProfileHandle
	touched     []stage // lanes to flush
	keyArgs     []int   // scratch
	silent      bool    // what is dispatched now gets no reply
	caching     backend.Caching
	crowded     bool   // the last request filled the Pipeline
	arrived     int64  // when the batch arrived, by backend.Now
	intake      Intake // see TookIn

	mu sync.Mutex
	// Guarded by mu.
	ring       []*request // length is a power of two, or zero
	short      []*request // the ring that an idle session keeps, while a longer one is in use
	head       uint64     // seq of the oldest request
	tail       uint64     // seq of the next
	answered   uint64     // requests before it, and after head, may have a node's answer
	heldBack   uint64     // likewise: pushes wait for them, whatever lane they come over
	own        *ownLanes  // nil: the lanes are shared
	bytes      int        // of the requests in the ring
	free       []*request // recycled ones
	dirty      bool       // the sink was appended to since the last Flush
	owed       bool       // a lane is going to flush
	late       bool       // the lateLoop is going to look at it
	lateBy     int64      // when output that waits is to be flushed, by backend.Now; 0: none waits
	closed     bool
	parting    bool // a part of the oldest request's reply was sent, and not all of it
	withheld   withheld
	wakeAt     int // Wake when so few requests are left; -1: no one waits
	routes     *routes
	scanBefore uint64 // requests before it may have gone by older routes
	stagedFrom uint64 // requests from it on may still be with the reader
	holds      []*hold
	writes     recentWrites
	wrote      wroteTo
	counts     Counts
	last       *command.Row // of the last request
	seen       Intake       // as of the last Flush
}

// NewPipeline makes the Pipeline of one session. seed spreads sessions over
// lanes and replicas.
func NewPipeline(d *Dispatcher, sink Sink, seed uint32, profile backend.Profile) *Pipeline {
	p := &Pipeline{d: d, sink: sink, seed: seed, wakeAt: -1}
	p.SetProfile(profile)
	d.stats.join(p)
	return p
}

// SetProfile makes later requests travel under profile. The Pipeline must be
// empty, or they could overtake earlier ones.
func (p *Pipeline) SetProfile(profile backend.Profile) {
	handle := backend.MakeProfile(profile)
	p.mu.Lock()
	p.profile = handle
	p.mu.Unlock()
	p.readProfile = handle
	if p.d.cfg.ReadPrefer != PreferPrimary {
		profile.ReadOnly = true
		p.readProfile = backend.MakeProfile(profile)
	}
}

// SetSilent drops the replies of what is dispatched from now on, or no longer.
func (p *Pipeline) SetSilent(silent bool) { p.silent = silent }

// Begin says when the bytes of the requests to come arrived, by backend.Now.
func (p *Pipeline) Begin(arrived int64) { p.arrived = arrived }

// Len returns how many requests are under way.
func (p *Pipeline) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lenLocked()
}

func (p *Pipeline) lenLocked() int { return int(p.tail - p.head) }

// Full reports whether the session is to wait before its next request. If so,
// Wake will be called.
func (p *Pipeline) Full() bool {
	if !p.crowded { // the usual, without the lock
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.crowded = p.crowdedLocked(); p.crowded {
		p.wakeAt = p.lenLocked() / 2
	}
	return p.crowded
}

func (p *Pipeline) crowdedLocked() bool {
	n := p.lenLocked()
	return n >= p.d.cfg.MaxInFlight || p.bytes >= p.d.cfg.MaxInFlightBytes && n > 0
}

// Busy reports whether requests are under way. If so, Wake will be called
// when there are none.
func (p *Pipeline) Busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lenLocked() == 0 {
		return false
	}
	p.wakeAt = 0
	return true
}

// commitLocked reports whether there is something to flush.
func (p *Pipeline) commitLocked() bool {
	if !p.dirty {
		return false
	}
	p.dirty, p.lateBy = false, 0
	p.sink.Commit()
	return true
}

// Close says that the client is gone: what is under way is finished in
// silence, and what waits to be sent is not sent.
func (p *Pipeline) Close() {
	p.mu.Lock()
	p.closed = true
	p.wakeAt = -1
	for len(p.holds) > 0 {
		h := p.holds[len(p.holds)-1]
		p.holds = p.holds[:len(p.holds)-1]
		for _, pt := range h.waiting {
			p.finishPartLocked(pt, errGone, nil)
		}
	}
	tracks := p.own != nil
	p.own.endLocked()
	p.mu.Unlock()
	if tracks {
		p.d.tracking.remove(p)
	}
	p.d.stats.leave(p)
}

// errGone answers what was not sent because its client is gone.
var errGone = []byte("-ERR client closed\r\n")
