package backend

import (
	"fmt"

	"redis-cluster-proxy/internal/netio"
)

// Chunk is a reference-counted read buffer; see netio.Chunk.
type Chunk = netio.Chunk

// Task is one command on its way to one node. Between Enqueue and the call of
// its Handler it belongs to the lane and must not be touched.
type Task struct {
	// Wire is the command as RESP, sent as it is. It stays unchanged until
	// the Handler was called.
	Wire []byte
	// WireChunk is the chunk that Wire is a part of; nil if Wire's memory is
	// the task's own. Whoever made the task holds the reference.
	WireChunk *Chunk
	// Handler is told the outcome.
	Handler Handler
	// Owner is what the Handler knows the task by.
	Owner any
	// Asking sends ASKING in front, as one unit with the command. The reply to
	// ASKING is swallowed, whatever it is.
	Asking bool
	// Caching sends CLIENT CACHING in front, likewise, over a private lane that
	// tracks with OPTIN or OPTOUT. A task with Asking goes without it.
	Caching Caching
	// Brief says that the command takes a node next to no time, so that it is not
	// what keeps a node from answering.
	Brief bool
	// Prelude says that Wire is several commands; nil: it is one.
	Prelude *Prelude
	// Start is when the client's bytes arrived, by Now. It only serves the
	// latency figures; with 0 the task is none of them, and never slow.
	Start int64
	// Total and AtNode are set when the reply comes, if Total is at least what
	// Pool.SetSlow said, in nanoseconds: the time since Start, and since the
	// task was written to the node. AtNode is set, too, when the wait for the reply is
	// given up.
	Total, AtNode int64

	next *Task // in a TaskList
}

// Caching says whether a node is to track what a task reads.
type Caching uint8

const (
	// CachingAsUsual is as the connection's options have it.
	CachingAsUsual Caching = iota
	// CachingYes is CLIENT CACHING YES.
	CachingYes
	// CachingNo is CLIENT CACHING NO.
	CachingNo
)

// TaskList is tasks in order, to be given to a lane in one go. The zero value
// is empty.
type TaskList struct{ first, last *Task }

// Push adds t, which must be in no other list.
func (l *TaskList) Push(t *Task) {
	t.next = nil
	if l.last == nil {
		l.first = t
	} else {
		l.last.next = t
	}
	l.last = t
}

// Pop takes the oldest task out; nil if there is none.
func (l *TaskList) Pop() *Task {
	t := l.first
	if t != nil {
		if l.first = t.next; l.first == nil {
			l.last = nil
		}
		t.next = nil
	}
	return t
}

// Reply is a node's whole reply to a task.
type Reply struct {
	Task  *Task
	Bytes []byte
}

// Handler is told what became of a Task. Its methods are called from a lane's
// goroutine, once per task in all, and must not block.
type Handler interface {
	// Replied hands over the replies to one or more tasks of this Handler, in
	// order. They are valid until Replied returns; chunk, of which they are parts,
	// may be retained to keep them longer.
	Replied(run []Reply, chunk *Chunk) Flusher
	// Failed says that there will be no reply.
	Failed(t *Task, err *LostError) Flusher
}

// Flusher is what a Handler returns to be called once the lane has handled
// all that had arrived, or nil. Output gathers until then.
type Flusher interface{ Flush() }

// LostError tells why a task has no reply.
type LostError struct {
	// Addr is the node's address.
	Addr string
	// Sent says that at least one byte of the task was written to the node,
	// so that it may have been executed.
	Sent bool
	// Err is the cause.
	Err error
}

// Error implements error.
func (e *LostError) Error() string {
	return fmt.Sprintf("connection to %s: %v", e.Addr, e.Err)
}

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Err }

// HandshakeError is a node's refusal of a connection's profile.
type HandshakeError struct {
	// Text is the node's error without the leading '-', for instance
	// "WRONGPASS invalid username-password pair or user is disabled."
	Text string
}

// Error implements error.
func (e *HandshakeError) Error() string { return e.Text }
