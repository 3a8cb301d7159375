package proxy

import (
	"bytes"
	"context"
	"errors"
	"regexp"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
)

// What the proxy itself answers about other clients, or changes for all of
// them, must be open to no more users than at a server, and only a server knows its
// users. So a node is asked the same command, as the session's user, in a form in
// which it does nothing there.
var (
	probeClientList    = words("CLIENT", "LIST", "ID", "0")
	probeClientKill    = words("CLIENT", "KILL", "ID", "0")     // refused behind the permission: there is no such id
	probeClientPause   = words("CLIENT", "PAUSE", "-1")         // likewise; UNPAUSE has no form that does nothing
	probeClientUnblock = words("CLIENT", "UNBLOCK", "0")        // nobody
	probeConfigSet     = words("CONFIG", "SET", "proxy-", "no") // no setting of a server
	probeSlowlog       = words("SLOWLOG", "GET", "0")
	probeCommandlog    = words("COMMANDLOG", "GET", "0", "slow")
)

func words(list ...string) [][]byte {
	args := make([][]byte, len(list))
	for i, w := range list {
		args[i] = []byte(w)
	}
	return args
}

// permitted answers a command with what act returns if the session's user may
// do what probe does, else with the node's refusal. act runs beside the session,
// as in alone; after is called by readLoop behind it, and may be nil.
func (s *session) permitted(row *command.Row, probe [][]byte, act func(context.Context, *dispatcher.Errand) []byte, after func()) verdict {
	if s.pipe.Busy() {
		return retry
	}
	e := s.pipe.Errand()
	anonymous := s.srv.isOwnAccount(s.profile)
	return s.runAside(row, func(ctx context.Context) dispatcher.Reply {
		if refusal := askPermission(ctx, e, probe, anonymous); refusal != nil {
			return dispatcher.Whole(asRefusalOf(row, refusal))
		}
		return dispatcher.Whole(act(ctx, e))
	}, after)
}

var refusedCommand = regexp.MustCompile(`run the '[^']*' command`)

// asRefusalOf makes the refusal of a probe one of the command that it stands for.
func asRefusalOf(row *command.Row, refusal []byte) []byte {
	return refusedCommand.ReplaceAllLiteral(refusal, []byte("run the '"+row.Name+"' command"))
}

// askPermission returns a node's refusal, nil if it has none. With no node to
// be asked, those who act as the proxy itself may do what they like: that is when
// somebody has to look.
func askPermission(ctx context.Context, e *dispatcher.Errand, probe [][]byte, anonymous bool) (refusal []byte) {
	reply, err := e.Ask(ctx, e.Any(), probe...)
	return refusalIn(reply, err, anonymous)
}

func refusalIn(reply []byte, err error, anonymous bool) (refusal []byte) {
	refused := (*backend.HandshakeError)(nil)
	switch {
	case err != nil && anonymous && !errors.As(err, &refused):
		return nil
	case err != nil:
		return errorReply(err)
	case bytes.HasPrefix(reply, []byte("-NOPERM ")):
		return reply
	}
	return nil
}
