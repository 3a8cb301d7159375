package backend

import (
	"context"
	"sync"

	"redis-cluster-proxy/internal/netio"
	"redis-cluster-proxy/resp"
)

// FlowWindow is how many bytes of a Flow wait to be taken before its node is
// not read from any more.
const FlowWindow = 256 << 10

// Flow is a long reply that its taker gets in pieces as they arrive, while the
// node has to wait for a taker that is slow. It is the only task of a Lease until
// the Lease is released. Its methods are for one goroutine at a time.
type Flow struct {
	// Set at construction.
	Task
	lease *Lease
	news  chan struct{} // holds a token when the rest has changed

	begun bool // the header has come; owned by the link's goroutine

	mu sync.Mutex
	// Guarded by mu.
	pieces []Piece
	held   int         // bytes in pieces
	paused *netio.Conn // waits until pieces are taken; nil: none does
	whole  bool        // the last piece has come
	lost   *LostError
}

// Piece is a part of a reply. Whoever took it must Release Chunk, of which Bytes
// is a part, after the last use.
type Piece struct {
	Bytes []byte
	Chunk *Chunk
}

// Flow sends a task, of which Wire counts, and does not block. No other task
// may be sent over the Lease after it. The Budget of Keep bounds each part of the
// reply, not all of it.
func (l *Lease) Flow(t Task) *Flow {
	f := &Flow{Task: t, lease: l, news: make(chan struct{}, 1)}
	f.Handler, f.Start = f, Now()
	l.runner.tenant.flow.Store(f)
	if !l.runner.Enqueue(&f.Task) {
		f.lost = &LostError{Addr: l.node.Addr, Err: ErrClosed}
		return f
	}
	l.runner.Flush()
	return f
}

// Begin waits until the reply has arrived, or as much of it as the window holds.
// A connection that is lost until then is an error here, so that only long replies
// can break off in the middle.
func (f *Flow) Begin(ctx context.Context) error {
	return f.await(ctx, func() bool { return f.whole || f.held >= FlowWindow })
}

// Next returns the next piece; ok is false behind the last. The first is the
// header of an aggregate, or a whole reply of another kind. The error is a
// *LostError, as with Lease.Do; pieces that had arrived are lost with it.
func (f *Flow) Next(ctx context.Context) (p Piece, ok bool, err error) {
	if err := f.await(ctx, func() bool { return f.whole || len(f.pieces) > 0 }); err != nil {
		return Piece{}, false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.pieces) == 0 {
		return Piece{}, false, nil
	}
	p = f.pieces[0]
	f.pieces[0] = Piece{}
	f.pieces = f.pieces[1:]
	f.held -= len(p.Bytes)
	if f.paused != nil && f.held <= FlowWindow/2 {
		f.paused.Resume()
		f.paused = nil
	}
	return p, true, nil
}

// Waits reports whether Next would wait now.
func (f *Flow) Waits() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.pieces) == 0 && !f.whole && f.lost == nil
}

// Over reports whether all of the reply was taken.
func (f *Flow) Over() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.pieces) == 0 && f.whole
}

// await waits until ready says so, under mu.
func (f *Flow) await(ctx context.Context, ready func() bool) error {
	for {
		f.mu.Lock()
		ok, lost := ready(), f.lost
		f.mu.Unlock()
		switch {
		case lost != nil:
			return lost
		case ok:
			return nil
		}
		select {
		case <-f.news:
		case <-ctx.Done():
			f.lease.runner.Close(false)
			return &LostError{Addr: f.lease.node.Addr, Sent: true, Err: ctx.Err()}
		}
	}
}

// add takes a part that has arrived over conn. It reports whether conn is to
// pause until there is room.
func (f *Flow) add(p Piece, whole bool, conn *netio.Conn) (pause bool) {
	p.Chunk.Retain()
	f.mu.Lock()
	f.pieces = append(f.pieces, p)
	f.held += len(p.Bytes)
	f.whole = whole
	if pause = !whole && f.held >= FlowWindow; pause {
		f.paused = conn
	}
	f.mu.Unlock()
	f.tell()
	return pause
}

func (f *Flow) tell() {
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// Replied implements Handler; see link.flowed, which is asked instead.
func (f *Flow) Replied([]Reply, *Chunk) Flusher {
	panic("backend: the reply to a Flow came in one piece")
}

// Failed implements Handler.
func (f *Flow) Failed(_ *Task, lost *LostError) Flusher {
	f.mu.Lock()
	f.lost = lost
	f.mu.Unlock()
	f.tell()
	return nil
}

// arrivedFor handles what has arrived while the reply to a Flow is under way.
func (l *link) arrivedFor(f *Flow) netio.Action {
	act, err := l.flowed(f)
	t := l.runner.tenant
	switch {
	case err != nil:
	case t.flow.Load() == nil: // behind the reply there may be pushes
		return l.replies()
	case l.in.Len() > 0 && !t.admit(0, max(l.scanner.Need()-l.in.Len(), l.in.Len())):
		err = ErrTooLong
	}
	if err != nil {
		l.err = err
		return netio.Stop
	}
	return act
}

// flowed hands over what has arrived of the reply to a Flow.
func (l *link) flowed(f *Flow) (netio.Action, error) {
	act := netio.Continue
	for l.in.Len() > 0 {
		n, whole, err := l.nextPart(f)
		if n == 0 || err != nil {
			return act, err
		}
		part := l.in.Bytes()[:n:n]
		l.in.Consume(n)
		if !f.begun && part[0] == '>' {
			l.pass(part)
			continue
		}
		begins := !f.begun
		f.begun = true
		if whole { // nothing of it must be left to do when the taker knows it
			if err := l.settleFlow(begins && part[0] == '-'); err != nil {
				return act, err
			}
		}
		if f.add(Piece{part, l.in.Chunk()}, whole, l.conn) {
			act = netio.Pause
		}
		if whole { // the next holder must not find a pause that the last one's taker would have ended
			return netio.Continue, nil
		}
	}
	return act, nil
}

// nextPart measures what can be handed over: the header of an aggregate comes
// alone, whatever else begins a reply comes whole.
func (l *link) nextPart(f *Flow) (n int, whole bool, err error) {
	buf := l.in.Bytes()
	if f.begun {
		return l.scanner.NextParts(buf)
	}
	if kind, _, n, ok := resp.Header(buf); ok && kind != '>' {
		l.scanner.Reset()
		return l.scanner.NextParts(buf[:n])
	}
	n, err = l.scanner.Next(buf)
	return n, true, err
}

// settleFlow takes the entry of the Flow's task out of the FIFO: the lease is
// free for the next holder.
func (l *link) settleFlow(failed bool) error {
	r := l.runner
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queue.size == r.pending {
		return errUnasked
	}
	e, now := r.queue.pop(), Now()
	r.stats.note(now-e.sent, now-e.task.Start, failed)
	r.tenant.flow.Store(nil)
	return nil
}
