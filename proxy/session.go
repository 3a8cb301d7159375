package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/netio"
	"redis-cluster-proxy/pubsub"
	"redis-cluster-proxy/resp"
)

// maxBacklog is how many bytes of replies a client may leave unread before
// its requests have to wait.
const maxBacklog = 1 << 20

// firstRead bounds what is set aside for an argument before its bytes come; it
// grows in steps with them.
const firstRead = 64 << 10

// session is one client. It is the netio.Handler of the client's connection
// and the dispatcher.Sink of its replies.
type session struct {
	// Set at construction.
	srv  *Server
	id   uint64
	conn *netio.Conn
	pipe *dispatcher.Pipeline
	born time.Time

	ended       atomic.Bool  // readLoop serves no more
	queued      atomic.Int32 // commands since MULTI; -1: not in MULTI
	queuedBytes atomic.Int64 // of them
	watched     atomic.Int32 // keys
	watch       watching
	hears       atomic.Bool // it has subscriptions

	blocked  atomic.Pointer[blocking] // nil: it is not
	served   atomic.Int32             // not 0: it is being given what it was blocked for
	expelled atomic.Bool              // dismiss was called

	// Guarded by the Pipeline's lock.
	out       netio.Batch
	committed int64 // bytes of replies handed to conn

	// Owned by readLoop.
	parser    resp.CommandParser
	cmd       resp.Command // the command at hand; here, for it would be allocated as a local
	in        netio.Input
	profile   backend.Profile
	authed    bool         // AUTH succeeded, or is not required
	tx        *transaction // nil: not in MULTI
	plain     bool         // authed, and nothing makes commands go another than their ordinary way; see settlePlain
	tracking  *tracking    // nil: off
	elsewhere []string     // keys that the command at hand reads besides its own; see readElsewhere
	inquiry   *inquiry     // whether the command at hand is allowed; nil: there is no question
	within    *within      // the command inside EXEC that is executed; nil: none is
	mute      muting
	waiting   func() bool // what is done before the next command; see aside.go and dispatch
	stopped   bool        // no command is read any more
	taken     uint64      // bytes that have arrived
	rules     *settings   // as of this batch
	early     []earlyJoin // of commands that are still in the input
	gate      *pause      // what holds commands back, as of this batch
	letGo     func()      // what is to be done when a command is not held back any more; nil: none is

	monitoring bool   // by MONITOR
	overheard  bool   // somebody is, as of this batch
	deeds      []deed // what monitors are to be told of the command at hand
	origin     string // where the client is, to them; "" until it is needed

	sub     atomic.Pointer[pubsub.Client] // set by readLoop; nil: it has never subscribed
	crowded atomic.Int64                  // since when it leaves too much unread, by backend.Now; 0: it does not

	badgeMu sync.Mutex
	badge   badge // guarded by badgeMu; see show
}

func newSession(srv *Server, nc net.Conn) *session {
	s := &session{srv: srv, id: srv.lastID.Add(1), born: time.Now(), rules: srv.settings.Load()}
	s.conn = srv.cfg.Poller.NewConn(nc, s, uint32(s.id))
	s.profile = srv.defaultProfile()
	s.profile.Proto = resp.RESP2
	s.pipe = dispatcher.NewPipeline(srv.d, s, uint32(s.id), s.profile)
	s.resetAuth()
	s.setTransaction(nil)
	return s
}

// resetAuth puts the session where a client starts.
func (s *session) resetAuth() {
	s.setAuthed(!s.srv.cfg.RequireAuth)
}

func (s *session) setAuthed(ok bool) {
	s.authed = ok
	s.settlePlain()
	s.parser.Limits = resp.UnauthenticatedLimits()
	if ok {
		s.parser.Limits = resp.Limits{MaxBulkBytes: s.rules.maxBulk}
	}
}

// settlePlain finds out whether commands may go their ordinary way at once.
func (s *session) settlePlain() {
	s.plain = s.authed && s.tx == nil && !s.monitoring && !s.confined() && (s.tracking == nil || !s.tracking.caching)
}

// setProfile makes the client another one to the nodes. The Pipeline must be empty.
func (s *session) setProfile(profile backend.Profile) {
	if profile == s.profile {
		return
	}
	s.profile = profile
	s.pipe.SetProfile(profile)
	s.retrack()
}

// readLoop serves the client until it leaves.
func (s *session) readLoop() { s.conn.Drive(s.finish) }

// finish serves a client that sends nothing more until what is under way is
// answered and written.
func (s *session) finish(err error) {
	defer s.srv.end(s)
	s.leaveBlocked()
	if err == nil || errors.Is(err, io.EOF) {
		for s.unfinished() && s.conn.Wait() {
		}
	}
	if s.letGo != nil {
		s.letGo()
	}
	s.ended.Store(true)
	s.srv.monitors.leave(s)
	s.watch.close()
	s.endSubscriptions()
	s.pipe.Close()
	s.conn.Close()
	s.in.Release()
}

// unfinished reports whether requests are under way or replies unwritten. If
// so, the connection will be resumed when that may have changed.
func (s *session) unfinished() bool {
	if s.pipe.Busy() {
		return true
	}
	s.endSubscriptions() // or it might never be finished
	s.pipe.Flush()
	return s.conn.Backlogged(0)
}

// ReadBuffer implements netio.Handler.
func (s *session) ReadBuffer() []byte {
	return s.in.RoomUpTo(s.parser.Need(), firstRead)
}

// Arrived implements netio.Handler.
func (s *session) Arrived(n int) netio.Action {
	s.in.Filled(n)
	s.taken += uint64(n)
	return s.run()
}

// Resumed implements netio.Handler.
func (s *session) Resumed() netio.Action {
	if s.waiting != nil {
		if s.conn.HungUp() {
			s.leaveBlocked()
		}
		if s.pipe.Busy() {
			return netio.Pause
		}
		if apply := s.waiting; !apply() {
			return netio.Pause
		}
		if s.stopped {
			return netio.Stop
		}
	}
	if s.conn.Backlogged(maxBacklog) {
		return netio.Pause // what has arrived may be a thousand requests for large values
	}
	return s.run()
}

// Quiet implements netio.Handler.
func (s *session) Quiet() {
	// Or they would keep a buffer that was given back. The parser uses the
	// array of Args again.
	clear(s.cmd.Args[:cap(s.cmd.Args)])
	s.cmd = resp.Command{}
	s.in.Rest()
}

// run handles the commands that have arrived and flushes what they touched.
func (s *session) run() netio.Action {
	s.pipe.Begin(backend.Now())
	if rules := s.srv.settings.Load(); rules != s.rules {
		s.rules = rules
		s.setAuthed(s.authed)
	}
	if s.gate = s.srv.gate.Load(); s.gate != nil && s.monitoring { // as it lets replicas pass
		s.gate = nil
	}
	if s.letGo != nil {
		s.letGo()
	}
	s.overheard = s.srv.monitors.any.Load()
	act := s.parse()
	s.pipe.TookIn(s.taken, s.in.Len())
	s.pipe.Flush()
	if act == netio.Pause && s.blocked.Load() != nil {
		s.Quiet() // it may be for hours
	}
	if act == netio.Continue && s.conn.Backlogged(maxBacklog) {
		act = netio.Pause
	}
	if s.stopped {
		return netio.Stop
	}
	return act
}
