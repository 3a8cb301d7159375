package proxy

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// nodeValue is a node's reply, decoded.
type nodeValue struct {
	addr string
	resp.Value
}

// gathered makes one reply of those of several nodes. None of them is an error,
// and there is at least one.
type gathered func(values []nodeValue, proto resp.Proto) []byte

// gatheredCommands are commands whose replies have to be understood to become
// one: most of those with a special response policy.
var gatheredCommands = map[string]gathered{
	"role":                gatherRole,
	"lastsave":            gatherOldest,
	"memory|stats":        gatherMemoryStats,
	"memory|doctor":       gatherTexts,
	"memory|malloc-stats": gatherTexts,
	"latency|latest":      gatherLatest,
	"latency|history":     gatherHistory,
	"latency|doctor":      gatherTexts,
	"latency|graph":       gatherTexts,
	"latency|histogram":   gatherHistograms,
	"function|stats":      gatherFunctionStats,
}

// gather asks all primaries and answers with what the command's function makes
// of their replies.
func (s *session) gather(row *command.Row, cmd *resp.Command) verdict {
	return s.gatherFrom(row, cmd, false, gatheredCommands[row.Name])
}

// gatherFrom is gather for another function, and with replicas asked as well.
func (s *session) gatherFrom(row *command.Row, cmd *resp.Command, replicas bool, merge gathered) verdict {
	if s.pipe.Busy() {
		return retry
	}
	args, proto := resp.CloneArgs(cmd.Args), s.proto()
	return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
		e.Limit(s.srv.mergedLimit())
		ask := e.AskShards
		if replicas {
			ask = e.AskNodes
		}
		replies, err := ask(ctx, args...)
		if err != nil {
			return errorReply(err)
		}
		if row.Is("latency|graph") {
			replies = withSamples(replies)
		}
		values := make([]nodeValue, len(replies))
		for i, r := range replies {
			v, _, err := resp.ReadValue(r.Bytes)
			if err != nil || v.Kind == '-' || v.Kind == '!' {
				return dispatcher.Combine(row, proto, replies) // which says whose error it is
			}
			values[i] = nodeValue{r.Addr, v}
		}
		return merge(values, proto)
	})
}

// withSamples leaves out the nodes that have nothing to draw, unless none has.
func withSamples(replies []dispatcher.NodeReply) []dispatcher.NodeReply {
	some := slices.DeleteFunc(slices.Clone(replies), func(r dispatcher.NodeReply) bool {
		return bytes.HasPrefix(r.Bytes, []byte("-ERR No samples available"))
	})
	if len(some) == 0 {
		return replies
	}
	return some
}

// gatherRole answers ROLE: a primary without replicas, whose offset is that of
// all primaries together.
func gatherRole(values []nodeValue, _ resp.Proto) []byte {
	offset := int64(0)
	for _, v := range values {
		if len(v.Elems) > 1 {
			offset += v.Elems[1].Int
		}
	}
	b := resp.AppendArrayHeader(nil, 3)
	b = resp.AppendBulkString(b, "master")
	b = resp.AppendInt(b, offset)
	return resp.AppendArrayHeader(b, 0)
}

// gatherOldest answers with the least number: what all have done by then.
func gatherOldest(values []nodeValue, _ resp.Proto) []byte {
	oldest := values[0].Int
	for _, v := range values[1:] {
		oldest = min(oldest, v.Int)
	}
	return resp.AppendInt(nil, oldest)
}

// gatherTexts answers with one text if all nodes say the same, else with each
// node's behind its name.
func gatherTexts(values []nodeValue, proto resp.Proto) []byte {
	var b strings.Builder
	alike := true
	for _, v := range values {
		alike = alike && v.Str == values[0].Str
		b.WriteString(v.addr + ":\n" + strings.TrimRight(v.Str, "\n") + "\n")
	}
	text := b.String()
	if alike {
		text = values[0].Str
	}
	if values[0].Kind == '=' {
		return resp.AppendVerbatim(nil, proto, "txt", text)
	}
	return resp.AppendBulkString(nil, text)
}

// gatherFunctionStats answers with the first script that runs, and the engines
// of the first node: all primaries have the same functions.
func gatherFunctionStats(values []nodeValue, _ resp.Proto) []byte {
	chosen := &values[0]
	for i := range values {
		if running := values[i].entry("running_script"); running != nil && !running.Null {
			chosen = &values[i]
			break
		}
	}
	return appendValue(nil, &chosen.Value)
}

// entry returns the value of a map's entry, nil if there is none.
func (v *nodeValue) entry(name string) *resp.Value {
	for i := 0; i+1 < len(v.Elems); i += 2 {
		if v.Elems[i].Str == name {
			return &v.Elems[i+1]
		}
	}
	return nil
}

// appendValue encodes a value as it was decoded.
func appendValue(b []byte, v *resp.Value) []byte {
	if v.Null {
		switch v.Kind {
		case '$', '*':
			return append(b, v.Kind, '-', '1', '\r', '\n')
		}
		return resp.AppendNull(b, resp.RESP3)
	}
	switch v.Kind {
	case ':':
		return resp.AppendInt(b, v.Int)
	case ',':
		return resp.AppendDouble(b, resp.RESP3, v.Float)
	case '#':
		return resp.AppendBool(b, resp.RESP3, v.Bool)
	case '+':
		return resp.AppendSimple(b, v.Str)
	case '=':
		return resp.AppendVerbatim(b, resp.RESP3, "txt", v.Str)
	case '(':
		return resp.AppendBigNumber(b, resp.RESP3, v.Str)
	case '*':
		b = resp.AppendArrayHeader(b, len(v.Elems))
	case '~':
		b = resp.AppendSetHeader(b, resp.RESP3, len(v.Elems))
	case '%':
		b = resp.AppendMapHeader(b, resp.RESP3, len(v.Elems)/2)
	default:
		return resp.AppendBulkString(b, v.Str)
	}
	for i := range v.Elems {
		b = appendValue(b, &v.Elems[i])
	}
	return b
}
