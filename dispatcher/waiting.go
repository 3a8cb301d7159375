package dispatcher

import (
	"context"

	"redis-cluster-proxy/command"
)

// Waiting is a command that may block, as its session sees it, and whoever ends
// it. It is safe for concurrent use.
type Waiting interface {
	// Begin sends the command. It does not block; the answer may come before it
	// returns.
	Begin()
	// Waits reports whether the client is to be seen as blocked: what is done from
	// now on concerns it.
	Waits() bool
	// Leave ends the wait for a client that is gone. What a node has given away
	// already is the answer nevertheless; otherwise the answer is empty.
	Leave()
	// Unblock ends the wait as CLIENT UNBLOCK with those reasons does, of which
	// there is one or none, and returns the reply to that. It blocks for a while.
	Unblock(ctx context.Context, by *Errand, reason ...[]byte) []byte
}

// Block prepares a command that may block. done is called once with the answer,
// from any goroutine, which it must not block, and must take or copy it before it
// returns. fault is the error to answer instead. The Pipeline must be empty. The
// arguments are copied.
func (p *Pipeline) Block(row *command.Row, args [][]byte, done func(Reply)) (w Waiting, fault string) {
	if row.Name == "wait" || row.Name == "waitaof" {
		return p.newReplicaWait(row, args, done)
	}
	keys, err := row.AppendKeys(p.keyArgs[:0], args)
	p.keyArgs = keys[:0]
	slot := noSlot
	switch {
	case err != nil || len(keys) == 0: // any node words the error, or says where it belongs
	case p.spread(args, keys, p.d.hash(args[keys[0]])):
		return p.blockOverSlots(row, args, keys, done)
	default:
		slot = p.d.hash(args[keys[0]])
	}
	return newBlocked(p, row, slot, args, done), ""
}
