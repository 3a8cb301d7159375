package proxy

import (
	"context"
	"sync/atomic"
	"time"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// blocking is a command of a session that may block. It keeps its place in the
// order meanwhile, and the session reads on only when it is answered. No goroutine
// waits for it: whoever has the node's reply answers.
type blocking struct {
	// Set at construction.
	s     *session
	wait  dispatcher.Waiting
	place dispatcher.Place
	read  func() // see readElsewhere; nil: nothing

	answered atomic.Bool
	nothing  atomic.Bool // the answer is empty, for the client is gone

	left bool // owned by readLoop
}

// block begins a command that may block, behind all others.
func (s *session) block(row *command.Row, cmd *resp.Command) verdict {
	if s.pipe.Busy() {
		return retry
	}
	b := &blocking{s: s, read: s.readElsewhere(row)}
	w, fault := s.pipe.Block(row, cmd.Args, b.answer)
	if fault != "" {
		return s.fail(row, fault)
	}
	b.wait, b.place = w, s.pipe.Reserve(row)
	s.waiting = b.settle
	s.blocked.Store(b)
	s.srv.ending.Add(1)
	s.tellAhead()
	if s.expelled.Load() { // by who may not have seen that the session blocks: nothing may be given to it
		b.answer(dispatcher.Reply{})
		return wait
	}
	w.Begin()
	if s.conn.HungUp() { // before there was a pause to be woken from
		b.leave()
	}
	return wait
}

// answer is called once, from any goroutine.
func (b *blocking) answer(reply dispatcher.Reply) {
	s := b.s
	defer s.srv.ending.Done()
	b.nothing.Store(reply.Empty())
	b.answered.Store(true)
	s.served.Add(1)
	s.blocked.Store(nil)
	s.pipe.Answer(b.place, reply)
	s.conn.Flush() // not later: whoever kills the client now would drop an element
	s.served.Add(-1)
	if b.read != nil {
		b.read()
	}
	s.conn.Resume()
}

// settle is called by readLoop; false if the command is not answered yet.
func (b *blocking) settle() bool {
	if !b.answered.Load() {
		return false
	}
	b.s.waiting = nil
	b.s.stopped = b.s.stopped || b.nothing.Load()
	return true
}

// leave ends the wait because the client is gone, or has to go. Called by
// readLoop.
func (b *blocking) leave() {
	if !b.left {
		b.left = true
		b.wait.Leave()
	}
}

// waits reports whether the command waits for what others do from now on. A nil
// blocking does not.
func (b *blocking) waits() bool { return b != nil && b.wait.Waits() }

// leaveBlocked ends what the session is blocked in, if there is something.
// Called by readLoop.
func (s *session) leaveBlocked() {
	if b := s.blocked.Load(); b != nil {
		b.leave()
	}
}

// expelGrace is for how long a client that is killed while it is blocked may
// still be given what the node had given away to it already.
const expelGrace = 2 * time.Second

// dismiss closes the client of a session that is blocked, or was a moment ago,
// as soon as a node has let it go and it was given what it has waited for; false if
// it is not blocked.
func (s *session) dismiss() bool {
	s.expelled.Store(true) // before it is looked whether it is blocked: see block
	if s.blocked.Load() == nil && s.served.Load() == 0 {
		return false
	}
	s.conn.StopReading()
	time.AfterFunc(expelGrace, func() { s.conn.Abort() })
	return true
}

// unblock ends what the client with an id is blocked in, and returns the reply
// to CLIENT UNBLOCK.
func (s *Server) unblock(ctx context.Context, by *dispatcher.Errand, id int64, reason ...[]byte) []byte {
	for _, sess := range s.present() {
		if int64(sess.id) == id {
			if b := sess.blocked.Load(); b != nil {
				return b.wait.Unblock(ctx, by, reason...)
			}
		}
	}
	return resp.AppendInt(nil, 0)
}
