package dispatcher

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// session is a client's session reduced to its Pipeline. say and close are for one goroutine, as in a real session.
type session struct {
	rig    *rig
	pipe   *Pipeline
	parser resp.CommandParser
	wake   chan struct{} // holds at most one token

	// Guarded by the Pipeline's lock.
	gathered []byte

	mu sync.Mutex
	// Guarded by mu.
	slow      []slowRequest
	changed   sync.Cond
	committed []byte // not flushed yet
	arrived   []byte // flushed
	closed    bool
}

func (r *rig) newSession() *session {
	r.lastSeed++
	s := &session{rig: r, wake: make(chan struct{}, 1)}
	s.changed.L = &s.mu
	s.pipe = NewPipeline(r.d, s, r.lastSeed, backend.Profile{})
	return s
}

// Append implements Sink.
func (s *session) Append(reply []byte) { s.gathered = append(s.gathered, reply...) }

// AppendChunk implements Sink.
func (s *session) AppendChunk(reply []byte, _ *backend.Chunk) { s.Append(reply) }

// Slow implements Sink.
func (s *session) Slow(slow Slow) {
	args, count := slow.Args(5)
	slow.r = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slow = append(s.slow, slowRequest{slow, string(bytes.Join(args, []byte(" "))), count})
}

// Gathered implements Sink.
func (s *session) Gathered() int { return len(s.gathered) }

// Commit implements Sink.
func (s *session) Commit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed = append(s.committed, s.gathered...)
	s.gathered = s.gathered[:0]
}

// Flush implements Sink.
func (s *session) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrived = append(s.arrived, s.committed...)
	s.committed = s.committed[:0]
	s.changed.Broadcast()
}

// Settle implements Sink.
func (s *session) Settle() { s.Flush() }

// Wake implements Sink.
func (s *session) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// say dispatches the commands in raw and flushes, as a session does with what arrived together.
func (s *session) say(raw []byte) {
	s.pipe.Begin(backend.Now())
	for {
		raw = s.dispatch(raw)
		s.pipe.Flush()
		if len(raw) == 0 {
			return
		}
		for s.pipe.Busy() {
			<-s.wake
		}
	}
}

// dispatch dispatches the commands in raw, up to one behind which the session must wait, and returns the rest.
func (s *session) dispatch(raw []byte) []byte {
	for len(raw) > 0 {
		for s.pipe.Full() {
			s.pipe.Flush()
			<-s.wake
		}
		cmd, n, err := s.parser.Next(raw)
		if err != nil || n == 0 {
			panic("test: not a whole command: " + string(raw))
		}
		raw = raw[n:]
		row, err := s.rig.lookup(cmd.Args)
		if err != nil {
			s.pipe.LocalError(nil, err.Error())
			continue
		}
		if s.pipe.Dispatch(row, &cmd, nil) {
			break
		}
	}
	return raw
}

// close ends the session; replies awaited will not come.
func (s *session) close() {
	s.pipe.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.changed.Broadcast()
}

// take returns what has arrived since the last call.
func (s *session) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.arrived
	s.arrived = nil
	return got
}

// replies returns how many replies have arrived and were not taken.
func (s *session) replies() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for rest := s.arrived; len(rest) > 0; n++ {
		size, err := resp.ReplyLen(rest)
		if err != nil || size == 0 {
			break
		}
		rest = rest[size:]
	}
	return n
}

// wantReplies waits for n replies, which must be these bytes.
func (s *session) wantReplies(t testing.TB, n int, want string) {
	t.Helper()
	poll(t, "the replies", func() bool { return s.replies() == n })
	if got := string(s.take()); got != want {
		t.Errorf("the replies are %q, want %q", got, want)
	}
}

// next waits for the next n replies and returns them.
func (s *session) next(n int) ([]resp.Value, error) {
	stop := time.AfterFunc(patience, s.close)
	defer stop.Stop()
	replies := make([]resp.Value, 0, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(replies) < n {
		v, size, err := resp.ReadValue(s.arrived)
		switch {
		case err != nil:
			return nil, fmt.Errorf("reply %d: %w in %q", len(replies), err, s.arrived)
		case size > 0:
			replies = append(replies, v)
			s.arrived = s.arrived[size:]
		case s.closed:
			return nil, fmt.Errorf("%d of %d replies came in time; then %q", len(replies), n, s.arrived)
		default:
			s.changed.Wait()
		}
	}
	return replies, nil
}

// do sends one command and returns its reply.
func (s *session) do(t testing.TB, args ...string) resp.Value {
	t.Helper()
	s.say(resp.AppendCommand(nil, args...))
	replies, err := s.next(1)
	if err != nil {
		t.Fatal(err)
	}
	return replies[0]
}
