package proxy

import (
	"context"
	"strconv"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/pubsub"
	"redis-cluster-proxy/resp"
)

// pubsubCommands make, end and count subscriptions. To count, all nodes are asked,
// replicas included, since each knows its own subscribers only, and what they say is
// joined as if it were one server's. In the place of the hub's own subscriptions, of
// which there is one however many clients it serves, those of the clients count.
var pubsubCommands = map[string]handler{
	"subscribe":    (*session).subscribe,
	"psubscribe":   (*session).subscribe,
	"ssubscribe":   (*session).subscribe,
	"unsubscribe":  (*session).unsubscribe,
	"punsubscribe": (*session).unsubscribe,
	"sunsubscribe": (*session).unsubscribe,

	"pubsub|channels":      joining(joinNames(pubsub.Channel)),
	"pubsub|shardchannels": joining(joinNames(pubsub.Shard)),
	"pubsub|numsub":        joining(joinCounts(pubsub.Channel)),
	"pubsub|shardnumsub":   joining(joinCounts(pubsub.Shard)),
	"pubsub|numpat":        joining(joinPatterns),
}

// join makes one reply of all nodes' replies, of which none is an error, and of
// what the hub knows.
type join func(h *pubsub.Hub, args [][]byte, replies []resp.Value) []byte

// joining asks all nodes and answers with what joined makes of their replies.
func joining(joined join) handler {
	return func(s *session, row *command.Row, cmd *resp.Command) verdict {
		if s.pipe.Busy() {
			return retry
		}
		args := resp.CloneArgs(cmd.Args)
		return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
			e.Limit(s.srv.mergedLimit())
			s.awaitEnds(ctx)
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
			return joined(s.srv.hub, args, values)
		})
	}
}

// awaitEnds waits a little for the nodes to end what clients have left.
func (s *session) awaitEnds(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, unsubscribePatience)
	defer cancel()
	s.srv.hub.AwaitEnds(ctx)
}

// joinNames lists each name once.
func joinNames(kind pubsub.Kind) join {
	return func(h *pubsub.Hub, args [][]byte, replies []resp.Value) []byte {
		var names []string
		seen := make(map[string]bool)
		add := func(name string) {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
		for _, r := range replies {
			for _, name := range r.Elems {
				add(name.Str)
			}
		}
		for _, name := range h.Names(kind) { // its nodes may be lost at the moment
			if len(args) < 3 || globMatch(args[2], []byte(name), false) {
				add(name)
			}
		}
		b := resp.AppendArrayHeader(nil, len(names))
		for _, name := range names {
			b = resp.AppendBulkString(b, name)
		}
		return b
	}
}

// joinCounts adds up the numbers behind names, which come in the order of the
// request from every node. In RESP3 Redis sends them as an array, too.
func joinCounts(kind pubsub.Kind) join {
	return func(h *pubsub.Hub, _ [][]byte, replies []resp.Value) []byte {
		first := replies[0].Elems
		b := resp.AppendArrayHeader(nil, len(first))
		for i := 0; i+1 < len(first); i += 2 {
			own, clients := h.Clients(kind, first[i].Str)
			sum := int64(clients - own)
			for _, r := range replies {
				if i+1 < len(r.Elems) {
					sum += r.Elems[i+1].Int
				}
			}
			b = resp.AppendBulkString(b, first[i].Str)
			b = resp.AppendInt(b, max(sum, 0))
		}
		return b
	}
}

// joinPatterns adds up how many patterns there are.
func joinPatterns(h *pubsub.Hub, _ [][]byte, replies []resp.Value) []byte {
	own, names := h.Distinct(pubsub.Pattern)
	sum := int64(names - own)
	for _, r := range replies {
		sum += r.Int
	}
	return resp.AppendInt(nil, max(sum, 0))
}

// subscriptionFields are the fields of INFO that count subscriptions.
var subscriptionFields = map[string]pubsub.Kind{
	"pubsub_channels": pubsub.Channel, "pubsub_patterns": pubsub.Pattern, "pubsubshard_channels": pubsub.Shard,
}

// setSubscriptions puts the clients' subscriptions in the place of the hub's own.
func (t infoText) setSubscriptions(h *pubsub.Hub) {
	for _, section := range t {
		for i := range section.fields {
			f := &section.fields[i]
			if kind, ok := subscriptionFields[f.name]; ok {
				own, names := h.Distinct(kind)
				n, _ := strconv.Atoi(f.value)
				f.value = strconv.Itoa(max(n-own+names, 0))
			}
		}
	}
}
