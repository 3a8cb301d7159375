package dispatcher

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// Combine makes the one reply to a command out of those of several nodes, of
// which there is at least one, by the response policy of its row. An error of a
// node is an error of the whole unless the policy says that one success is
// enough; it is the node's own where all nodes agree, else it names the node. proto
// is the protocol of the replies.
func Combine(row *command.Row, proto resp.Proto, replies []NodeReply) []byte {
	return merge(row, proto, replies).Bytes()
}

// merge is Combine without copying long replies.
func merge(row *command.Row, proto resp.Proto, replies []NodeReply) Reply {
	if row.Response == command.OneSucceeded {
		return Whole(combineAny(replies))
	}
	if fault := combineErrors(replies); fault != nil {
		return Whole(fault)
	}
	switch fold := folds[row.Response]; {
	case len(replies) == 1, fold == nil && row.Response == command.AllSucceeded:
		return Reply{pieces: replies[:1]}
	case fold != nil:
		return Whole(combineNumbers(row, replies, fold))
	}
	return concatenate(row, proto, replies)
}

// Reply is one reply that may be in several pieces of memory, or still be
// arriving; see Errand.AskMerged.
type Reply struct{ pieces []NodeReply }

// Flows reports whether some of the reply may still be arriving.
func (r Reply) Flows() bool {
	return slices.ContainsFunc(r.pieces, func(p NodeReply) bool { return p.body != nil })
}

// Whole is a reply in one piece.
func Whole(reply []byte) Reply { return Reply{pieces: []NodeReply{{Bytes: reply}}} }

// Empty reports whether it is nothing at all, not even an empty reply.
func (r Reply) Empty() bool { return len(r.pieces) == 0 }

// Bytes returns the reply, which is not flowing, in one piece.
func (r Reply) Bytes() []byte {
	if len(r.pieces) == 1 {
		return r.pieces[0].Bytes
	}
	size := 0
	for _, p := range r.pieces {
		size += len(p.Bytes)
	}
	b := make([]byte, 0, size)
	for _, p := range r.pieces {
		b = append(b, p.Bytes...)
	}
	return b
}

// isError reports whether a reply is an error, of RESP2 or a long one of RESP3.
func isError(reply []byte) bool { return reply[0] == '-' || reply[0] == '!' }

// combineErrors returns the error of the whole, nil if no node answered one.
func combineErrors(replies []NodeReply) []byte {
	var first *NodeReply
	alike := true
	for i := range replies {
		r := &replies[i]
		if first == nil && isError(r.Bytes) {
			first = r
		}
		alike = alike && bytes.Equal(r.Bytes, replies[0].Bytes)
	}
	switch {
	case first == nil:
		return nil
	case alike:
		return first.Bytes
	}
	return resp.AppendError(nil, nodeFailure(first.Addr, first.Bytes).Error())
}

// combineAny returns the first reply that is no error. If all are errors, the
// one that the fewest nodes gave says the most: SCRIPT KILL is told UNKILLABLE by
// the node that runs a script and NOTBUSY by all others.
func combineAny(replies []NodeReply) []byte {
	count := make(map[string]int)
	for _, r := range replies {
		if !isError(r.Bytes) {
			return r.Bytes
		}
		count[string(r.Bytes)]++
	}
	rarest := replies[0]
	for _, r := range replies[1:] {
		if count[string(r.Bytes)] < count[string(rarest.Bytes)] {
			rarest = r
		}
	}
	if len(count) == 1 {
		return rarest.Bytes
	}
	return resp.AppendError(nil, nodeFailure(rarest.Addr, rarest.Bytes).Error())
}

// folds are how two numbers become one, by policy.
var folds = map[command.ResponsePolicy]func(a, b int64) int64{
	command.AggSum:     func(a, b int64) int64 { return a + b },
	command.AggMin:     func(a, b int64) int64 { return min(a, b) },
	command.AggMax:     func(a, b int64) int64 { return max(a, b) },
	command.LogicalAnd: func(a, b int64) int64 { return truth(a != 0 && b != 0) },
	command.LogicalOr:  func(a, b int64) int64 { return truth(a != 0 || b != 0) },
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// combineNumbers folds integers, or arrays of them element by element.
func combineNumbers(row *command.Row, replies []NodeReply, fold func(a, b int64) int64) []byte {
	var sum []int64
	for i, r := range replies {
		numbers, ok := appendNumbers(nil, r.Bytes)
		if !ok || i > 0 && len(numbers) != len(sum) || r.Bytes[0] != replies[0].Bytes[0] {
			return unmergeable(row, r)
		}
		if i == 0 {
			sum = numbers
			continue
		}
		for k, n := range numbers {
			sum[k] = fold(sum[k], n)
		}
	}
	if replies[0].Bytes[0] == ':' {
		return resp.AppendInt(nil, sum[0])
	}
	b := resp.AppendArrayHeader(nil, len(sum))
	for _, n := range sum {
		b = resp.AppendInt(b, n)
	}
	return b
}

// appendNumbers reads an integer or an array of integers.
func appendNumbers(dst []int64, reply []byte) ([]int64, bool) {
	if reply[0] == ':' {
		n, err := strconv.ParseInt(string(bytes.TrimSpace(reply[1:])), 10, 64)
		return append(dst, n), err == nil
	}
	kind, count, at, ok := resp.Header(reply)
	if !ok || kind != '*' {
		return dst, false
	}
	for rest := reply[at:]; count > 0; count-- {
		n, err := resp.ReplyLen(rest)
		if err != nil || n == 0 || rest[0] != ':' {
			return dst, false
		}
		if dst, ok = appendNumbers(dst, rest[:n]); !ok {
			return dst, false
		}
		rest = rest[n:]
	}
	return dst, true
}

// concatenate joins arrays, sets or maps to one of their type. Replies that are
// none must be equal.
func concatenate(row *command.Row, proto resp.Proto, replies []NodeReply) Reply {
	kind, alike, elements := byte(0), true, 0
	pieces := make([]NodeReply, 1, 1+len(replies)) // the header comes first
	for _, r := range replies {
		alike = alike && bytes.Equal(r.Bytes, replies[0].Bytes)
		k, n, at, ok := resp.Header(r.Bytes)
		if !ok || k == '>' || kind != 0 && k != kind {
			kind = '?'
			continue
		}
		kind = k
		elements += n
		r.Bytes = r.Bytes[at:]
		pieces = append(pieces, r)
	}
	if len(pieces) <= len(replies) {
		if alike {
			return Reply{pieces: replies[:1]}
		}
		return Whole(unmergeable(row, replies[0]))
	}
	header := &pieces[0].Bytes
	switch kind {
	case '%':
		*header = resp.AppendMapHeader(nil, proto, elements/2)
	case '~':
		*header = resp.AppendSetHeader(nil, proto, elements)
	default:
		*header = resp.AppendArrayHeader(nil, elements)
	}
	return Reply{pieces: pieces}
}

// unmergeable answers when a node's reply is not of the kind that the command's
// policy promises.
func unmergeable(row *command.Row, r NodeReply) []byte {
	return resp.AppendError(nil, fmt.Sprintf("ERR node %s: cannot merge replies of '%s' that begin with %q", r.Addr, row.Name, r.Bytes[:1]))
}
