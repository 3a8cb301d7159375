package proxy

import (
	"context"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// alone answers a command that concerns several nodes with what f returns. It
// begins when all before it is answered, and nothing after it begins before its
// answer. f runs beside the session and may block; arguments of the command that it
// uses must have been copied (see resp.CloneArgs). ctx ends when the client hangs up
// or the server ends.
func (s *session) alone(row *command.Row, f func(ctx context.Context, e *dispatcher.Errand) []byte) verdict {
	return s.aloneAtLength(row, func(ctx context.Context, e *dispatcher.Errand) dispatcher.Reply {
		return dispatcher.Whole(f(ctx, e))
	})
}

// aloneAtLength is alone for replies that may flow.
func (s *session) aloneAtLength(row *command.Row, f func(ctx context.Context, e *dispatcher.Errand) dispatcher.Reply) verdict {
	if s.pipe.Busy() {
		return retry
	}
	e := s.pipe.Errand()
	if s.within != nil {
		e.KeepWhole() // it is a part of EXEC's reply
	}
	return s.runAside(row, func(ctx context.Context) dispatcher.Reply { return f(ctx, e) }, nil)
}

// errorReply is err as a reply: its text is for the client.
func errorReply(err error) []byte { return resp.AppendError(nil, err.Error()) }
