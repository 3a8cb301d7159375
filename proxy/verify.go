package proxy

import (
	"context"
	"errors"

	"github.com/golang/glog"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
)

// verification asks a node whether it accepts a profile (AUTH, HELLO with
// AUTH), beside the session: what follows depends on the answer.
type verification struct {
	ask     backend.Profile // what the node is asked
	profile backend.Profile // the session's from then on, if ask is accepted
	reply   []byte          // likewise
	apply   func()          // likewise; called by readLoop
}

// verify starts a verification. The Pipeline must be empty.
func (s *session) verify(row *command.Row, v *verification) verdict {
	var refused error
	return s.runAside(row, func(ctx context.Context) dispatcher.Reply {
		if refused = s.srv.verifyProfile(ctx, uint32(s.id), v.ask); refused != nil {
			return dispatcher.Whole(errorReply(refused))
		}
		s.pipe.SetProfile(v.profile) // others see it before the client can know
		return dispatcher.Whole(v.reply)
	}, func() {
		if refused == nil {
			s.setProfile(v.profile)
			v.apply()
		}
	})
}

var errNoNode = errors.New("CLUSTERDOWN no node of the cluster can be reached")

// verifyProfile asks any node whether it accepts the profile, and then the commands
// of more; the error's text is for the client.
func (s *Server) verifyProfile(ctx context.Context, seed uint32, profile backend.Profile, more ...[]string) error {
	var err error
	for attempt := range uint32(3) {
		node := s.d.AnyNode(seed + attempt)
		if node == nil {
			return errNoNode
		}
		if err = s.d.Pool().Verify(ctx, node, profile, more...); err == nil {
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
