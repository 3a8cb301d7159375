package proxy

import (
	"errors"

	"github.com/golang/glog"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/internal/netio"
	"redis-cluster-proxy/resp"
)

// verdict is what a handler says about its command.
type verdict uint8

const (
	done  verdict = iota // answered, or dispatched
	retry                // not now: call again when the Pipeline is empty
	wait                 // taken; the next command when the Pipeline is empty
	stop                 // the last one
)

// parse handles commands until there is no whole one left, or the session has
// to wait.
func (s *session) parse() netio.Action {
	for s.in.Len() > 0 {
		if s.pipe.Full() {
			return netio.Pause
		}
		var n int
		var err error
		s.cmd, n, err = s.parser.Next(s.in.Bytes())
		if err != nil {
			s.protocolError(err)
			return netio.Stop
		}
		if n == 0 {
			break
		}
		v := done
		s.mute.next(s.pipe) // an empty command is one, too
		switch {
		case len(s.cmd.Args) == 0:
		case s.overheard:
			v = s.handleWatched(&s.cmd)
		default:
			v = s.handle(&s.cmd)
		}
		if v == retry {
			s.mute.again()
			return netio.Pause
		}
		if !s.plain {
			s.spendCaching()
		}
		s.in.Consume(n)
		switch {
		case v == stop:
			s.stopped = true
			return netio.Stop
		case v == wait && s.waiting != nil:
			return netio.Pause
		}
	}
	return netio.Continue
}

// protocolError answers a stream that is not RESP, and ends the session. A web
// page that made a browser talk to this port learns nothing: what was not written
// yet is dropped, as Redis does.
func (s *session) protocolError(err error) {
	s.stopped = true
	if errors.Is(err, resp.ErrCrossProtocol) {
		s.conn.Abort()
		glog.Warningf("client %d %s closed: %v", s.id, s.conn.NetConn().RemoteAddr(), err)
		return
	}
	s.mute.next(s.pipe)
	s.pipe.LocalError(nil, "ERR "+err.Error())
}

// handle answers or dispatches one command.
func (s *session) handle(cmd *resp.Command) verdict {
	row, err := s.srv.table.Load().Lookup(cmd.Args)
	if err != nil {
		return s.misspelt(cmd, err)
	}
	if !s.plain {
		if v, handled := s.notPlain(row, cmd); handled {
			return v
		}
	}
	if s.gate != nil && s.gate.holds(row) {
		return s.holdBack(row)
	}
	if onHotPath(row) {
		return s.dispatch(row, cmd)
	}
	switch d := s.srv.decide(row, cmd.Args); d.way {
	case wayLocal:
		if v, not := s.forbidden(row, cmd); not {
			return v
		}
		return d.handler(s, row, cmd)
	case wayFanOut:
		return s.fanOut(row, cmd)
	case wayEveryPrimary:
		return s.everyPrimary(row, cmd)
	case wayBlock:
		return s.block(row, cmd)
	case wayRefuse:
		s.hush()
		return s.fail(row, d.fault)
	}
	return s.dispatch(row, cmd)
}

func (s *session) dispatch(row *command.Row, cmd *resp.Command) verdict {
	if !s.pipe.Dispatch(row, cmd, s.in.Chunk()) {
		return done
	}
	if s.pipe.Busy() { // which promises a Wake
		s.waiting = s.keysKnown
	}
	return wait
}

// keysKnown ends the wait for a command whose keys a node was asked for.
// Without it a Resume for another reason would let the next command overtake it.
func (s *session) keysKnown() bool {
	s.waiting = nil
	return true
}
