package backend

import (
	"cmp"
	"errors"
	"fmt"
	"sync"

	"redis-cluster-proxy/internal/netio"
)

// maxBatch is how many replies are handled under one lock.
const maxBatch = 64

// batch is what a link needs to handle replies. Leased runners, of which there may
// be very many, share some.
type batch struct {
	lens [maxBatch]int   // lengths of the replies of one batch
	owed [maxBatch]entry // and what they answer
	run  [maxBatch]Reply // those of one handler
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// ReadBuffer implements netio.Handler.
func (l *link) ReadBuffer() []byte { return l.in.Room(l.scanner.Need()) }

// Arrived implements netio.Handler.
func (l *link) Arrived(n int) netio.Action {
	l.in.Filled(n)
	if t := l.runner.tenant; t != nil {
		if f := t.flow.Load(); f != nil {
			return l.arrivedFor(f)
		}
		if !t.admit(n, 0) {
			l.err = ErrTooLong
			return netio.Stop
		}
	}
	return l.replies()
}

// replies hands over the whole replies that have arrived.
func (l *link) replies() netio.Action {
	if l.batch != nil {
		return l.handle()
	}
	l.batch = batches.Get().(*batch)
	act := l.handle()
	batches.Put(l.batch)
	l.batch = nil
	return act
}

// handle is replies with a batch.
func (l *link) handle() netio.Action {
	for {
		count, err := l.scan()
		if count > 0 { // also what came before a wrong one
			err = cmp.Or(l.answer(count), err)
		}
		if err != nil {
			l.err = err
			l.flushTouched()
			return netio.Stop
		}
		if count < len(l.lens) {
			break
		}
	}
	l.flush()
	if t := l.runner.tenant; t != nil && l.in.Len() > 0 && !t.admit(0, l.scanner.Need()-l.in.Len()) {
		l.err = ErrTooLong // before memory is set aside for it
		return netio.Stop
	}
	return netio.Continue
}

// scan cuts up to len(lens) replies and consumes nothing.
func (l *link) scan() (count int, err error) {
	rest := l.in.Bytes()
	for count < len(l.lens) && len(rest) > 0 {
		n, err := l.scanner.Next(rest)
		if err != nil {
			return count, fmt.Errorf("malformed reply: %w", err)
		}
		if n == 0 {
			break
		}
		l.lens[count] = n
		count++
		rest = rest[n:]
	}
	return count, nil
}

// errUnasked is a reply when nothing was in flight.
var errUnasked = errors.New("a reply that nobody asked for")

// answer hands count replies to those who wait for them, each handler's
// neighbours in one call.
func (l *link) answer(count int) error {
	owed, err := l.take(count)
	chunk := l.in.Chunk()
	n := 0
	for i := range owed {
		size := l.lens[i]
		reply := l.in.Bytes()[:size:size]
		l.in.Consume(size)
		t := owed[i].task
		if t == nil {
			if n > 0 && reply[0] == '>' { // it must not overtake what came before it
				l.deliver(n, chunk)
				n = 0
			}
			l.pass(reply)
			continue
		}
		owed[i].task = nil
		if n > 0 && l.run[0].Task.Handler != t.Handler {
			l.deliver(n, chunk)
			n = 0
		}
		l.run[n] = Reply{Task: t, Bytes: reply}
		n++
	}
	if n > 0 {
		l.deliver(n, chunk)
	}
	return err
}

// pass deals with a reply that answers no task: a push goes to the holder of a
// lease or of a private lane.
func (l *link) pass(reply []byte) {
	if reply[0] != '>' {
		return
	}
	if t := l.runner.tenant; t != nil {
		if f := t.push.Load(); f != nil {
			(*f)(reply)
		}
	}
	if f := l.runner.private.pushed(reply); f != nil {
		l.touched = append(l.touched, f)
	}
}

// deliver hands the first n replies of run to their handler.
func (l *link) deliver(n int, chunk *Chunk) {
	if f := l.run[0].Task.Handler.Replied(l.run[:n], chunk); f != nil {
		l.touched = append(l.touched, f)
	}
	clear(l.run[:n])
}

// take finds out what the next count replies answer. It returns fewer entries
// if there are replies that nothing asked for.
func (l *link) take(count int) (owed []entry, err error) {
	r := l.runner
	now := Now()
	rest := l.in.Bytes()
	slow := r.node.pool.slow.Load()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.link != l { // given up; see rest
		return nil, errUnasked
	}
	for i := range count {
		first := rest[0]
		rest = rest[l.lens[i]:]
		if first == '>' { // out of band: answers nothing
			l.owed[i] = entry{}
			continue
		}
		if r.queue.size == r.pending {
			return l.owed[:i], errUnasked
		}
		e := r.queue.pop()
		if e.task != nil && e.task.Start != 0 {
			total := now - e.task.Start
			r.stats.note(now-e.sent, total, first == '-')
			if total >= slow {
				e.task.Total, e.task.AtNode = max(total, 1), now-e.sent
			}
		}
		l.owed[i] = e
	}
	r.heard = now
	r.measureLocked(now)
	return l.owed[:count], nil
}

// flush sends on what gathered while the batch was handled.
func (l *link) flush() {
	r := l.runner
	r.mu.Lock()
	if l.in.Len() > 0 {
		r.heard = Now() // a part of a long reply
	}
	var conn *netio.Conn
	if !r.waitsLocked() && !l.conn.Later() {
		conn = r.queueLocked()
	}
	if r.draining && r.queue.size == 0 {
		l.conn.Abort()
	}
	r.mu.Unlock()
	if conn != nil {
		conn.Flush()
	}
	l.flushTouched()
}

// flushTouched flushes those who got replies.
func (l *link) flushTouched() {
	for i, f := range l.touched {
		f.Flush()
		l.touched[i] = nil
	}
	l.touched = l.touched[:0]
}

// Settle implements netio.Handler.
func (l *link) Settle() {
	r := l.runner
	r.mu.Lock()
	var conn *netio.Conn
	if r.link == l {
		conn = r.dueLocked()
	}
	r.mu.Unlock()
	if conn != nil {
		conn.Flush()
	}
}

// Quiet implements netio.Handler.
func (l *link) Quiet() { l.in.Rest() }

// Resumed implements netio.Handler: a Flow has room again. All that had
// arrived was handed over before the pause.
func (l *link) Resumed() netio.Action { return netio.Continue }
