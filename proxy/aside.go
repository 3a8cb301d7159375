package proxy

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/glog"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
)

// aside is a command that is worked on beside the session, in a goroutine of
// its own. It keeps its place in the order meanwhile, and the session reads on only
// when it is answered.
type aside struct {
	// Set at construction.
	s      *session
	placed bool // place is to be answered
	place  dispatcher.Place
	work   func(ctx context.Context) dispatcher.Reply
	after  func() // called by readLoop before the next command; may be nil

	begun int64    // by backend.Now
	args  [][]byte // as the slow log keeps them
	read  func()   // see readElsewhere; nil: nothing

	reply    dispatcher.Reply // if there is no place for it; to be read when answered is true
	answered atomic.Bool
}

// runAside answers a command with what work returns. The Pipeline must be
// empty. What work uses of the command must have been copied. Its context ends
// when the client has hung up or the server ends.
func (s *session) runAside(row *command.Row, work func(ctx context.Context) dispatcher.Reply, after func()) verdict {
	a := s.newAside(work, after)
	if s.within != nil {
		s.within.beside = a
		return done
	}
	a.placed, a.place, a.read = true, s.pipe.Reserve(row), s.readElsewhere(row)
	if s.rules.slowerThan >= 0 && !row.Flags.Has(command.FlagSkipSlowlog) {
		a.args = rememberedArgs(row, s.cmd.Args, len(s.cmd.Args))
	}
	s.waiting = a.settle
	s.tellAhead()
	a.start()
	return wait
}

func (s *session) newAside(work func(ctx context.Context) dispatcher.Reply, after func()) *aside {
	return &aside{s: s, work: work, after: after, begun: backend.Now()}
}

func (a *aside) start() {
	a.s.srv.ending.Add(1)
	go a.run()
}

// run runs beside the session. Its answer wakes the session up.
func (a *aside) run() {
	s := a.s
	defer s.srv.ending.Done()
	ctx, cancel := context.WithCancel(s.srv.ctx)
	stop := s.srv.hangups.watch(s, cancel)
	reply := a.work(ctx)
	if total := backend.Now() - a.begun; a.args != nil && total >= s.srv.d.Pool().Slow() && s.srv.slow.admit() {
		s.srv.slow.add(slowRequest{
			at: time.Now(), total: time.Duration(total), args: a.args, addr: s.outline().addr, name: s.badgeNow().name,
		})
	}
	if !a.placed {
		a.reply = reply
	}
	flows := reply.Flows()
	if !flows { // nothing is waited for any more
		stop()
		cancel()
	}
	a.answered.Store(true)
	if a.placed {
		s.pipe.AnswerFlowing(ctx, a.place, reply, a.room, a.broken)
	}
	if flows {
		stop()
		cancel()
	}
	if a.read != nil {
		a.read()
	}
	s.conn.Resume()
}

// broken closes a client that has got a part of a reply of which the rest is lost.
func (a *aside) broken(err error) {
	if s := a.s; s.conn.Abort() {
		glog.Warningf("client %d %s closed: its reply broke off: %v", s.id, s.conn.NetConn().RemoteAddr(), err)
	}
}

// room waits until the client has taken most of what was sent to it.
func (a *aside) room(ctx context.Context) error {
	drained := a.s.conn.Drained(maxBacklog)
	if drained == nil {
		return nil
	}
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle is called by readLoop; false if the command is not answered yet.
func (a *aside) settle() bool {
	if !a.answered.Load() {
		return false
	}
	a.s.waiting = nil
	if a.after != nil {
		a.after()
	}
	return true
}

// hangupInterval is how often it is looked whether clients have hung up whose
// commands run beside their sessions. Until then nobody else would notice.
const hangupInterval = 25 * time.Millisecond

// hangupGrace is for how long a client that has shut down its side may wait for
// a reply, or for more of it. It serves those that send their commands and then
// only read. It is counted in looks, hangupLooks of them, since a process that has
// stood still for so long has not read what there is for them.
const (
	hangupGrace = time.Second
	hangupLooks = int(hangupGrace / hangupInterval)
)

// hangupWatch ends what is done for clients that are gone. The zero value is
// ready. It has a goroutine, watchLoop, while there is something to watch for so
// long that it is worth one.
type hangupWatch struct {
	mu sync.Mutex
	// Guarded by mu.
	watched map[*watched]struct{}
	looping bool
}

// watched is a client that waits for a command.
type watched struct {
	s      *session
	cancel context.CancelFunc

	// Owned by watchLoop.
	gone    int   // looks since it was noticed that the client has hung up, or takes bytes all the same; 0: not yet
	written int64 // bytes that it had taken then
}

// watch calls cancel when s's client has hung up, until stop is called. Most
// commands end before they are looked at for the first time.
func (h *hangupWatch) watch(s *session, cancel context.CancelFunc) (stop func()) {
	w := &watched{s: s, cancel: cancel}
	begin := time.AfterFunc(hangupInterval, func() { h.add(w) })
	return func() {
		if !begin.Stop() {
			h.remove(w)
		}
	}
}

func (h *hangupWatch) add(w *watched) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.cancel == nil { // stopped before it began
		return
	}
	if h.watched == nil {
		h.watched = make(map[*watched]struct{})
	}
	h.watched[w] = struct{}{}
	if !h.looping {
		h.looping = true
		go h.watchLoop()
	}
}

func (h *hangupWatch) remove(w *watched) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.cancel = nil
	delete(h.watched, w)
}

// watchLoop ends when nothing is left to watch.
func (h *hangupWatch) watchLoop() {
	tick := time.NewTicker(hangupInterval)
	defer tick.Stop()
	for h.look() {
		<-tick.C
	}
}

// look cancels what nobody waits for; false if nothing is left.
func (h *hangupWatch) look() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watched {
		switch {
		case w.s.ended.Load():
			w.cancel()
		case !w.s.conn.HungUp():
		case w.gone == 0, w.s.conn.Written() != w.written:
			w.gone, w.written = 1, w.s.conn.Written()
		case w.gone > hangupLooks:
			w.cancel()
		default:
			w.gone++
		}
	}
	h.looping = len(h.watched) > 0
	return h.looping
}
