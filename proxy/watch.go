package proxy

import (
	"context"
	"sync"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// watching is a session's hold on its Watch, which belongs to whoever took it:
// what runs beside the session may end after it.
type watching struct {
	mu sync.Mutex
	// Guarded by mu.
	watch  *dispatcher.Watch // nil: nothing is watched, or it was taken
	closed bool
}

// look returns the Watch without taking it, nil if there is none.
func (h *watching) look() *dispatcher.Watch {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.watch
}

func (h *watching) active() bool { return h.look() != nil }

// take hands the Watch over to the caller.
func (h *watching) take() *dispatcher.Watch {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.watch
	h.watch = nil
	return w
}

// put gives back what was taken. If the session has ended meanwhile, so does w.
func (h *watching) put(w *dispatcher.Watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		w.End()
	case w.Active():
		h.watch = w
	}
}

// drop ends the Watch, if there is one.
func (h *watching) drop() {
	if w := h.take(); w != nil {
		w.End()
	}
}

// close is drop for the last time.
func (h *watching) close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.drop()
}

// watching returns how many clients watch, and how many keys together.
func (s *Server) watching() (clients, keys int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sess := range s.sessions {
		if n := int(sess.watched.Load()); n > 0 {
			clients++
			keys += n
		}
	}
	return clients, keys
}

// takeWatch is for whoever ends the Watch.
func (s *session) takeWatch() *dispatcher.Watch {
	s.watched.Store(0)
	return s.watch.take()
}

// dropWatch makes the servers forget what is watched.
func (s *session) dropWatch() {
	s.watched.Store(0)
	s.watch.drop()
}

// watchKeys watches keys over a connection of the session's own. Nothing behind
// it begins before the node watches.
func (s *session) watchKeys(row *command.Row, cmd *resp.Command) verdict {
	if s.tx != nil {
		return s.fail(row, "ERR WATCH inside MULTI is not allowed")
	}
	if s.pipe.Busy() {
		return retry
	}
	keys := resp.CloneArgs(cmd.Args[1:])
	w := s.watch.take()
	if w == nil {
		w = &dispatcher.Watch{}
	}
	return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
		reply := e.Watch(ctx, w, keys)
		s.watched.Store(int32(w.Keys()))
		s.watch.put(w)
		return reply
	})
}

func (s *session) unwatch(row *command.Row, _ *resp.Command) verdict {
	if !s.watch.active() {
		return s.ok(row)
	}
	if s.pipe.Busy() {
		return retry
	}
	w := s.takeWatch()
	return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
		e.Unwatch(ctx, w)
		return replyOK
	})
}
