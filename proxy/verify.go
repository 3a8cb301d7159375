package proxy

import (
	"context"
	"errors"
	"time"

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
	if w := s.within; w != nil && w.outcome.asked {
		if refused = w.outcome.refused; refused != nil {
			return s.say(row, errorReply(refused))
		}
		s.setProfile(v.profile)
		v.apply()
		return s.say(row, v.reply)
	}
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

const (
	// verifyNodes is how many nodes are asked about a profile.
	verifyNodes = 3
	// verifyPatience is how long one is waited for before another is asked beside it: one that stands still would keep
	// those from coming back who have just lost their connections to it.
	verifyPatience = 250 * time.Millisecond
)

// verifyProfile asks any node whether it accepts the profile, and then the commands
// of more; the error's text is for the client.
func (s *Server) verifyProfile(ctx context.Context, seed uint32, profile backend.Profile, more ...[]string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q := &profileQuestion{s.d.Pool(), profile, more, make(chan error, verifyNodes)}
	next := time.NewTimer(0)
	defer next.Stop()
	var err error
	for asked, failed := uint32(0), 0; failed < verifyNodes; {
		select {
		case <-next.C:
			node := s.d.AnyNode(seed + asked)
			if node == nil {
				return errNoNode
			}
			s.ending.Add(1) // the caller is counted there as well, so it is not zero
			go q.ask(ctx, node, s.ending.Done)
			if asked++; asked < verifyNodes {
				next.Reset(verifyPatience)
			}
		case err = <-q.answers:
			refused := (*backend.HandshakeError)(nil)
			switch {
			case err == nil:
				return nil
			case errors.As(err, &refused):
				return refused
			case ctx.Err() != nil:
				return errNoNode // whoever asked is gone
			}
			if failed++; asked < verifyNodes {
				next.Reset(0)
			}
		}
	}
	glog.Warningf("no node could verify a client's credentials: %v", err)
	return errNoNode
}

// profileQuestion is what nodes are asked about a profile.
type profileQuestion struct {
	pool    *backend.Pool
	profile backend.Profile
	more    [][]string
	answers chan error // has room for all of them
}

func (q *profileQuestion) ask(ctx context.Context, node *backend.Node, ended func()) {
	defer ended()
	q.answers <- q.pool.Verify(ctx, node, q.profile, q.more...)
}
