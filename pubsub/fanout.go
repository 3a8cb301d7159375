package pubsub

import (
	"bytes"
	"sync"
)

// fanOut is what a trunk has heard and its fanLoop has not passed on yet. While
// the fanLoop writes to a thousand clients, what arrives meanwhile gathers here, and
// then travels together: no timer is needed to have few writes when there is much to
// say.
type fanOut struct {
	wake chan struct{} // holds at most one token

	mu sync.Mutex
	// Guarded by mu.
	next   round
	paused bool          // the trunk reads no more until next is taken
	ended  bool          // nothing more will come
	busy   bool          // a round is being passed on
	passed chan struct{} // closed when next was passed on; nil: nobody waits for that
	over   bool          // the fanLoop has ended

	// Owned by fanLoop.
	spare   round
	touched []*Client
}

// round is messages in the order in which they were heard.
type round struct {
	bytes  []byte // as they were pushed, which is what a client of RESP3 gets
	runs   []run
	starts []int // where each message begins
}

// run is neighbouring messages of one topic.
type run struct {
	kind     Kind
	name     span
	messages span // in starts
	bytes    span
	stamp    uint64
}

// span is a stretch from the first index up to the second.
type span struct{ from, to int }

// maxGathered is how many bytes of messages may wait to be passed on. Beyond it
// the node has to keep them, and closes the connection when they are too many for
// it.
const maxGathered = 16 << 20

// keepRound is the longest buffer that is used again.
const keepRound = 256 << 10

func (f *fanOut) init() { f.wake = make(chan struct{}, 1) }

// add takes a message. name is the part of it that says what it is of.
func (f *fanOut) add(kind Kind, name, message []byte, stamp uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &f.next
	at := len(r.bytes)
	r.bytes = append(r.bytes, message...)
	r.starts = append(r.starts, at)
	if n := len(r.runs); n > 0 {
		last := &r.runs[n-1]
		if last.kind == kind && last.stamp == stamp && bytes.Equal(r.bytes[last.name.from:last.name.to], name) {
			last.messages.to, last.bytes.to = len(r.starts), len(r.bytes)
			return
		}
	}
	begin := at + cap(message) - cap(name) // name is a part of message
	r.runs = append(r.runs, run{
		kind: kind, name: span{begin, begin + len(name)}, stamp: stamp,
		messages: span{len(r.starts) - 1, len(r.starts)}, bytes: span{at, len(r.bytes)},
	})
}

// Caught implements backend.StreamHolder.
func (t *trunk) Caught() (pause bool) {
	f := &t.fan
	f.mu.Lock()
	some := len(f.next.runs) > 0
	f.paused = len(f.next.bytes) > maxGathered
	pause = f.paused
	f.mu.Unlock()
	if some {
		f.rouse()
	}
	return pause
}

func (f *fanOut) rouse() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// rest says that nothing more will be heard.
func (t *trunk) rest() {
	t.fan.mu.Lock()
	t.fan.ended = true
	t.fan.mu.Unlock()
	t.fan.rouse()
}

// mark returns what is closed when all that has been heard was passed on; nil: it
// was.
func (f *fanOut) mark() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || !f.busy && len(f.next.runs) == 0 {
		return nil
	}
	if f.passed == nil {
		f.passed = make(chan struct{})
		f.rouse()
	}
	return f.passed
}

// take swaps what has gathered for an empty round.
func (f *fanOut) take() (r round, passed chan struct{}, resume, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, f.next = f.next, f.spare
	f.spare = round{}
	resume, f.paused = f.paused, false
	passed, f.passed = f.passed, nil
	f.busy, f.over = len(r.runs) > 0, f.ended && len(r.runs) == 0
	return r, passed, resume, f.ended
}

// fanLoop passes on what the trunk hears until that is over.
func (t *trunk) fanLoop() {
	defer t.hub.running.Done()
	for {
		<-t.fan.wake
		r, passed, resume, ended := t.fan.take()
		if resume {
			t.conn.Resume()
		}
		if len(r.runs) > 0 {
			t.pass(&r)
			t.fan.passedOn()
		}
		if passed != nil {
			close(passed)
		}
		if len(r.runs) == 0 && ended {
			return
		}
		t.fan.recycle(&r)
		if ended {
			t.fan.rouse()
		}
	}
}

// passedOn says that the round was passed on.
func (f *fanOut) passedOn() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = false
}

func (f *fanOut) recycle(r *round) {
	if cap(r.bytes) > keepRound {
		r.bytes = nil
	}
	if cap(r.starts) > keepRound/16 {
		r.starts, r.runs = nil, nil
	}
	f.spare = round{bytes: r.bytes[:0], runs: r.runs[:0], starts: r.starts[:0]}
}

// maxHeld is how many deliveries are made before others may have the hub's lock.
const maxHeld = 4096

// pass gives each client what is for it and then writes to each once.
func (t *trunk) pass(r *round) {
	h := t.hub
	touched := t.fan.touched[:0]
	held, delivered := 0, 0
	h.mu.RLock()
	for i := range r.runs {
		run := &r.runs[i]
		l := t.legs[run.kind][string(r.bytes[run.name.from:run.name.to])]
		if l == nil {
			continue // unsubscribed meanwhile
		}
		if held > maxHeld {
			held = 0
			h.mu.RUnlock()
			h.mu.RLock()
		}
		p := parcel{round: r, run: run}
		if l != l.topic.home && !p.onlyEvents(l.topic) {
			continue
		}
		touched = p.deliver(l.topic, touched)
		held += len(l.topic.subs)
		delivered += p.delivered
	}
	h.mu.RUnlock()
	h.delivered.Add(uint64(delivered))
	for i, c := range touched {
		touched[i] = nil
		c.gathered.Store(false) // before the flush: what is gathered later is somebody else's to flush
		c.out.FlushGathered()
	}
	t.fan.touched = touched[:0]
	if cap(touched) > keepTouched {
		t.fan.touched = nil
	}
}

// keepTouched is the longest list of clients that is used again.
const keepTouched = 16 << 10
