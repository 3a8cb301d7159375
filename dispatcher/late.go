package dispatcher

import (
	"context"
	"sync"
	"time"

	"redis-cluster-proxy/backend"
)

// lateAfter is how long replies that are ready wait for those behind them at
// the most, or twice that.
const lateAfter = 500 * time.Microsecond

// lateList holds the Pipelines that have output which waits for more replies.
// A pipelining client's requests go to several nodes; without the wait it would
// be written to once for each of them.
type lateList struct {
	mu sync.Mutex
	// Guarded by mu.
	list []*Pipeline
	idle bool // the loop waits for wake

	wake chan struct{} // holds at most one token
}

func (l *lateList) init() { l.wake = make(chan struct{}, 1) }

func (l *lateList) add(p *Pipeline) {
	l.mu.Lock()
	l.list = append(l.list, p)
	idle := l.idle
	l.idle = false
	l.mu.Unlock()
	if idle {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// take swaps the list for spare.
func (l *lateList) take(spare []*Pipeline) []*Pipeline {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.list
	l.list = spare
	l.idle = len(list) == 0
	return list
}

// lateLoop flushes what has waited long enough.
func (l *lateList) lateLoop(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var spare []*Pipeline
	for {
		list := l.take(spare)
		for i, p := range list {
			p.flushLate()
			list[i] = nil
		}
		spare = list[:0]
		var again <-chan time.Time
		if len(list) > 0 {
			timer.Reset(lateAfter)
			again = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			timer.Reset(lateAfter)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		case <-again:
		}
	}
}

// flushLate flushes the output that was left to the lateLoop.
func (p *Pipeline) flushLate() {
	p.mu.Lock()
	p.late = false
	dirty := p.commitLocked()
	p.mu.Unlock()
	if dirty {
		p.sink.Flush()
	}
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
