package proxy

import (
	"time"

	"github.com/golang/glog"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/dispatcher"
)

// idleInterval is the time between two looks for clients that have been idle for
// too long, while there is a limit.
const idleInterval = 500 * time.Millisecond

// watchIdle begins to look, or ends it, as the settings say.
func (s *Server) watchIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	watch := s.settings.Load().idle > 0 && !s.closing
	switch {
	case !watch && s.idleTimer != nil:
		s.idleTimer.Stop()
		s.idleTimer = nil
	case watch && s.idleTimer == nil:
		s.idleLooks = backend.NewLooks(idleInterval)
		s.idleTimer = time.AfterFunc(idleInterval, s.closeIdle)
	}
}

// closeIdle closes clients that have asked nothing for longer than the settings
// allow, and looks again later.
func (s *Server) closeIdle() {
	if limit := s.settings.Load().idle; limit > 0 && s.idleLookCounts() {
		for _, sess := range s.present() {
			if sess.idleFor() > limit {
				glog.V(1).Infof("client %d %s closed: idle", sess.id, sess.conn.NetConn().RemoteAddr())
				s.expel(sess)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idleTimer != nil {
		s.idleTimer.Reset(idleInterval)
	}
}

// idleLookCounts reports whether the look for idle clients that is made now counts.
func (s *Server) idleLookCounts() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idleLooks.Counts()
}

// idleFor returns for how long the client has asked nothing and waited for
// nothing.
func (s *session) idleFor() (d time.Duration) {
	if b := s.badgeNow(); b.waits() || b.watches || b.subscribed() || s.conn.Backlogged(0) {
		return 0
	}
	s.pipe.Inspect(func(a dispatcher.Activity) {
		switch {
		case a.UnderWay > 0:
		case a.Arrived == 0:
			d = time.Since(s.born)
		default:
			d = time.Duration(backend.Now() - a.Arrived)
		}
	})
	return d
}
