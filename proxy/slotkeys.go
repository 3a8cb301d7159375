package proxy

import (
	"context"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// slotCommands are about the keys of one slot, which the slot's owner knows.
var slotCommands = map[string]handler{
	"cluster|countkeysinslot": (*session).countKeysInSlot,
	"cluster|getkeysinslot":   (*session).getKeysInSlot,
}

const errNotInteger = "ERR value is not an integer or out of range"

func (s *session) countKeysInSlot(row *command.Row, cmd *resp.Command) verdict {
	switch slot, ok := integer(cmd.Args[2]); {
	case !ok:
		return s.fail(row, errNotInteger)
	case slot < 0 || slot > lastSlot:
		return s.fail(row, "ERR Invalid slot")
	default:
		return s.askOwner(row, cmd, uint16(slot))
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
	return s.askOwner(row, cmd, uint16(slot))
}

// askOwner answers with what the slot's owner answers to the same command.
func (s *session) askOwner(row *command.Row, cmd *resp.Command, slot uint16) verdict {
	if s.pipe.Busy() {
		return retry
	}
	args := cloneArgs(cmd.Args)
	return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
		e.Limit(s.srv.mergedLimit())
		reply, err := e.AskSlot(ctx, slot, false, args...)
		if err != nil {
			return errorReply(err)
		}
		return reply
	})
}
