package proxy

import (
	"context"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// pubsubCommands count subscriptions. Each node knows its own subscribers only,
// replicas included, so that all are asked and what they say is joined as if it were
// one server's.
var pubsubCommands = map[string]handler{
	"pubsub|channels":      joining(joinNames),
	"pubsub|shardchannels": joining(joinNames),
	"pubsub|numsub":        joining(joinCounts),
	"pubsub|shardnumsub":   joining(joinCounts),
	"pubsub|numpat":        joining(joinNumbers),
}

// joining asks all nodes and answers with what join makes of their replies, of
// which none is an error.
func joining(join func(replies []resp.Value) []byte) handler {
	return func(s *session, row *command.Row, cmd *resp.Command) verdict {
		if s.pipe.Busy() {
			return retry
		}
		args := cloneArgs(cmd.Args)
		return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
			e.Limit(s.srv.mergedLimit())
			replies, err := e.AskNodes(ctx, args...)
			if err != nil {
				return errorReply(err)
			}
			values := make([]resp.Value, len(replies))
			for i, r := range replies {
				if r.Bytes[0] == '-' {
					return r.Bytes
				}
				if values[i], _, err = resp.ReadValue(r.Bytes); err != nil {
					return resp.AppendError(nil, "ERR node "+r.Addr+": "+err.Error())
				}
			}
			return join(values)
		})
	}
}

// joinNames lists each name once.
func joinNames(replies []resp.Value) []byte {
	var names []string
	seen := make(map[string]bool)
	for _, r := range replies {
		for _, name := range r.Elems {
			if !seen[name.Str] {
				seen[name.Str] = true
				names = append(names, name.Str)
			}
		}
	}
	b := resp.AppendArrayHeader(nil, len(names))
	for _, name := range names {
		b = resp.AppendBulkString(b, name)
	}
	return b
}

// joinCounts adds up the numbers behind names, which come in the order of the
// request from every node. In RESP3 Redis sends them as an array, too.
func joinCounts(replies []resp.Value) []byte {
	first := replies[0].Elems
	b := resp.AppendArrayHeader(nil, len(first))
	for i := 0; i+1 < len(first); i += 2 {
		sum := int64(0)
		for _, r := range replies {
			if i+1 < len(r.Elems) {
				sum += r.Elems[i+1].Int
			}
		}
		b = resp.AppendBulkString(b, first[i].Str)
		b = resp.AppendInt(b, sum)
	}
	return b
}

func joinNumbers(replies []resp.Value) []byte {
	sum := int64(0)
	for _, r := range replies {
		sum += r.Int
	}
	return resp.AppendInt(nil, sum)
}
