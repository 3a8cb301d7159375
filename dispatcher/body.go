package dispatcher

import (
	"bytes"
	"context"

	"redis-cluster-proxy/backend"
)

// body is what follows the header of a node's reply that flows. It holds
// the lease until its end, or closeBodies.
type body struct {
	e     *Errand
	addr  string
	lease *backend.Lease
	flow  *backend.Flow
}

// awaitFlow is await for a reply that flows. The lease is released only
// when there is nothing to come.
func (e *Errand) awaitFlow(ctx context.Context, q posed) (NodeReply, error) {
	b := &body{e: e, addr: q.addr, lease: q.lease, flow: q.flow}
	e.mu.Lock()
	e.open = append(e.open, b)
	e.mu.Unlock()
	if err := e.inTime(ctx, q.addr, q.since, q.flow.Begin); err != nil {
		q.lease.Release()
		return NodeReply{}, err
	}
	first, _, err := b.next(ctx)
	if err != nil {
		return NodeReply{}, err
	}
	if q.flow.Over() {
		q.lease.Release()
		return NodeReply{Addr: q.addr, Bytes: first.Bytes, chunk: first.Chunk}, nil // of a chunk that is kept for good
	}
	header := bytes.Clone(first.Bytes)
	first.Chunk.Release()
	return NodeReply{Addr: q.addr, Bytes: header, body: b}, nil
}

// next returns the next piece; ok is false behind the last.
func (b *body) next(ctx context.Context) (piece backend.Piece, ok bool, err error) {
	if b.flow.Waits() {
		err = b.e.inTime(ctx, b.addr, backend.Now(), func(ctx context.Context) error {
			piece, ok, err = b.flow.Next(ctx)
			return err
		})
	} else {
		piece, ok, err = b.flow.Next(ctx)
	}
	if !ok {
		b.lease.Release()
	}
	return piece, ok, err
}

// closeBodies gives up what was not read of the replies that flow.
func (e *Errand) closeBodies() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, b := range e.open {
		b.lease.Release()
	}
	e.open = nil
}

// AnswerFlowing is Answer for a reply that may flow. It blocks until all
// of it was sent; room is called when some was sent, and blocks while the client
// leaves too much unread. If something is lost in the middle, broken is called, which
// must close the client: it has got a part of the reply.
func (p *Pipeline) AnswerFlowing(ctx context.Context, at Place, reply Reply, room func(context.Context) error, broken func(error)) {
	if !reply.Flows() {
		p.Answer(at, reply)
		return
	}
	if err := p.answerParts(ctx, at, reply, room); err != nil {
		broken(err)
	}
	reply.Close()
	p.Answer(at, Reply{})
}

func (p *Pipeline) answerParts(ctx context.Context, at Place, reply Reply, room func(context.Context) error) error {
	for i, part := range reply.pieces {
		p.part(at, part.Bytes, part.chunk, i == 0)
		for part.body != nil {
			piece, ok, err := part.body.next(ctx)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			gathered := p.part(at, piece.Bytes, piece.Chunk, false)
			piece.Chunk.Release()
			if gathered < partBytes && !part.body.flow.Waits() {
				continue
			}
			p.sendParts()
			if err := room(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close gives up what was not read of a reply that flows.
func (r Reply) Close() {
	for _, p := range r.pieces {
		if p.body != nil {
			p.body.e.closeBodies()
		}
	}
}

// partBytes is how much of a flowing reply gathers while there is more at hand.
const partBytes = 64 << 10

// part hands a part of the reply to a reserved place to the sink, and returns how
// much has gathered there.
func (p *Pipeline) part(at Place, b []byte, chunk *backend.Chunk, first bool) (gathered int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := at.r
	p.parting = true
	if first {
		p.emitLocked(r.row, b, chunk, r.silent)
	} else if !r.silent && !p.closed {
		p.gatherLocked(b, chunk)
	}
	return p.sink.Gathered()
}

// sendParts sends what has gathered of a reply that is not whole yet.
func (p *Pipeline) sendParts() {
	p.mu.Lock()
	dirty := p.commitLocked()
	p.mu.Unlock()
	if dirty {
		p.sink.Settle()
	}
}
