package dispatcher

import (
	"bytes"
	"fmt"
	"strings"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

var (
	prefixAbort   = []byte("-EXECABORT ")
	prefixBecause = []byte("-EXECABORT Transaction discarded because of: ")
)

// unitOutcome returns what counts of the replies to a unit whose EXEC was answered
// with an error: the redirect because of which nothing was executed, or an error
// for the client. It knows what Redis 7 does: a command that cannot be queued is
// answered with an error, and makes EXEC discard them all; EXEC looks at the keys
// of all commands once more, and may be redirected itself.
func unitOutcome(addr string, pre *backend.Prelude, reply []byte) []byte {
	switch {
	case pre.Fault != nil && pre.Errors == pre.Replies: // nothing was accepted
		return pre.Fault
	case pre.Fault != nil && pre.At == 0:
		return resp.AppendError(nil, "UNKNOWNRESULT node "+addr+" refused MULTI: "+errorText(pre.Fault)+
			"; what was queued may have been executed without it")
	case !bytes.HasPrefix(reply, prefixAbort):
		return reply
	case pre.Fault == nil:
		if why, ok := bytes.CutPrefix(reply, prefixBecause); ok {
			if why = append([]byte{'-'}, why...); classify(why) != bounceNone {
				return why
			}
		}
		return reply
	case classify(pre.Fault) != bounceNone:
		return pre.Fault
	}
	// The client was told that it is queued, so it is told the reason now.
	return append(prefixBecause[:len(prefixBecause):len(prefixBecause)], pre.Fault[1:]...)
}

// assemble makes the reply to EXEC from those to the units. The commands of a
// unit that failed are answered with an error that names its slot; if all units
// failed, so is EXEC.
func (t *Transaction) assemble(replies [][]byte) []byte {
	rests, faults, failure := t.sift(replies)
	if failure != nil {
		return failure
	}
	size, commands, silent := 16, 0, t.silent
	for _, reply := range replies {
		size += len(reply)
	}
	for _, at := range t.places {
		if at.turn == nil {
			commands++
		}
	}
	b := make([]byte, 0, size)
	if !silent {
		b = resp.AppendArrayHeader(b, commands)
	}
	for _, at := range t.places {
		if at.unit == nil {
			own := &t.answers[at.answer]
			if own.silences {
				silent = own.silent
			}
			if !silent || own.loud {
				b = append(b, own.reply...)
			}
			continue
		}
		i := at.unit.index
		switch fault := faults[i]; {
		case at.turn != nil:
			for range at.turn.commands {
				if fault == nil {
					cutReply(&rests[i])
				}
			}
		case fault != nil:
			if !silent {
				b = append(b, fault...)
			}
		default:
			if reply := cutReply(&rests[i]); !silent {
				b = append(b, reply...)
			}
		}
	}
	return b
}

// sift tells the replies that are to be taken apart from the faults of units that
// failed. If all have, failure is what EXEC is answered.
func (t *Transaction) sift(replies [][]byte) (rests, faults [][]byte, failure []byte) {
	failed := 0
	rests, faults = make([][]byte, len(replies)), make([][]byte, len(replies))
	for i, reply := range replies {
		kind, n, at, ok := resp.Header(reply)
		if ok && kind == '*' && n == t.units[i].commands {
			rests[i] = reply[at:]
			continue
		}
		failed++
		faults[i] = t.fault(t.units[i], reply)
	}
	if failed > 0 && failed == len(replies) {
		failure = faults[0]
	}
	return rests, faults, failure
}

// cutReply takes the first reply off rest, in which there is one.
func cutReply(rest *[]byte) []byte {
	n, err := resp.ReplyLen(*rest)
	if err != nil || n == 0 { // the lane has cut the reply as a whole: it cannot be
		panic(fmt.Sprintf("dispatcher: an element is missing in a reply to EXEC: %v", err))
	}
	reply := (*rest)[:n:n]
	*rest = (*rest)[n:]
	return reply
}

// Results is the reply to EXEC that Errand.Exec has left, with what the session has
// answered since.
func (t *Transaction) Results() []byte {
	if len(t.units) == 1 && len(t.answers) == 0 {
		return t.replies[0]
	}
	return t.assemble(t.replies)
}

// mergeTransaction is assemble for the parts of a request.
func (r *request) mergeTransaction() []byte {
	replies := make([][]byte, len(r.parts))
	for i, pt := range r.parts {
		replies[i] = pt.reply.bytes
	}
	return r.transaction.assemble(replies)
}

// fault is the error of a unit, by its slot's name if it is one of several.
func (t *Transaction) fault(u *unit, reply []byte) []byte {
	if !isError(reply) {
		return resp.AppendError(nil, fmt.Sprintf("ERR cannot merge replies of 'exec' that begin with %q", reply[:1]))
	}
	if len(t.units) == 1 {
		return reply
	}
	code, text, found := strings.Cut(errorText(reply), " ")
	if !found {
		code, text = "ERR", code
	}
	if u.slot == noSlot {
		return resp.AppendError(nil, code+" commands without keys: "+text)
	}
	return resp.AppendError(nil, fmt.Sprintf("%s commands in slot %d: %s", code, u.slot, text))
}
