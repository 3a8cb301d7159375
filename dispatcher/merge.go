package dispatcher

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// merge makes the reply of a split request from those of its parts.
func (r *request) merge() []byte {
	if reply := r.mergeErrors(); reply != nil {
		return reply
	}
	first := r.parts[0].reply
	switch {
	case r.row.Response == command.AggSum || first[0] == ':':
		return r.mergeSum()
	case first[0] == '*':
		return r.mergeByKey()
	default: // all succeeded: any of them
		r.own = append(r.own[:0], first...)
		return r.own
	}
}

// mergeErrors returns the reply if a part failed, else nil. A failed part is
// never dressed up as a missing key. If all failed alike, or nothing was
// changed by those that did not fail, it is the first error itself; else the
// error says how much of the request failed, and where.
func (r *request) mergeErrors() []byte {
	var first []byte
	var failed []uint16
	keys, alike := 0, true
	for _, pt := range r.parts {
		if pt.reply[0] != '-' {
			continue
		}
		if first == nil {
			first = pt.reply
		}
		alike = alike && bytes.Equal(first, pt.reply)
		keys += len(pt.keys)
		failed = append(failed, pt.slot)
	}
	if first == nil {
		return nil
	}
	if r.row.ReadOnly() || alike && keys == r.keys {
		return first
	}
	code, text, _ := strings.Cut(strings.TrimSpace(string(first[1:])), " ")
	return resp.AppendError(r.own[:0], fmt.Sprintf("%s %d of %d keys failed, in slots %s: %s",
		code, keys, r.keys, listSlots(failed), text))
}

// maxListed is how many slots an error names.
const maxListed = 20

func listSlots(slots []uint16) string {
	slices.Sort(slots)
	slots = slices.Compact(slots)
	var b strings.Builder
	for i, s := range slots {
		if i == maxListed {
			fmt.Fprintf(&b, " and %d more", len(slots)-i)
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(s)))
	}
	return b.String()
}

func (r *request) mergeSum() []byte {
	var sum int64
	for _, pt := range r.parts {
		n, err := strconv.ParseInt(string(bytes.TrimSpace(pt.reply[1:])), 10, 64)
		if err != nil || pt.reply[0] != ':' {
			return r.unmergeable(pt.reply)
		}
		sum += n
	}
	r.own = resp.AppendInt(r.own[:0], sum)
	return r.own
}

// mergeByKey puts the elements of the parts' arrays into the order of the
// request's keys.
func (r *request) mergeByKey() []byte {
	elems := make([][]byte, r.keys)
	size := 16
	for _, pt := range r.parts {
		_, n, at, ok := resp.Header(pt.reply)
		if !ok || n != len(pt.keys) {
			return r.unmergeable(pt.reply)
		}
		rest := pt.reply[at:]
		for _, key := range pt.keys {
			n, err := resp.ReplyLen(rest)
			if err != nil || n == 0 {
				return r.unmergeable(pt.reply)
			}
			elems[key], rest = rest[:n], rest[n:]
		}
		size += len(pt.reply)
	}
	out := slices.Grow(r.own[:0], size)
	out = resp.AppendArrayHeader(out, len(elems))
	for _, e := range elems {
		out = append(out, e...)
	}
	r.own = out
	return out
}

// unmergeable answers when a node's reply is not of the kind that the command's
// policy promises.
func (r *request) unmergeable(reply []byte) []byte {
	return resp.AppendError(r.own[:0], fmt.Sprintf("ERR cannot merge replies of '%s' that begin with %q", r.row.Name, reply[:1]))
}
