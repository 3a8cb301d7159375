package proxy

import (
	"context"
	"strings"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// slowCommands are SLOWLOG's sub-commands: they tell of the proxy's slow
// requests. What was slow at a node alone is in there, too, since the proxy waits
// for it.
var slowCommands = map[string]handler{
	"slowlog|get":   (*session).slowlogGet,
	"slowlog|len":   (*session).slowlogLen,
	"slowlog|reset": (*session).slowlogReset,

	"commandlog|get":   (*session).commandlogGet,
	"commandlog|len":   ofSlowRequests((*session).slowlogLen),
	"commandlog|reset": ofSlowRequests((*session).slowlogReset),
}

// ofSlowRequests handles a sub-command of Valkey's COMMANDLOG, whose last argument is
// the type of log: the slow requests are SLOWLOG's. Large requests and large replies
// are in the nodes' logs.
func ofSlowRequests(slow handler) handler {
	return func(s *session, row *command.Row, cmd *resp.Command) verdict {
		if is(cmd.Args[len(cmd.Args)-1], "slow") {
			return slow(s, row, cmd)
		}
		return s.fanOut(row, cmd)
	}
}

func (s *session) commandlogGet(row *command.Row, cmd *resp.Command) verdict {
	return ofSlowRequests(func(s *session, row *command.Row, cmd *resp.Command) verdict {
		n, fault := s.slowCount(cmd.Args[2:3])
		if fault != "" {
			return s.fail(row, fault)
		}
		return s.saySlow(row, n)
	})(s, row, cmd)
}

// probeSlow is the form of SLOWLOG or COMMANDLOG that does nothing.
func probeSlow(row *command.Row) [][]byte {
	if strings.HasPrefix(row.Name, "commandlog|") {
		return probeCommandlog
	}
	return probeSlowlog
}

// slowCount reads how many entries are wanted, 10 if it is not said.
func (s *session) slowCount(args [][]byte) (n int, fault string) {
	if len(args) == 0 {
		return 10, ""
	}
	count, ok := integer(args[0])
	if !ok || count < -1 {
		return 0, "ERR count should be greater than or equal to -1"
	}
	return int(count), ""
}

func (s *session) slowlogGet(row *command.Row, cmd *resp.Command) verdict {
	if len(cmd.Args) > 3 {
		return s.misused(row, cmd)
	}
	n, fault := s.slowCount(cmd.Args[2:])
	if fault != "" {
		return s.fail(row, fault)
	}
	return s.saySlow(row, n)
}

// saySlow answers with the n latest entries.
func (s *session) saySlow(row *command.Row, n int) verdict {
	return s.permitted(row, probeSlow(row), func(context.Context, *dispatcher.Errand) []byte {
		list := s.srv.slow.latest(n)
		b := resp.AppendArrayHeader(nil, len(list))
		for i := range list {
			r := &list[i]
			b = resp.AppendArrayHeader(b, 6)
			b = resp.AppendInt(b, r.id)
			b = resp.AppendInt(b, r.at.Unix())
			b = resp.AppendInt(b, r.total.Microseconds())
			b = resp.AppendCommandBytes(b, r.args)
			b = resp.AppendBulkString(b, r.addr)
			b = resp.AppendBulkString(b, r.name)
		}
		return b
	}, nil)
}

func (s *session) slowlogLen(row *command.Row, _ *resp.Command) verdict {
	return s.permitted(row, probeSlow(row), func(context.Context, *dispatcher.Errand) []byte { return resp.AppendInt(nil, int64(s.srv.slow.len())) }, nil)
}

func (s *session) slowlogReset(row *command.Row, _ *resp.Command) verdict {
	return s.permitted(row, probeSlow(row), func(context.Context, *dispatcher.Errand) []byte {
		s.srv.slow.reset()
		return replyOK
	}, nil)
}

// proxySlowLog is SLOWLOG GET with all that the proxy knows: a map for each
// request.
func (s *session) proxySlowLog(row *command.Row, cmd *resp.Command) verdict {
	if len(cmd.Args) > 3 {
		return s.misused(row, cmd)
	}
	n, fault := s.slowCount(cmd.Args[2:])
	if fault != "" {
		return s.fail(row, fault)
	}
	proto := s.proto()
	return s.permitted(row, probeSlowlog, func(context.Context, *dispatcher.Errand) []byte {
		list := s.srv.slow.latest(n)
		b := resp.AppendArrayHeader(nil, len(list))
		for i := range list {
			b = list[i].append(b, proto)
		}
		return b
	}, nil)
}

// append appends the entry as a map.
func (r *slowRequest) append(b []byte, proto resp.Proto) []byte {
	number := func(name string, n int64) {
		b = resp.AppendInt(resp.AppendBulkString(b, name), n)
	}
	text := func(name, value string) {
		b = resp.AppendBulkString(resp.AppendBulkString(b, name), value)
	}
	b = resp.AppendMapHeader(b, proto, 9)
	number("id", r.id)
	number("time", r.at.Unix())
	number("total-usec", r.total.Microseconds())
	number("node-usec", r.atNode.Microseconds())
	text("node", r.node)
	number("parts", int64(r.parts))
	text("client-addr", r.addr)
	text("client-name", r.name)
	b = resp.AppendBulkString(b, "args")
	return resp.AppendCommandBytes(b, r.args)
}
