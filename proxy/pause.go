package proxy

import (
	"context"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// pause is what CLIENT PAUSE asked for. Sessions look for it once per batch and
// keep the first command that it holds, and so all behind it, for later: they
// pause their connections, and nobody waits. What is under way is answered.
type pause struct {
	writesOnly bool
	until      int64 // by backend.Now
}

// holds reports whether a command has to wait. With all commands the one that
// would end the pause waits, too, as in Redis.
func (p *pause) holds(row *command.Row) bool {
	return !p.writesOnly || replicates(row)
}

// replicates reports whether the command may change something, at replicas too.
func replicates(row *command.Row) bool {
	return row.MayWrite() || row.Flags.Has(command.FlagMayReplicate) || mayReplicate[row.Name]
}

// mayReplicate are commands that are no writes and yet change replicas. Redis 7.0
// does not tell the flag.
var mayReplicate = map[string]bool{"publish": true, "spublish": true, "pfcount": true}

// longestPause bounds what a client may ask for.
const longestPause = 100 * 365 * 24 * time.Hour

// hold begins a pause. Of two at a time the later end counts, and that all
// commands are held.
func (s *Server) hold(d time.Duration, writesOnly bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	p := &pause{writesOnly: writesOnly, until: backend.Now() + int64(min(d, longestPause))}
	if old := s.gate.Load(); old != nil {
		p.until = max(p.until, old.until)
		p.writesOnly = p.writesOnly && old.writesOnly
	}
	s.gate.Store(p)
	wait := time.Duration(p.until - backend.Now())
	if s.ungate != nil {
		s.ungate.Reset(wait)
		return
	}
	s.ungate = time.AfterFunc(wait, s.pauseOver)
}

// pauseOver ends a pause that has reached its end.
func (s *Server) pauseOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.gate.Load()
	if p == nil {
		return
	}
	if left := p.until - backend.Now(); left > 0 { // it became longer meanwhile
		s.ungate.Reset(time.Duration(left))
		return
	}
	s.openLocked()
}

// openLocked ends a pause and wakes everybody up; who is not held notices
// nothing.
func (s *Server) openLocked() {
	if s.gate.Swap(nil) == nil {
		return
	}
	s.ungate.Stop()
	for sess := range s.sessions {
		sess.conn.Resume()
	}
}

// holdBack keeps a command for the end of the pause. A client that goes away
// meanwhile takes it along.
func (s *session) holdBack(row *command.Row) verdict {
	s.show(func(b *badge) { b.held = row })
	unwatch := s.srv.hangups.watch(s, func() { s.srv.expel(s) })
	s.letGo = func() {
		unwatch()
		s.letGo = nil
		s.show(func(b *badge) { b.held = nil })
	}
	return retry
}

// pauseLeft returns for how long clients will still be held, 0 if they are not.
func (s *Server) pauseLeft() time.Duration {
	p := s.gate.Load()
	if p == nil {
		return 0
	}
	return max(time.Duration(p.until-backend.Now()), 0)
}

// paused chooses the word for what is held.
func (s *Server) paused(writes, all string) string {
	switch p := s.gate.Load(); {
	case p == nil:
		return "none"
	case p.writesOnly:
		return writes
	}
	return all
}

func (s *session) clientPause(row *command.Row, cmd *resp.Command) verdict {
	writesOnly := false
	switch {
	case len(cmd.Args) > 4:
		return s.misused(row, cmd)
	case len(cmd.Args) == 4 && is(cmd.Args[3], "WRITE"):
		writesOnly = true
	case len(cmd.Args) == 4 && !is(cmd.Args[3], "ALL"):
		return s.fail(row, "ERR CLIENT PAUSE mode must be WRITE or ALL")
	}
	ms, ok := integer(cmd.Args[2])
	switch {
	case !ok:
		return s.fail(row, "ERR timeout is not an integer or out of range")
	case ms < 0:
		return s.fail(row, "ERR timeout is negative")
	}
	d := time.Duration(min(ms, int64(longestPause/time.Millisecond))) * time.Millisecond
	return s.permitted(row, probeClientPause, func(context.Context, *dispatcher.Errand) []byte {
		s.srv.hold(d, writesOnly)
		return replyOK
	}, nil)
}

func (s *session) clientUnpause(row *command.Row, _ *resp.Command) verdict {
	return s.permitted(row, probeClientPause, func(context.Context, *dispatcher.Errand) []byte {
		s.srv.mu.Lock()
		defer s.srv.mu.Unlock()
		s.srv.openLocked()
		return replyOK
	}, nil)
}
