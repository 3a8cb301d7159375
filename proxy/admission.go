package proxy

import (
	"net"
	"time"

	"github.com/golang/glog"
)

// start makes a session of an accepted connection.
func (s *Server) start(nc net.Conn, ln net.Listener) {
	s.accepted.Add(1)
	s.mu.Lock()
	limit := s.settings.Load().maxClients
	full := limit > 0 && len(s.sessions) >= limit
	s.noteFullLocked(full, limit)
	if full || s.closing {
		s.mu.Unlock()
		s.refused.Add(1)
		if full {
			_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = nc.Write([]byte("-ERR max number of clients reached\r\n"))
		}
		_ = nc.Close()
		return
	}
	sess := newSession(s, nc)
	s.sessions[sess] = struct{}{}
	s.ending.Add(1)
	s.mu.Unlock()
	go sess.readLoop()
}

// noteFullLocked logs that clients begin to be refused, once until there is some room again.
func (s *Server) noteFullLocked(full bool, limit int) {
	switch {
	case full && !s.full:
		glog.Warningf("%d clients: more are refused (-max-clients)", limit)
		s.full = true
	case s.full && (limit == 0 || len(s.sessions) < limit-limit/10):
		glog.Infof("%d clients: more are accepted again; %d were refused since the start", len(s.sessions), s.refused.Load())
		s.full = false
	}
}

// end forgets a session.
func (s *Server) end(sess *session) {
	s.mu.Lock()
	delete(s.sessions, sess)
	s.goneIn += sess.taken
	s.goneOut += uint64(sess.conn.Written())
	s.mu.Unlock()
	s.ending.Done()
}
