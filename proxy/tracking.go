package proxy

import (
	"context"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// clientTracking makes the nodes tell of changes of what the client has read, or
// ends that. Order and texts are those of clientCommand of Redis 7.
func (s *session) clientTracking(row *command.Row, cmd *resp.Command) verdict {
	wish, fault := s.parseTracking(cmd.Args[3:])
	on, ok := onOff(cmd.Args[2])
	switch {
	case fault != "":
	case !ok:
		fault = errSyntax
	case on:
		fault = wish.clash(s.tracking)
	}
	switch {
	case fault != "":
		return s.fail(row, fault)
	case s.pipe.Busy():
		return retry
	case !on:
		s.setTracking(nil)
		return s.ok(row)
	}
	return s.track(row, wish.over(s.tracking))
}

// sessionByID returns the session of a client, nil if there is none.
func (s *Server) sessionByID(id uint64) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sess := range s.sessions {
		if sess.id == id {
			return sess
		}
	}
	return nil
}

// doubtAgain is after how long a client is told for a second time to forget all.
// node-redis 5 keeps a reply that it finds in front of that in the same read.
const doubtAgain = 100 * time.Millisecond

// upstream is what the Pipeline is told of t; nil: nobody would hear of it.
func (s *session) upstream(t *tracking) *dispatcher.Tracking {
	if t == nil || !t.heard(s.proto()) {
		return nil
	}
	to := &tracker{from: s, to: t.redirect, proto: s.proto()}
	u := &dispatcher.Tracking{Greeting: t.greeting(), Broadcast: t.bcast, Again: doubtAgain, Tracker: to}
	if to.direct() {
		u.Null = pushedNull
	}
	return u
}

// track begins tracking as t says, or goes on so. The Pipeline must be empty.
func (s *session) track(row *command.Row, t *tracking) verdict {
	ask, grant := s.probesOf(t), s.grant(row.Name)
	if t.optin || t.optout {
		grant.What += " and caching"
	}
	known := s.srv.d.Grants().Has(grant)
	switch {
	case known && t.same(s.tracking):
		s.noteTracking(t)
		return s.ok(row)
	case known && !t.bcast:
		s.setTracking(t)
		return s.ok(row)
	}
	profile, up := s.profile, s.upstream(t)
	begun, ended, forgotten := false, false, false
	return s.runAside(row, func(ctx context.Context) dispatcher.Reply {
		if !known {
			if err := s.srv.verifyProfile(ctx, uint32(s.id), profile, ask...); err != nil {
				return dispatcher.Whole(errorReply(err))
			}
			s.srv.d.Grants().Add(grant, dispatcher.Lasting)
		}
		before := s.pipe.Track(up)
		err := s.pipe.Reach(ctx)
		forgotten = before.End()
		if err != nil {
			s.pipe.Track(nil).End()
			ended = true
			return dispatcher.Whole(errorReply(err))
		}
		begun = true
		s.showTracking(t) // before the client can know
		return dispatcher.Whole(replyOK)
	}, func() {
		switch {
		case begun:
			s.noteTracking(t)
			s.doubtIf(forgotten, up)
		case ended:
			s.noteTracking(nil)
		}
	})
}

// probesOf is what a node is asked before it is relied on: whether the user may
// do what t needs.
func (s *session) probesOf(t *tracking) [][]string {
	probes := [][]string{t.greeting()}
	switch {
	case t.optin:
		probes = append(probes, []string{"CLIENT", "CACHING", "YES"})
	case t.optout:
		probes = append(probes, []string{"CLIENT", "CACHING", "NO"})
	}
	if s.proto() != resp.RESP3 && t.redirect != nil {
		probes = append(probes, []string{"CLIENT", "ID"})
	}
	return probes
}

// setTracking begins tracking as t says, or ends it with nil. The Pipeline must be
// empty.
func (s *session) setTracking(t *tracking) {
	if t == nil && s.tracking == nil {
		return
	}
	up := s.upstream(t)
	forgotten := s.pipe.Track(up).End()
	s.noteTracking(t)
	s.doubtIf(forgotten, up)
}

// retrack lets tracking go on under another profile.
func (s *session) retrack() {
	t := s.tracking
	if t == nil {
		return
	}
	up := s.upstream(t)
	s.pipe.Track(up).End()
	s.noteTracking(t)
	s.doubtIf(true, up) // also what was read while nobody could be told
	if t.bcast {
		s.pipe.ReachSoon()
	}
}

// doubtIf says that nodes do not know any more what the client has read.
func (s *session) doubtIf(forgotten bool, up *dispatcher.Tracking) {
	if !forgotten || up == nil {
		return
	}
	flush(up.Tracker.Doubt(nil))
}

// noteTracking makes t what the session and others see.
func (s *session) noteTracking(t *tracking) {
	s.tracking = t
	s.showTracking(t)
	s.setCaching(t != nil && t.caching)
}

func (s *session) showTracking(t *tracking) {
	s.show(func(b *badge) {
		b.tracking, b.trackingBcast, b.redirect, b.redirectGone = t != nil, t != nil && t.bcast, 0, false
		if t != nil && t.redirect != nil {
			b.redirect = int64(t.redirect.id)
		}
	})
}

func flush(f backend.Flusher) {
	if f != nil {
		f.Flush()
	}
}
