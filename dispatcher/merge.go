package dispatcher

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// mergeLocked makes the reply of a split request from those of its parts and
// hands it to the sink.
func (p *Pipeline) mergeLocked(r *request) {
	if r.transaction != nil {
		p.emitLocked(r.row, r.mergeTransaction(), nil, r.silent)
		return
	}
	if reply := r.mergeErrors(); reply != nil {
		p.emitLocked(r.row, reply, nil, r.silent)
		return
	}
	first := r.parts[0].reply.bytes
	switch {
	case r.row.Response == command.AggSum || first[0] == ':' && r.row.Response != command.AllSucceeded:
		p.emitLocked(r.row, r.mergeSum(), nil, r.silent)
	case first[0] != '*': // all succeeded: any of them
		p.emitLocked(r.row, first, nil, r.silent)
	default:
		if fault := r.findElems(); fault != nil {
			p.emitLocked(r.row, fault, nil, r.silent)
		} else if !r.silent && !p.closed {
			p.emitElemsLocked(r)
		}
	}
}

// mergeErrors returns the reply if a part failed, else nil. A failed part is
// never dressed up as a missing key. If all failed alike, or nothing was
// changed by those that did not fail, it is the first error itself; else the
// error says how much of the request failed, and where, and why: that a result
// is unknown before anything else, since it is the least one can rely on.
func (r *request) mergeErrors() []byte {
	var first []byte
	var failed []uint16
	keys, alike := 0, true
	for _, pt := range r.parts {
		if pt.reply.bytes[0] != '-' {
			continue
		}
		if first == nil || bytes.HasPrefix(pt.reply.bytes, unknownPrefix) && !bytes.HasPrefix(first, unknownPrefix) {
			alike = alike && first == nil
			first = pt.reply.bytes
		}
		alike = alike && bytes.Equal(first, pt.reply.bytes)
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
	return resp.AppendError(nil, fmt.Sprintf("%s %d of %d keys failed, in slots %s: %s",
		code, keys, r.keys, listSlots(failed), text))
}

var unknownPrefix = []byte("-UNKNOWNRESULT ")

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
		n, err := strconv.ParseInt(string(bytes.TrimSpace(pt.reply.bytes[1:])), 10, 64)
		if err != nil || pt.reply.bytes[0] != ':' {
			return r.unmergeable(pt.reply.bytes)
		}
		sum += n
	}
	r.reply.bytes = resp.AppendInt(r.reply.bytes[:0], sum)
	return r.reply.bytes
}

// findElems finds the elements of the parts' arrays and puts them into the
// order of the request's keys. It returns an error reply if that cannot be done.
func (r *request) findElems() (fault []byte) {
	r.elems = slices.Grow(r.elems[:0], r.keys)[:r.keys]
	for _, pt := range r.parts {
		_, n, at, ok := resp.Header(pt.reply.bytes)
		if !ok || n != len(pt.keys) {
			return r.unmergeable(pt.reply.bytes)
		}
		rest := pt.reply.bytes[at:]
		if n == 1 {
			r.elems[pt.keys[0]] = rest
			continue
		}
		for _, key := range pt.keys {
			n, err := resp.ReplyLen(rest)
			if err != nil || n == 0 {
				return r.unmergeable(pt.reply.bytes)
			}
			r.elems[key], rest = rest[:n], rest[n:]
		}
	}
	return nil
}

// emitElemsLocked hands the array of the elements to the sink.
func (p *Pipeline) emitElemsLocked(r *request) {
	r.reply.bytes = resp.AppendArrayHeader(r.reply.bytes[:0], len(r.elems))
	p.gatherLocked(r.reply.bytes, nil)
	for i, e := range r.elems {
		p.gatherLocked(e, r.chunkOf(i, e))
	}
}

// chunkOf returns the chunk that the i-th key's element is a part of; only big
// ones are looked for.
func (r *request) chunkOf(i int, elem []byte) *backend.Chunk {
	if len(elem) < refBytes {
		return nil
	}
	for _, pt := range r.parts {
		if slices.Contains(pt.keys, int32(i)) {
			return pt.reply.chunk
		}
	}
	return nil
}

// unmergeable answers when a node's reply is not of the kind that the command's
// policy promises.
func (r *request) unmergeable(reply []byte) []byte {
	return resp.AppendError(nil, fmt.Sprintf("ERR cannot merge replies of '%s' that begin with %q", r.row.Name, reply[:1]))
}
