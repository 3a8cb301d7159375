package dispatcher

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// stay is one command that may block at one node, over a connection of its own,
// of which a node answers nothing else meanwhile. It ends with the node's reply or
// the loss of the connection. Others may call it off before, by CLIENT UNBLOCK over
// another connection; until that has its reply the connection is kept, or it would
// hit whoever has it next.
type stay struct {
	// Set at construction.
	task  backend.Task
	lease *backend.Lease
	begun int64 // by backend.Now
	told  func(st *stay, reply []byte, chunk *backend.Chunk, lost *backend.LostError)

	mu sync.Mutex
	// Guarded by mu.
	over bool // the node has answered, or cannot
	pins int  // who needs the connection to be nobody else's
	late bool // a CLIENT UNBLOCK without a reply may reach the node yet
}

// newStay makes a stay at a node. It sends nothing.
func (e *Errand) newStay(q leg, told func(*stay, []byte, *backend.Chunk, *backend.LostError)) *stay {
	st := &stay{lease: e.d.member(q.addr).node.Hold(q.profile), told: told, begun: backend.Now()}
	st.task = backend.Task{Wire: q.wire, Asking: q.asking, Handler: st}
	return st
}

// begin sends the command, with lead right in front of it. told is called once,
// by the connection's goroutine, or before begin returns if there is none.
func (st *stay) begin(lead ...*backend.Task) {
	var list backend.TaskList
	st.lease.Identify(&list)
	for _, t := range lead {
		list.Push(t)
	}
	list.Push(&st.task)
	st.lease.Post(&list)
}

// Replied implements backend.Handler.
func (st *stay) Replied(run []backend.Reply, chunk *backend.Chunk) backend.Flusher {
	st.end()
	st.told(st, run[0].Bytes, chunk, nil)
	return nil
}

// Failed implements backend.Handler.
func (st *stay) Failed(_ *backend.Task, lost *backend.LostError) backend.Flusher {
	st.end()
	st.told(st, nil, nil, lost)
	return nil
}

func (st *stay) end() {
	st.mu.Lock()
	st.over = true
	free := st.pins == 0
	st.mu.Unlock()
	if free {
		st.release()
	}
}

// release gives the connection up, when the stay is over and nobody has a pin any more.
func (st *stay) release() {
	if st.late {
		st.lease.Spoil()
	}
	st.lease.Release()
}

// pin keeps the connection from being another's until unpin; false if the stay
// is over.
func (st *stay) pin() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.over {
		st.pins++
	}
	return !st.over
}

func (st *stay) unpin() {
	st.mu.Lock()
	st.pins--
	free := st.over && st.pins == 0
	st.mu.Unlock()
	if free {
		st.release()
	}
}

const (
	// unblockFirst is the wait before the second attempt to end a stay. The first
	// may have come before the command itself, which travels over another connection.
	unblockFirst = time.Millisecond
	// unblockPatience bounds the attempts on behalf of another client.
	unblockPatience = 250 * time.Millisecond
	// leavePatience bounds the attempts for a client that is gone. Then the
	// connection is cut.
	leavePatience = time.Second
)

var errNoNumber = &failure{text: "ERR the node does not tell the number of a connection"}

var replyZero = []byte(":0\r\n")

// unblock asks the node by ask to end the stay, until it says that it has or the
// stay is over, and returns the node's reply.
func (st *stay) unblock(patience time.Duration, reason [][]byte, ask func(args ...[]byte) ([]byte, error)) ([]byte, error) {
	if !st.pin() {
		return replyZero, nil
	}
	defer st.unpin()
	for wait, until := unblockFirst, backend.Now()+int64(patience); ; wait = min(2*wait, maxBackoff) {
		id := st.lease.ID()
		if id < 0 { // Redis 6.0
			return nil, errNoNumber
		}
		if id != 0 {
			args := append([][]byte{[]byte("CLIENT"), []byte("UNBLOCK"), strconv.AppendInt(nil, id, 10)}, reason...)
			reply, err := ask(args...)
			if err != nil {
				st.mu.Lock()
				st.late = true
				st.mu.Unlock()
			}
			if err != nil || string(reply) != string(replyZero) {
				return reply, err
			}
		}
		left := time.Duration(until - backend.Now())
		if left <= 0 || st.isOver() {
			return replyZero, nil
		}
		time.Sleep(min(wait, left))
	}
}

func (st *stay) isOver() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.over
}

// callOff ends the stay for a client that is gone: by CLIENT UNBLOCK, as the
// proxy itself, so that an element that the node has given away at this very moment
// still arrives; and if that cannot be, by cutting the connection.
func (st *stay) callOff(d *Dispatcher) {
	ctx, cancel := backend.WithPatience(context.Background(), leavePatience, backend.ErrTimeout)
	defer cancel()
	lane := st.lease.Node().Lane(backend.MakeProfile(d.cfg.Own), 0)
	reply, err := st.unblock(leavePatience, nil, func(args ...[]byte) ([]byte, error) {
		return askLane(ctx, lane, resp.AppendCommandBytes(nil, args))
	})
	if err == nil && !isError(reply) {
		for st.waitOver(ctx) {
		}
	}
	st.cut()
}

// waitOver waits a little for the end of the stay; false when that has come or
// ctx has ended.
func (st *stay) waitOver(ctx context.Context) bool {
	if st.isOver() || ctx.Err() != nil {
		return false
	}
	time.Sleep(unblockFirst)
	return true
}

// cut ends the connection if the stay is not over.
func (st *stay) cut() {
	if st.pin() {
		st.lease.Cut()
		st.unpin()
	}
}

// laneQuestion is a short question over a shared lane.
type laneQuestion struct {
	task  backend.Task
	reply chan []byte // holds one; nil: there is none
}

var errNoReply = errors.New("no reply")

// askLane asks what changes nothing about a connection and takes no time.
func askLane(ctx context.Context, lane *backend.TaskRunner, wire []byte) ([]byte, error) {
	q := &laneQuestion{reply: make(chan []byte, 1)}
	q.task = backend.Task{Wire: wire, Handler: q}
	if !lane.Enqueue(&q.task) {
		return nil, errNoReply
	}
	lane.Flush()
	select {
	case reply := <-q.reply:
		if reply == nil {
			return nil, errNoReply
		}
		return reply, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Replied implements backend.Handler.
func (q *laneQuestion) Replied(run []backend.Reply, _ *backend.Chunk) backend.Flusher {
	q.reply <- append([]byte(nil), run[0].Bytes...)
	return nil
}

// Failed implements backend.Handler.
func (q *laneQuestion) Failed(*backend.Task, *backend.LostError) backend.Flusher {
	q.reply <- nil
	return nil
}
