package proxy

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/golang/glog"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// verification asks a node whether it accepts a profile (AUTH, HELLO with
// AUTH). The command keeps its place in the order meanwhile, and the session
// reads on only when the answer is known: what follows depends on it.
type verification struct {
	// Set by who wants it.
	ask     backend.Profile // what the node is asked
	profile backend.Profile // the session's from then on, if ask is accepted
	reply   []byte          // likewise
	apply   func()          // likewise; called by readLoop

	// Set by verify.
	s     *session
	place dispatcher.Place

	outcome atomic.Pointer[error]
}

// verify starts a verification. The Pipeline must be empty.
func (s *session) verify(row *command.Row, v *verification) verdict {
	v.s, v.place = s, s.pipe.Reserve(row)
	s.waiting = v.settle
	s.srv.ending.Add(1)
	go v.run()
	return wait
}

// run runs beside the session. Its answer wakes the session up.
func (v *verification) run() {
	defer v.s.srv.ending.Done()
	err := v.s.srv.verifyProfile(v.s.srv.ctx, uint32(v.s.id), v.ask)
	v.outcome.Store(&err)
	reply := v.reply
	if err != nil {
		reply = resp.AppendError(nil, err.Error())
	}
	v.s.pipe.Answer(v.place, reply)
	v.s.conn.Resume()
}

// settle is called by readLoop; false if the answer is not known yet.
func (v *verification) settle() bool {
	err := v.outcome.Load()
	if err == nil {
		return false
	}
	s := v.s
	s.waiting = nil
	if *err == nil {
		s.profile = v.profile
		s.pipe.SetProfile(s.profile)
		v.apply()
	}
	return true
}

var errNoNode = errors.New("CLUSTERDOWN no node of the cluster can be reached")

// verifyProfile asks any node; the error's text is for the client.
func (s *Server) verifyProfile(ctx context.Context, seed uint32, profile backend.Profile) error {
	var err error
	for attempt := range uint32(3) {
		node := s.d.AnyNode(seed + attempt)
		if node == nil {
			return errNoNode
		}
		if err = s.d.Pool().Verify(ctx, node, profile); err == nil {
			return nil
		}
		refused := (*backend.HandshakeError)(nil)
		if errors.As(err, &refused) {
			return refused
		}
		if ctx.Err() != nil {
			return errNoNode // whoever asked is gone
		}
	}
	glog.Warningf("no node could verify a client's credentials: %v", err)
	return errNoNode
}
