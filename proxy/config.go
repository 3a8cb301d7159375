package proxy

import (
	"bytes"
	"context"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// configCommands are those of CONFIG's sub-commands that the proxy has a part
// in.
var configCommands = map[string]handler{
	"config|get": (*session).configGet,
	"config|set": (*session).configSet,

	"config|resetstat": (*session).configResetStat,
}

// namedValue is a setting with its value.
type namedValue struct{ name, value string }

// ownValues returns the proxy's own settings that CONFIG GET is asked for.
// Redis repeats a name as it was asked for.
func (s *Server) ownValues(patterns [][]byte) (own []namedValue) {
	st := s.settings.Load()
	for i := range ownSettings {
		name := ownSettings[i].name
		for _, pattern := range patterns {
			glob := isGlob(pattern)
			if glob && globMatch(pattern, []byte(name), true) || !glob && is(pattern, name) {
				if !glob {
					name = string(pattern)
				}
				own = append(own, namedValue{name, ownSettings[i].get(s, st)})
				break
			}
		}
	}
	return own
}

// isGlob reports whether CONFIG GET takes it for a pattern.
func isGlob(name []byte) bool { return bytes.ContainsAny(name, "*?[") }

// configGet asks one primary for what is not the proxy's own. All of them are
// taken to be configured alike.
func (s *session) configGet(row *command.Row, cmd *resp.Command) verdict {
	foreign := false
	for _, name := range cmd.Args[2:] {
		foreign = foreign || isGlob(name) || ownSetting(name) == nil
	}
	if !foreign {
		return s.say(row, appendValues(nil, s.proto(), s.srv.ownValues(cmd.Args[2:])))
	}
	if s.pipe.Busy() {
		return retry
	}
	args, proto := resp.CloneArgs(cmd.Args), s.proto()
	return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
		reply, err := e.AskSlot(ctx, 0, false, args...)
		if err != nil {
			return errorReply(err)
		}
		v, _, err := resp.ReadValue(reply)
		if err != nil || v.Kind != '*' && v.Kind != '%' {
			return reply // an error
		}
		own := s.srv.ownValues(args[2:])
		var all []namedValue
		for i := 0; i+1 < len(v.Elems); i += 2 {
			if name := v.Elems[i].Str; ownSetting([]byte(name)) == nil {
				all = append(all, namedValue{name, v.Elems[i+1].Str})
			}
		}
		return appendValues(nil, proto, append(all, own...))
	})
}

func appendValues(b []byte, proto resp.Proto, values []namedValue) []byte {
	b = resp.AppendMapHeader(b, proto, len(values))
	for _, v := range values {
		b = resp.AppendBulkString(b, v.name)
		b = resp.AppendBulkString(b, v.value)
	}
	return b
}

// configSet changes the proxy's own settings here and all others at every node,
// and nothing at all if something is wrong with one of its own.
func (s *session) configSet(row *command.Row, cmd *resp.Command) verdict {
	if len(cmd.Args)%2 != 0 {
		return s.fail(row, errSyntax)
	}
	if s.pipe.Busy() {
		return retry
	}
	own, foreign, fault := sortSettings(resp.CloneArgs(cmd.Args))
	if fault == "" {
		trial := *s.srv.settings.Load()
		fault = trial.setAll(own)
	}
	if fault != "" {
		return s.fail(row, fault)
	}
	apply := func(context.Context, *dispatcher.Errand) []byte {
		if fault := s.srv.change(func(st *settings) string { return st.setAll(own) }); fault != "" {
			return resp.AppendError(nil, fault)
		}
		return replyOK
	}
	if len(foreign) == 2 {
		return s.permitted(row, probeConfigSet, apply, nil)
	}
	proto := s.proto()
	return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
		replies, err := e.AskNodes(ctx, foreign...)
		if err != nil {
			return errorReply(err)
		}
		if reply := dispatcher.Combine(row, proto, replies); reply[0] == '-' {
			return reply
		}
		return apply(ctx, e)
	})
}

// configResetStat resets the counts of all nodes and the proxy's.
func (s *session) configResetStat(row *command.Row, cmd *resp.Command) verdict {
	if s.pipe.Busy() {
		return retry
	}
	args, proto := resp.CloneArgs(cmd.Args), s.proto()
	return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
		replies, err := e.AskNodes(ctx, args...)
		if err != nil {
			return errorReply(err)
		}
		reply := dispatcher.Combine(row, proto, replies)
		if reply[0] != '-' {
			s.srv.resetStat()
		}
		return reply
	})
}

// sortSettings tells the proxy's own settings, names and values in turn, from
// the command that changes the others.
func sortSettings(args [][]byte) (own, foreign [][]byte, fault string) {
	foreign = args[:2:2]
	for i := 2; i < len(args); i += 2 {
		pair := args[i : i+2]
		st := ownSetting(pair[0])
		switch {
		case st == nil:
			foreign = append(foreign, pair...)
			continue
		case st.set == nil:
			return nil, nil, configFault(pair[0], "can't set immutable config")
		}
		for k := 0; k < len(own); k += 2 {
			if bytes.EqualFold(own[k], pair[0]) {
				return nil, nil, configFault(pair[0], "duplicate parameter")
			}
		}
		own = append(own, pair...)
	}
	return own, foreign, ""
}

// setAll changes settings given as names and values in turn.
func (st *settings) setAll(own [][]byte) (fault string) {
	for i := 0; i < len(own); i += 2 {
		if fault := ownSetting(own[i]).set(st, string(own[i+1])); fault != "" {
			return configFault(own[i], fault)
		}
	}
	return ""
}

func configFault(name []byte, fault string) string {
	return "ERR CONFIG SET failed (possibly related to argument '" + string(name) + "') - " + fault
}
