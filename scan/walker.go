package scan

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Walker answers SCAN. The zero value is ready. What it remembers of nodes only
// makes it faster: the walk's state is the client's cursor.
type Walker struct {
	probes probes
	hints  sync.Map // *hint by address
}

// Reply is the answer to one SCAN.
type Reply struct {
	// Cursor is where the next call goes on, 0 at the end.
	Cursor uint64
	// Keys are those found.
	Keys [][]byte
}

const (
	// maxPage is how many keys are asked of a node at a time, save those of one
	// slot.
	maxPage = 10_000
	// maxBytes ends a call however many keys the client wants.
	maxBytes = 16 << 20
	// maxFetches is how often nodes are asked in a call that finds next to
	// nothing.
	maxFetches = 16
	// maxTroubles is how often in a call a slot may turn out to be elsewhere.
	// Each time its owner is asked for with the patience of Cluster.AskSlot.
	maxTroubles = 16
)

// walk is one call.
type walk struct {
	// Set at construction.
	*Walker
	ctx context.Context
	c   Cluster
	req *Request

	from   position // where no call may end
	layout Layout
	pages  map[string]*page // the last of each node
	spent  int              // keys that were looked at

	reply    Reply
	bytes    int
	fetches  int
	troubles int
}

// Scan does one step of a walk: about as many keys as the request's COUNT. The
// error's text is for the client.
func (w *Walker) Scan(ctx context.Context, c Cluster, req *Request) (Reply, error) {
	s := &walk{Walker: w, ctx: ctx, c: c, req: req, from: req.start, layout: c.Layout(), pages: make(map[string]*page)}
	to := numSlots
	if req.match != nil {
		if key, ok := Tag(req.match); ok { // no other slot has such keys
			slot := int(c.SlotOf(key))
			if to = slot + 1; s.from.slot < slot {
				s.from = position{slot: slot}
			}
		}
	}
	end, err := s.run(to)
	if err != nil {
		return Reply{}, err
	}
	if end.slot < to {
		s.reply.Cursor = end.cursor()
	}
	return s.reply, nil
}

// run walks to the begin of slot to, or until the client has enough.
func (w *walk) run(to int) (position, error) {
	p := w.from
	for p.slot < to {
		owner := w.layout.Owner(uint16(p.slot))
		if owner == "" {
			next, err := w.skip(p)
			if err != nil {
				return p, err
			}
			p = next
			continue
		}
		pg := w.pages[owner]
		if pg == nil || !pg.has(p) {
			if p != w.from && w.enough() {
				return p, nil
			}
			var err error
			pg, err = w.fetch(owner, p, to)
			switch {
			case errors.Is(err, errRestart):
				p.within = 0
				w.from = p // the begin of slot 0, as a cursor, would be the end
				continue
			case err != nil:
				if err = w.settle(p.slot, err); err != nil {
					return p, err
				}
				continue
			}
			w.pages[owner] = pg
			w.fetches++
		}
		if p = w.take(pg, p); w.full() {
			break
		}
	}
	return p, nil
}

// full reports whether the reply is as long as the client wants it.
func (w *walk) full() bool { return w.spent >= w.req.count || w.bytes >= maxBytes }

// enough reports whether no node should be asked any more in this call.
func (w *walk) enough() bool {
	return w.full() || w.fetches >= maxFetches+w.req.count/maxPage
}

// want is how many keys the client still wants, within reason.
func (w *walk) want() int { return min(max(w.req.count-w.spent, 1), maxPage) }

// errRestart is returned by a fetch when the place inside the slot has lost its
// meaning: the slot begins anew.
var errRestart = errors.New("scan: the place is another process's")

// trouble is why a node could not be asked: what it says may be over in a
// moment, or be another node's turn.
type trouble struct{ err error }

// Error implements error.
func (t *trouble) Error() string { return t.err.Error() }

// Unwrap returns the cause.
func (t *trouble) Unwrap() error { return t.err }

// settle finds the owner of slot after a trouble with the one in the layout. It
// returns err if it is no trouble, or one too many.
func (w *walk) settle(slot int, err error) error {
	var t *trouble
	if w.troubles++; !errors.As(err, &t) || w.troubles > maxTroubles || w.ctx.Err() != nil {
		return err
	}
	if err := w.rest(); err != nil {
		return err
	}
	reply, err := w.c.AskSlot(w.ctx, uint16(slot), w.probe(slot)...)
	if err != nil {
		return err
	}
	if text, failed := errorText(reply); failed && !harmless(text) {
		return errors.New(text)
	}
	w.layout = w.c.Layout()
	clear(w.pages) // which are of the slots that were their nodes' by the old one
	return nil
}

// rest waits when troubles come in a row: then nodes do not agree about a slot
// yet.
func (w *walk) rest() error {
	if w.troubles < 4 {
		return nil
	}
	timer := time.NewTimer(min(time.Millisecond<<(w.troubles-4), time.Second))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// skip passes over slots that nobody owns. That must be what a node says, too:
// the layout may be of a moment ago.
func (w *walk) skip(p position) (position, error) {
	next := position{slot: p.slot + 1}
	for next.slot < numSlots && w.layout.Owner(uint16(next.slot)) == "" {
		next.slot++
	}
	witness := next.slot
	for slot := p.slot; witness >= numSlots && slot >= 0; slot-- {
		if w.layout.Owner(uint16(slot)) != "" {
			witness = slot
		}
	}
	lost := &trouble{errors.New("CLUSTERDOWN Hash slot not served")}
	if witness >= numSlots {
		return p, w.settle(p.slot, lost)
	}
	g, err := w.glimpse(w.layout.Owner(uint16(witness)), witness)
	if err != nil {
		return p, w.settle(witness, err)
	}
	if g.view.assigned(p.slot, next.slot-1) {
		return p, w.settle(p.slot, lost)
	}
	return next, nil
}
