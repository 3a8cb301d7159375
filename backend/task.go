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
	// Asking sends ASKING in front, as one unit with the command. The reply to
	// ASKING is swallowed, whatever it is.
	Asking bool
	// Start is when the client's bytes arrived, by Now. It only serves the
	// latency figures.
	Start int64
}

// Handler is told what became of a Task. Both methods are called from a lane's
// goroutine, once per task in all, and must not block.
type Handler interface {
	// Replied hands over the whole reply. It is valid until Replied returns;
	// chunk, of which reply is a part, may be retained to keep it longer.
	Replied(t *Task, reply []byte, chunk *Chunk) Flusher
	// Failed says that there will be no reply.
	Failed(t *Task, err *LostError) Flusher
}

// Flusher is what a Handler returns to be called once the lane has handled
// all that had arrived, or nil. Output gathers until then.
type Flusher interface {
	// Flush sends on what gathered. If patient is set and more is about to
	// come, it may leave that to a later call and return false; it will be called
	// again without it, soon.
	Flush(patient bool) bool
}

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
