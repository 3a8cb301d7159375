package dispatcher

import (
	"context"
	"sync"
	"time"

	"redis-cluster-proxy/backend"
)

// lateAfter is how long replies that are ready wait for those behind them,
// rounded up to the next time that the lateLoop looks, which is as long again.
// Where nodes take longer than that the wait is half of what the client has waited
// already, up to mostLate: one that sent a pipeline wants all of its replies, and
// each write that has only some of them costs both sides as much as one with all.
const (
	lateAfter = 500 * time.Microsecond
	mostLate  = 5 * time.Millisecond
)

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
		now := backend.Now()
		for i, p := range list {
			if p.flushLate(now) {
				l.add(p)
			}
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

// flushLate flushes the output that was left to the lateLoop, if it has waited
// long enough at now. It reports whether it is to be looked at again.
func (p *Pipeline) flushLate(now int64) (again bool) {
	p.mu.Lock()
	if p.dirty && now < p.lateBy {
		p.mu.Unlock()
		return true
	}
	p.late = false
	dirty := p.commitLocked()
	p.mu.Unlock()
	if dirty {
		p.sink.Flush()
	}
	return false
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
		if p.lateBy == 0 {
			now := backend.Now()
			wait := max(int64(lateAfter), (now-p.seen.Arrived)/2)
			p.lateBy = now + min(wait, int64(mostLate))
		}
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
