package dispatcher

import (
	"slices"

	"redis-cluster-proxy/backend"
)

// overLanes is an Errand like e whose questions travel over the lanes of its
// session. Once sent, a question is waited for until it has its reply, is lost, or
// has taken as long as requests may: what a node gives away must arrive. What is lost
// is asked again, though a node may have given something away to nobody; see
// Blocked.lost.
func (e *Errand) overLanes() *Errand {
	return &Errand{d: e.d, profile: e.profile, readProfile: e.readProfile, seed: e.seed, shared: true, again: true}
}

// overLease is an Errand like e with connections of its own.
func (e *Errand) overLease() *Errand {
	return &Errand{d: e.d, profile: e.profile, readProfile: e.readProfile, seed: e.seed}
}

// laneTask is a question over a lane.
type laneTask struct {
	task  backend.Task
	told  chan struct{} // closed at the end
	reply NodeReply
	lost  *backend.LostError
}

// askLane asks over a lane. The error is a *backend.LostError.
func (e *Errand) askLane(q leg) (NodeReply, error) {
	lane := e.d.member(q.addr).node.Lane(q.profile, e.seed)
	lq := &laneTask{told: make(chan struct{}), reply: NodeReply{Addr: q.addr}}
	lq.task = backend.Task{Wire: q.wire, Asking: q.asking, Handler: lq, Start: backend.Now()}
	if !lane.Enqueue(&lq.task) {
		return NodeReply{}, &backend.LostError{Addr: q.addr, Err: backend.ErrClosed}
	}
	lane.Flush()
	<-lq.told
	if lq.lost != nil {
		return NodeReply{}, lq.lost
	}
	return lq.reply, nil
}

// Replied implements backend.Handler.
func (q *laneTask) Replied(run []backend.Reply, chunk *backend.Chunk) backend.Flusher {
	if q.reply.Bytes = run[0].Bytes; len(q.reply.Bytes) >= refBytes {
		chunk.Retain() // for good: the garbage collector takes it with the reply
		q.reply.chunk = chunk
	} else {
		q.reply.Bytes = slices.Clone(q.reply.Bytes)
	}
	close(q.told)
	return nil
}

// Failed implements backend.Handler.
func (q *laneTask) Failed(_ *backend.Task, lost *backend.LostError) backend.Flusher {
	q.lost = lost
	close(q.told)
	return nil
}
