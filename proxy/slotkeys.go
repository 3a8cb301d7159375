package proxy

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
	"redis-cluster-proxy/scan"
)

// slotCommands are about the keys of slots, which the slots' owners know.
var slotCommands = map[string]handler{
	"cluster|countkeysinslot": (*session).countKeysInSlot,
	"cluster|getkeysinslot":   (*session).getKeysInSlot,
	"cluster|slot-stats":      (*session).slotStats,
}

const errNotInteger = "ERR value is not an integer or out of range"

func (s *session) countKeysInSlot(row *command.Row, cmd *resp.Command) verdict {
	switch slot, ok := integer(cmd.Args[2]); {
	case !ok:
		return s.fail(row, errNotInteger)
	case slot < 0 || slot > lastSlot:
		return s.fail(row, "ERR Invalid slot")
	default:
		return s.askHolders(row, cmd, uint16(slot), joinNumbersOf)
	}
}

func (s *session) getKeysInSlot(row *command.Row, cmd *resp.Command) verdict {
	slot, ok := integer(cmd.Args[2])
	count, countOK := integer(cmd.Args[3])
	switch {
	case !ok || !countOK:
		return s.fail(row, errNotInteger)
	case slot < 0 || slot > lastSlot || count < 0:
		return s.fail(row, "ERR Invalid slot or number of keys")
	}
	return s.askHolders(row, cmd, uint16(slot), func(replies [][]byte) []byte { return joinKeys(replies, int(count)) })
}

// keys asks one slot's nodes where the pattern names a hash tag.
func (s *session) keys(row *command.Row, cmd *resp.Command) verdict {
	key, ok := scan.Tag(cmd.Args[1])
	if !ok {
		return s.fanOut(row, cmd)
	}
	return s.askHolders(row, cmd, s.srv.d.SlotOf(key), func(replies [][]byte) []byte { return joinKeys(replies, -1) })
}

// maxHolders is how often the nodes of a slot may turn out to be others than those
// that were asked. A slot that moves is a reason for two or three.
const maxHolders = 8

// errMoves answers when they did too often.
var errMoves = errors.New("TRYAGAIN the slot of these keys moves from node to node")

// askHolders answers with what the node that has the slot's keys answers to the
// same command, or with what join makes of the replies if they are on several nodes,
// since the slot moves. Whether they were the right ones is asked behind the
// command: whoever owns the slot then, and gives it to nobody, had all of its keys.
func (s *session) askHolders(row *command.Row, cmd *resp.Command, slot uint16, join func(replies [][]byte) []byte) verdict {
	if s.pipe.Busy() {
		return retry
	}
	args := resp.CloneArgs(cmd.Args)
	return s.aloneAtLength(row, func(ctx context.Context, e *dispatcher.Errand) dispatcher.Reply {
		e.Limit(s.srv.mergedLimit())
		cluster := wholeCluster{s.srv.d, s.ownErrand()}
		holders := []string{cluster.Layout().Owner(slot)}
		fault := error(nil)
		for range maxHolders {
			var reply dispatcher.Reply
			reply, fault = askInTurn(ctx, e, holders, args, join)
			now, lost := s.srv.walker.Holders(ctx, cluster, slot)
			switch {
			case lost != nil:
				reply.Close()
				return dispatcher.Whole(errorReply(lost))
			case fault == nil && slices.Equal(now, holders):
				return reply
			}
			reply.Close()
			holders = now
		}
		return dispatcher.Whole(errorReply(cmp.Or(fault, errMoves)))
	})
}

// askInTurn asks nodes one after the other. An error reply of one is the reply.
func askInTurn(ctx context.Context, e *dispatcher.Errand, addrs []string, args [][]byte, join func(replies [][]byte) []byte) (dispatcher.Reply, error) {
	if len(addrs) == 1 {
		if addrs[0] == "" {
			return dispatcher.Reply{}, errNoNode
		}
		return e.AskNode(ctx, addrs[0], true, args...)
	}
	replies := make([][]byte, len(addrs))
	for i, addr := range addrs {
		reply, err := e.AskNode(ctx, addr, false, args...)
		if err != nil {
			return dispatcher.Reply{}, err
		}
		if replies[i] = reply.Bytes(); replies[i][0] == '-' {
			return reply, nil
		}
	}
	return dispatcher.Whole(join(replies)), nil
}

// joinKeys makes one array of several, each element once, and no more than limit
// of them unless it is negative.
func joinKeys(replies [][]byte, limit int) []byte {
	var keys [][]byte
	seen := make(map[string]bool)
	for _, reply := range replies {
		_, n, at, _ := resp.Header(reply)
		for ; n > 0 && len(keys) != limit; n-- {
			size, err := resp.ReplyLen(reply[at:])
			if err != nil || size == 0 {
				break
			}
			if key := reply[at : at+size]; !seen[string(key)] {
				seen[string(key)] = true
				keys = append(keys, key)
			}
			at += size
		}
	}
	b := resp.AppendArrayHeader(nil, len(keys))
	for _, key := range keys {
		b = append(b, key...)
	}
	return b
}

// joinNumbersOf adds integers up.
func joinNumbersOf(replies [][]byte) []byte {
	sum := int64(0)
	for _, reply := range replies {
		if v, _, err := resp.ReadValue(reply); err == nil {
			sum += v.Int
		}
	}
	return resp.AppendInt(nil, sum)
}
