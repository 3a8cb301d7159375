package backend

import (
	"context"
	"fmt"
	"sync"

	"redis-cluster-proxy/internal/netio"
	"redis-cluster-proxy/resp"
)

// StreamHolder is told what happens on a Stream. Its methods are called one at a
// time, from the goroutine that reads the connection, and must not block.
type StreamHolder interface {
	// Heard hands over one reply or push, valid until Heard returns.
	Heard(reply []byte)
	// Caught is called when all that had arrived was handed over. If pause is
	// true nothing more is read until Stream.Resume.
	Caught() (pause bool)
	// Ended says that the connection was lost, was closed, or could not be made.
	// Nothing is heard after it.
	Ended(err error)
}

// Stream is a connection to one node of a holder's own, over which what arrives
// is not matched with what was sent: subscriptions, where a node speaks when it has
// something to say. It is safe for concurrent use.
type Stream struct {
	// Set at construction.
	node    *Node
	profile Profile
	holder  StreamHolder
	ctx     context.Context // of the dial
	cancel  context.CancelFunc

	// Owned by the goroutine that reads.
	scanner resp.ReplyScanner
	in      netio.Input
	err     error // why the stream stopped itself

	mu sync.Mutex
	// Guarded by mu.
	out    netio.Batch // what was sent before there was a connection
	conn   *netio.Conn // nil: there is none yet
	closed bool        // by Close
	lost   error       // why Lose ended it; nil: it did not
}

// Stream makes a connection of the profile. It does not block: what is sent
// before it is there is sent then. The holder is told when it ends, in any case and
// once; who does not need it any more must Close it.
func (n *Node) Stream(profile ProfileHandle, holder StreamHolder) *Stream {
	s := &Stream{node: n, profile: profile.Value(), holder: holder}
	s.ctx, s.cancel = context.WithCancel(n.pool.ctx)
	n.streams.add(s)
	if n.dropped.Load() {
		s.Close()
	}
	n.pool.running.Add(1)
	go s.serveLoop()
	return s
}

// Send takes bytes, a copy of them, to be written at the next Flush. After the
// end they are dropped.
func (s *Stream) Send(wire []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.out.Append(wire)
	if s.conn != nil {
		s.conn.Queue(&s.out)
	}
}

// Flush writes what was sent, without blocking.
func (s *Stream) Flush() {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if conn != nil {
		conn.Flush()
	}
}

// Resume ends a pause that Caught asked for.
func (s *Stream) Resume() {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if conn != nil {
		conn.Resume()
	}
}

// Close ends the connection at once. It does not wait.
func (s *Stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.cancel()
	if s.conn != nil {
		s.conn.Abort()
	}
}

// Lose ends the connection at once, for a reason that its holder has found: it is
// lost, and the holder is told so. It does not wait.
func (s *Stream) Lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.lost != nil {
		return
	}
	s.lost = err
	s.cancel()
	if s.conn != nil {
		s.conn.Abort()
	}
}

// serveLoop connects and serves the connection until it ends. It is the stream's
// only goroutine, and short where a Poller drives the connection.
func (s *Stream) serveLoop() {
	nc, _, err := s.node.dial(s.ctx, s.profile.handshake())
	if err != nil {
		if !s.isClosed() {
			s.node.noteLoss(err)
		}
		s.over(err)
		return
	}
	conn := s.node.pool.cfg.Poller.NewConn(nc, s, 0)
	s.mu.Lock()
	s.conn = conn
	conn.Queue(&s.out)
	if s.closed || s.lost != nil {
		conn.Abort()
	}
	s.mu.Unlock()
	s.node.noteUp()
	conn.Flush()
	conn.Drive(s.finish)
}

// finish tells the holder that the connection has ended with err.
func (s *Stream) finish(err error) {
	if s.err != nil {
		err = s.err
	}
	s.conn.Close()
	s.in.Release()
	s.mu.Lock()
	s.out.Drop()
	s.mu.Unlock()
	if !s.isClosed() {
		s.node.losses.Add(1) // but the node may be well: it closes a connection whose user changes, too
	}
	s.over(err)
}

// over is the end of serveLoop and of all that came of it.
func (s *Stream) over(err error) {
	defer s.node.pool.running.Done()
	if s.isClosed() {
		err = ErrClosed
	} else if lost := s.whyLost(); lost != nil {
		err = lost
	}
	s.Close()
	s.node.streams.remove(s)
	s.holder.Ended(err)
}

// whyLost is what Lose was told, if it was called.
func (s *Stream) whyLost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// isClosed reports whether it is the proxy that ended the connection.
func (s *Stream) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed || s.node.pool.ctx.Err() != nil
}

// ReadBuffer implements netio.Handler.
func (s *Stream) ReadBuffer() []byte { return s.in.Room(s.scanner.Need()) }

// Arrived implements netio.Handler.
func (s *Stream) Arrived(n int) netio.Action {
	s.in.Filled(n)
	for s.in.Len() > 0 {
		size, err := s.scanner.Next(s.in.Bytes())
		if err != nil {
			s.err = fmt.Errorf("malformed reply: %w", err)
			return netio.Stop
		}
		if size == 0 {
			break
		}
		s.holder.Heard(s.in.Bytes()[:size:size])
		s.in.Consume(size)
	}
	return s.caught()
}

func (s *Stream) caught() netio.Action {
	if s.holder.Caught() {
		return netio.Pause
	}
	return netio.Continue
}

// Resumed implements netio.Handler.
func (s *Stream) Resumed() netio.Action { return s.caught() }

// Quiet implements netio.Handler.
func (s *Stream) Quiet() { s.in.Rest() }

// Settle implements netio.Handler; a stream's holder flushes itself.
func (s *Stream) Settle() {}

// streamSet is the streams of a node. The zero value is ready.
type streamSet struct {
	mu sync.Mutex
	// Guarded by mu.
	all map[*Stream]struct{}
}

func (set *streamSet) add(s *Stream) {
	set.mu.Lock()
	defer set.mu.Unlock()
	if set.all == nil {
		set.all = make(map[*Stream]struct{})
	}
	set.all[s] = struct{}{}
}

func (set *streamSet) remove(s *Stream) {
	set.mu.Lock()
	defer set.mu.Unlock()
	delete(set.all, s)
}

// close closes them all.
func (set *streamSet) close() {
	set.mu.Lock()
	list := make([]*Stream, 0, len(set.all))
	for s := range set.all {
		list = append(list, s)
	}
	set.mu.Unlock()
	for _, s := range list {
		s.Close()
	}
}
