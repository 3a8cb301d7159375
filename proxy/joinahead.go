package proxy

import (
	"slices"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/pubsub"
	"redis-cluster-proxy/resp"
)

// earlyJoin is a subscription that the client has sent, and that is asked of the
// nodes before its turn.
type earlyJoin struct {
	who     backend.ProfileHandle
	kind    pubsub.Kind
	names   []string
	joining *pubsub.Joining
}

// join begins to subscribe, or goes on with what joinAhead has begun.
func (s *session) join(kind pubsub.Kind, names []string) *pubsub.Joining {
	who := listener(s.profile)
	if len(s.early) > 0 {
		e := s.early[0]
		if e.who == who && e.kind == kind && slices.Equal(e.names, names) {
			s.early = s.early[1:]
			return e.joining
		}
		s.dropJoins() // one before it was refused
	}
	return s.subscriber().Join(who, kind, names)
}

// listener is the profile that subscribes for a session of that profile.
func listener(p backend.Profile) backend.ProfileHandle {
	return backend.MakeProfile(backend.Profile{User: p.User, Password: p.Password, Proto: resp.RESP3})
}

// joinAhead begins the subscriptions that stand right behind cmd in the input,
// which has to wait. Otherwise each would wait for the one before it; and programs
// like Celery do not await the confirmation of one before they send the next, and
// then have others publish.
func (s *session) joinAhead(cmd *resp.Command) {
	if cmd.Inline {
		return
	}
	begun := len(s.early)
	ahead, parser := s.in.Bytes()[len(cmd.Raw):], resp.CommandParser{Limits: s.parser.Limits}
	for {
		next, n, err := parser.Next(ahead)
		if n == 0 || err != nil || len(next.Args) == 0 {
			return
		}
		row, err := command.Builtin().Lookup(next.Args)
		if err != nil || row.Name != "subscribe" && row.Name != "psubscribe" && row.Name != "ssubscribe" {
			return
		}
		if ahead = ahead[n:]; begun > 0 {
			begun--
			continue
		}
		e := earlyJoin{who: listener(s.profile), kind: pubsubKinds[row.Name], names: namesOf(&next)}
		e.joining = s.subscriber().Join(e.who, e.kind, e.names)
		s.early = append(s.early, e)
	}
}

// dropJoins gives up what joinAhead has begun.
func (s *session) dropJoins() {
	for _, e := range s.early {
		e.joining.Drop()
	}
	s.early = nil
}

// namesOf returns what a command subscribes to.
func namesOf(cmd *resp.Command) []string {
	names := make([]string, 0, len(cmd.Args)-1)
	for _, arg := range cmd.Args[1:] {
		names = append(names, string(arg))
	}
	return names
}
