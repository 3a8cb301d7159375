package dispatcher

import (
	"context"
	"strings"
	"sync"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// overSlots is a command that waits for keys in several slots. No server is
// blocked for it: it looks at the keys without waiting, and when a node says that one
// of them has changed, looks again. It has a goroutine only while it looks.
type overSlots struct {
	// Set at construction.
	e      *Errand
	pipe   *Pipeline
	row    *command.Row
	done   func(Reply)
	time   timeLimit
	seek   seeker
	ctx    context.Context // ends with the wait
	cancel context.CancelFunc
	claim  *claim // nil: it has none

	mu sync.Mutex
	// Guarded by mu.
	timer   *time.Timer
	graces  int  // how often the time was up during the first look
	parked  bool // the first look is over
	left    bool // the client is gone
	stopped bool
	answer  Reply // of one that was stopped and has taken nothing
	ended   chan struct{}
	taken   bool // it had something to answer when it ended
}

// seeker knows what a command wants.
type seeker interface {
	// wants tells what the claim is to be; see claimSet.join. No keys: there is none.
	wants() (keys [][]byte, class string, all bool)
	// look looks at all keys for the first time and returns the answer if there
	// is one. false: w has to wait.
	look(w *overSlots) (Reply, bool)
	// try looks at one key.
	try(w *overSlots, at *spot) (Reply, taking)
}

func newOverSlots(p *Pipeline, row *command.Row, args [][]byte, seek seeker, done func(Reply)) *overSlots {
	w := &overSlots{e: p.Errand().overLanes(), pipe: p, row: row, done: done, time: limitOf(row, args), seek: seek, ended: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	// Its place among those who wait is that of now, before others can see that
	// it is blocked.
	if keys, class, all := seek.wants(); len(keys) > 0 {
		w.claim = w.e.d.claims.join(w.e.profile, keys, class, all, w.resume)
	}
	return w
}

// lookGrace is the least time that there is for the first look: what is there
// when the client asks is its, however short it wants to wait. It passes in
// graceSteps, so that what has come while the process stood still is read first.
const (
	lookGrace  = 250 * time.Millisecond
	graceSteps = 5
)

// Begin implements Waiting.
func (w *overSlots) Begin() {
	w.setTimer(lookGrace / graceSteps)
	go w.begin()
}

// setTimer makes w end in time, but not before least has passed.
func (w *overSlots) setTimer(least time.Duration) {
	if w.time.end == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.timer = time.AfterFunc(max(time.Duration(w.time.end-backend.Now()), least), w.timeUp)
}

// begin looks for the first time.
func (w *overSlots) begin() {
	reply, ok := w.seek.look(w)
	switch {
	case ok:
		w.finish(reply, true)
	case w.claim == nil || w.ctx.Err() != nil:
		w.finish(Reply{}, false)
	default:
		w.setTimer(0)
		if w.park() {
			w.claim.park()
		}
		w.resume()
	}
}

// park notes that the first look is over; false if the client has gone meanwhile.
func (w *overSlots) park() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.parked = true; w.left {
		w.stopLocked(Reply{})
	}
	return !w.left
}

// resume looks where something may have come, until there is no such place left.
func (w *overSlots) resume() {
	for {
		at, stopped := w.claim.next()
		switch {
		case stopped:
			w.finish(Reply{}, false)
			return
		case at == nil:
			return
		}
		reply, how := w.seek.try(w, at)
		switch how {
		case takeGot:
			w.claim.got()
			w.finish(reply, true)
			return
		case takeFailed:
			w.finish(reply, true)
			return
		case takeLater:
			w.claim.troubled(errorText(reply.Bytes()))
		default:
			w.claim.missed()
		}
	}
}

// stop ends the wait with answer, unless a node gives something away at this
// moment. false: it has ended already.
func (w *overSlots) stop(answer Reply) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopLocked(answer)
}

func (w *overSlots) stopLocked(answer Reply) bool {
	if w.stopped {
		return false
	}
	w.stopped, w.answer = true, answer
	w.cancel()
	if w.claim != nil {
		w.claim.stop()
	}
	return true
}

// timeUp ends the wait with nothing.
func (w *overSlots) timeUp() {
	nothing := Whole(w.nothing())
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.graces++; !w.parked && !w.stopped && w.graces < graceSteps {
		w.timer = time.AfterFunc(lookGrace/graceSteps, w.timeUp)
		return
	}
	w.stopLocked(nothing)
}

func (w *overSlots) nothing() []byte { return resp.AppendNullArray(nil, w.e.proto()) }

// wrote says that the client has written to a slot, if that is what the reply
// tells.
func (w *overSlots) wrote(slot uint16, reply NodeReply) {
	if w.row.MayWrite() && reply.Addr != "" && judge(reply.Bytes) == takeGot {
		w.pipe.noteWrite(slot, w.e.d.member(reply.Addr).node)
	}
}

// finish answers: with reply if there is one, else with what w was stopped with.
func (w *overSlots) finish(reply Reply, taken bool) {
	if w.claim != nil {
		w.claim.leave()
	}
	w.mu.Lock()
	if !taken {
		reply = w.answer
	}
	w.stopped, w.taken = true, taken
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	w.cancel()
	close(w.ended)
	w.done(reply)
}

// Waits implements Waiting.
func (w *overSlots) Waits() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.parked
}

// Leave implements Waiting. Who has sent the command and then shut down its side
// still gets what is there, as from Redis, which reads the command first.
func (w *overSlots) Leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left = true; w.parked {
		w.stopLocked(Reply{})
	}
}

// Unblock implements Waiting.
func (w *overSlots) Unblock(ctx context.Context, _ *Errand, reason ...[]byte) []byte {
	answer := w.nothing()
	if len(reason) > 0 && strings.EqualFold(string(reason[0]), "error") {
		answer = replyUnblocked
	}
	if !w.stop(Whole(answer)) {
		return replyZero
	}
	select {
	case <-w.ended:
		if !w.taken {
			return replyOne
		}
	case <-ctx.Done():
	}
	return replyZero
}
