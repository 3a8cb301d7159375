package proxy

import (
	"context"
	"strconv"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

const (
	errMonitorKeys   = "ERR Replica can't interact with the keyspace" // Redis has monitors among its replicas
	errMonitorInExec = "ERR MONITOR isn't allowed for DENY BLOCKING client"
)

// monitor makes the client one that is shown what all clients do. A second time
// it has no reply, as in Redis.
func (s *session) monitor(row *command.Row, _ *resp.Command) verdict {
	switch {
	case s.within != nil:
		return s.fail(row, errMonitorInExec)
	case s.monitoring:
		return done
	case s.pipe.Busy():
		return retry
	}
	e, may := s.pipe.Errand(), false
	anonymous := s.srv.isOwnAccount(s.profile)
	return s.runAside(row, func(ctx context.Context) dispatcher.Reply {
		reply, err := e.AskLast(ctx, e.Any(), []byte("MONITOR")) // it has no form that does nothing
		if refusal := refusalIn(reply, err, anonymous); refusal != nil {
			return dispatcher.Whole(refusal)
		}
		may = true
		s.srv.monitors.join(s) // before the client can know
		s.show(func(b *badge) { b.watches = true })
		return dispatcher.Whole(replyOK)
	}, func() {
		if may {
			s.setMonitoring(true)
			s.srv.monitors.begin(s, s.mute.off)
		}
	})
}

// setMonitoring enters or leaves MONITOR.
func (s *session) setMonitoring(on bool) {
	if s.monitoring == on {
		return
	}
	if s.monitoring = on; !on {
		s.srv.monitors.leave(s)
	}
	s.settlePlain()
	s.show(func(b *badge) { b.watches = on })
}

// deafen drops the lines for a client in MONITOR together with its replies.
func (s *session) deafen(on bool) {
	if s.monitoring {
		s.srv.monitors.setDeaf(s, on)
	}
}

// touchesKeys reports whether a monitor may not do this.
func touchesKeys(row *command.Row) bool { return row.ReadOnly() || replicates(row) }

// deed is what monitors are told of a command: all but the time, the database and
// the client.
type deed []byte

// handleWatched is handle while somebody watches.
func (s *session) handleWatched(cmd *resp.Command) verdict {
	if s.origin == "" {
		o := s.outline()
		if s.origin = o.addr; o.unix {
			s.origin = "unix:" + s.conn.NetConn().LocalAddr().String()
		}
	}
	if row, err := s.srv.table.Load().Lookup(cmd.Args); err == nil && shown(row) {
		s.deeds = append(s.deeds[:0], newDeed(row, cmd.Args))
	}
	v := s.handle(cmd)
	if v == retry {
		s.hush()
	}
	s.tellMonitors(v == stop)
	return v
}

// hush says that the command at hand is not executed, or not now.
func (s *session) hush() { s.deeds = nil }

// tellMonitors tells what the session did. Its own client hears it behind the
// reply, if it watches and stays.
func (s *session) tellMonitors(leaving bool) {
	deeds := s.deeds
	s.deeds = nil
	s.tellOf(deeds, leaving)
}

// tellAhead tells of a command whose reply may be there before handle returns:
// nobody is to know of it before the monitors do. The session's own client would hear
// of it before the reply.
func (s *session) tellAhead() {
	if !s.monitoring {
		s.tellMonitors(false)
	}
}

// tellOf is for whoever knows later what was done, while the reader waits.
func (s *session) tellOf(deeds []deed, leaving bool) {
	for _, d := range deeds {
		line := d.by(s)
		if !s.monitoring {
			s.srv.monitors.add(line)
		} else if own := s.srv.monitors.addBut(s, line); !leaving && !s.mute.off {
			s.pipe.Local(nil, own)
		}
	}
}

// by is the line without its time.
func (d deed) by(s *session) []byte {
	b := make([]byte, 0, len(d)+len(s.origin)+16)
	b = strconv.AppendInt(append(b, " ["...), int64(s.profile.DB), 10)
	b = append(append(b, ' '), s.origin...)
	return append(append(b, ']'), d...)
}

// shown reports whether monitors are told of such commands. Those of scripts are
// flagged to be passed over because Redis tells of them on its own, ahead of what the
// script does; in Redis 6 EXEC is, too.
func shown(row *command.Row) bool {
	if row.Flags.Has(command.FlagAdmin) {
		return false
	}
	return !row.Flags.Has(command.FlagSkipMonitor) || row.Family == command.FamilyScripting || row.Is("exec")
}

func newDeed(row *command.Row, args [][]byte) deed {
	size := 2
	for _, arg := range args {
		size += len(arg) + 3
	}
	b := make([]byte, 0, size)
	for i, arg := range args {
		b = append(b, ' ')
		if secret(row, args, i) {
			b = append(b, `"(redacted)"`...)
			continue
		}
		b = appendRepr(b, arg)
	}
	return append(b, '\r', '\n')
}

// appendRepr quotes arg as sdscatrepr of Redis does.
func appendRepr(b, arg []byte) []byte {
	b = append(b, '"')
	for _, c := range arg {
		switch {
		case c == '\\' || c == '"':
			b = append(b, '\\', c)
		case c >= ' ' && c <= '~':
			b = append(b, c)
		case c >= '\a' && c <= '\r' && escapes[c-'\a'] != 0:
			b = append(b, '\\', escapes[c-'\a'])
		default:
			const digits = "0123456789abcdef"
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		}
	}
	return append(b, '"')
}

// escapes are the letters of the bytes from \a to \r; Redis has none for two of
// them.
var escapes = [...]byte{'a', 'b', 't', 'n', 0, 0, 'r'}

// deedsOf are those of a transaction that is executed, with EXEC at the end.
func (s *session) deedsOf(tx *transaction) []deed {
	exec := s.deeds
	if exec == nil { // nobody watches
		return nil
	}
	var all []deed
	table, own := s.srv.table.Load(), 0
	tx.queue.Each(func(args [][]byte) {
		if args == nil {
			args = tx.own[own].args
			own++
		}
		if row, err := table.Lookup(args); err == nil && shown(row) {
			all = append(all, newDeed(row, args))
		}
	})
	return append(all, exec...)
}
