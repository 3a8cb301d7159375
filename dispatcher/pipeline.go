package dispatcher

import (
	"sync"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
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
	late       bool       // the lateLoop is going to flush
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

// Local answers a request at its place with reply, which is copied.
func (p *Pipeline) Local(row *command.Row, reply []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if row != nil {
		p.noteRequestLocked(row)
	}
	if p.head == p.tail { // nothing to wait for
		p.emitLocked(row, reply, nil, p.silent)
		return
	}
	r := p.newRequestLocked(row)
	r.silent = p.silent
	r.done = true
	r.reply.store(reply, nil)
	p.pushLocked(r)
}

// LocalError is Local with an error, whose text has no leading '-'.
func (p *Pipeline) LocalError(row *command.Row, text string) {
	p.Local(row, resp.AppendError(nil, text))
}

// Place is a request's place in the order, to be answered later by Answer.
type Place struct{ r *request }

// Reserve takes a place for a request that is answered later.
func (p *Pipeline) Reserve(row *command.Row) Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.newRequestLocked(row)
	r.silent = p.silent
	p.noteRequestLocked(row)
	p.pushLocked(r)
	if row.Write() && !row.HasKeys() || row.Is("exec") || row.Is("client|tracking") {
		p.answered, p.heldBack = r.seq+1, r.seq+1 // what comes of it is told behind its reply
	}
	return Place{r}
}

// Answer answers a reserved place, once. It must be the oldest: nothing was
// under way when it was reserved.
func (p *Pipeline) Answer(at Place, reply Reply) {
	p.mu.Lock()
	r := at.r
	if r.seq != p.head {
		panic("dispatcher: a reserved place is answered before its turn")
	}
	for i, piece := range reply.pieces {
		if i == 0 {
			p.emitLocked(r.row, piece.Bytes, piece.chunk, r.silent)
		} else if !r.silent && !p.closed {
			p.gatherLocked(piece.Bytes, piece.chunk)
		}
	}
	p.nextLocked(r)
	p.releaseLocked()
	dirty := p.commitLocked()
	p.mu.Unlock()
	if dirty {
		p.sink.Settle()
	}
}

// Flush sends on what was dispatched and answered since the last time.
func (p *Pipeline) Flush() {
	for i := range p.touched {
		st := &p.touched[i]
		if !st.lane.EnqueueAll(&st.tasks, st.losses) {
			p.refused(st)
		}
		st.lane.Flush()
		*st = stage{}
	}
	p.touched = p.touched[:0]
	p.mu.Lock()
	p.seen = p.intake
	lanes := p.unstageLocked()
	dirty := p.commitLocked()
	p.mu.Unlock()
	for _, lane := range lanes {
		lane.Flush()
	}
	if dirty {
		p.sink.Flush()
	}
}

// unstageLocked notes that all parts are at their lanes, and sends what has been
// held back for that. It returns the lanes to flush.
func (p *Pipeline) unstageLocked() (lanes []*backend.TaskRunner) {
	p.stagedFrom = p.tail
	if len(p.holds) == 0 { // the usual
		return nil
	}
	held := make([]uint16, len(p.holds))
	for i, h := range p.holds {
		held[i] = h.slot
	}
	for _, slot := range held {
		lanes = p.advanceLocked(slot, lanes)
	}
	return lanes
}

// commitLocked reports whether there is something to flush.
func (p *Pipeline) commitLocked() bool {
	if !p.dirty {
		return false
	}
	p.dirty = false
	p.sink.Commit()
	return true
}

// maxLate is the largest output, in bytes, that waits for more.
const maxLate = 16 << 10

// output is the Pipeline as lanes flush it.
type output Pipeline

// Flush implements backend.Flusher. While more replies are under way, mostly
// from other lanes that were asked at the same time, it leaves the writing to
// whoever completes the last of them, and to the lateLoop if that takes long.
func (o *output) Flush() {
	p := (*Pipeline)(o)
	p.mu.Lock()
	p.owed = false
	if p.dirty && p.head != p.tail && p.sink.Gathered() < maxLate {
		add := !p.late
		p.late = true
		p.mu.Unlock()
		if add {
			p.d.late.add(p)
		}
		return
	}
	dirty := p.commitLocked()
	p.mu.Unlock()
	if dirty {
		p.sink.Flush()
	}
}

// flusherLocked returns what a lane has to flush, or nil.
func (p *Pipeline) flusherLocked() backend.Flusher {
	if !p.dirty || p.owed {
		return nil
	}
	p.owed = true
	return (*output)(p)
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

// stage is what the reader has for one lane.
type stage struct {
	lane   *backend.TaskRunner
	losses uint32 // of the lane, when the stage was begun
	tasks  backend.TaskList
}

// touch returns the reader's stage for a lane, which it will flush. To stage a
// task it is called under the lock that the holds were looked at under, so that
// what comes back later is known to come back.
func (p *Pipeline) touch(lane *backend.TaskRunner) *stage {
	for i := range p.touched {
		if p.touched[i].lane == lane {
			return &p.touched[i]
		}
	}
	p.touched = append(p.touched, stage{lane: lane, losses: lane.Losses()})
	return &p.touched[len(p.touched)-1]
}

// refused deals with tasks whose lane has closed, or has lost its connection,
// since they were staged.
func (p *Pipeline) refused(st *stage) {
	for t := st.tasks.Pop(); t != nil; t = st.tasks.Pop() {
		lost := &backend.LostError{Addr: st.lane.Node().Addr, Err: backend.ErrClosed}
		if f := t.Handler.Failed(t, lost); f != nil {
			f.Flush()
		}
	}
}
