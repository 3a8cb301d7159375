package dispatcher

import (
	"slices"
	"strconv"
	"sync"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

var (
	divisionPool = sync.Pool{New: func() any { return new(division) }}
	partPool     = sync.Pool{New: func() any { return &part{share: new(share)} }}
)

// divide makes the request one that has parts, of which it has none yet.
func (r *request) divide() {
	if r.division == nil {
		r.division = divisionPool.Get().(*division)
	}
}

// keepParts is the longest list of parts that is kept for the next request.
const keepParts = 64

// recycle gives the division back, with the parts.
func (d *division) recycle() {
	for i, pt := range d.parts {
		pt.recycle()
		d.parts[i] = nil
	}
	clear(d.elems)
	if cap(d.parts) > keepParts {
		d.parts, d.elems = nil, nil
	}
	*d = division{parts: d.parts[:0], elems: d.elems[:0]}
	divisionPool.Put(d)
}

// newPart makes a part of a request that was divided.
func newPart(r *request) *part {
	pt := partPool.Get().(*part)
	pt.req = r
	pt.task.Handler, pt.task.Owner = r.pipe, pt
	return pt
}

// recycle gives a part of a split request back.
func (pt *part) recycle() {
	pt.message.recycle()
	s := pt.share
	s.reply.bytes, s.keys = s.reply.drop(), s.keys[:0]
	*pt = part{share: s}
	partPool.Put(pt)
}

// split makes one part for each slot that the command's keys are in. A part is
// the command's name and its keys with the arguments that belong to each.
func (p *Pipeline) split(r *request, args [][]byte, keys []int, how command.Split) {
	r.divide()
	r.keys = len(keys)
	var bySlot map[uint16]*part
	if len(keys) > fewKeys {
		bySlot = make(map[uint16]*part)
	}
	for i, k := range keys {
		slot := p.d.hash(args[k])
		pt := r.partOf(slot, bySlot)
		if pt == nil {
			pt = newPart(r)
			p.prepare(pt, args)
			pt.slot = slot
			r.parts = append(r.parts, pt)
			if bySlot != nil {
				bySlot[slot] = pt
			}
		}
		pt.keys = append(pt.keys, int32(i))
	}
	r.left = len(r.parts)
	p.writeParts(r, args, keys, how)
}

// fewKeys is up to how many keys looking through the parts is faster than a
// map (BenchmarkSplit).
const fewKeys = 32

// partOf returns the part for slot, nil if there is none yet. bySlot may be nil.
func (r *request) partOf(slot uint16, bySlot map[uint16]*part) *part {
	if bySlot != nil {
		return bySlot[slot]
	}
	for _, pt := range r.parts {
		if pt.slot == slot {
			return pt
		}
	}
	return nil
}

// writeParts encodes the parts into the request's one buffer.
func (p *Pipeline) writeParts(r *request, args [][]byte, keys []int, how command.Split) {
	tail := args[keys[len(keys)-1]+how.Step:] // is about all groups
	size := wireSize(args) + len(r.parts)*(len(args[0])+64+wireSize(tail))
	wire := r.wire[:0]
	if cap(wire) < size { // parts keep slices of it: it must not move
		wire = make([]byte, 0, size)
	}
	for _, pt := range r.parts {
		begin := len(wire)
		wire = resp.AppendArrayHeader(wire, how.Head()+how.Step*len(pt.keys)+len(tail))
		wire = resp.AppendBulk(wire, args[0])
		if how.Counted {
			wire = resp.AppendBulkString(wire, strconv.Itoa(len(pt.keys)))
		}
		for _, i := range pt.keys {
			for _, a := range args[keys[i] : keys[i]+how.Step] {
				wire = resp.AppendBulk(wire, a)
			}
		}
		for _, a := range tail {
			wire = resp.AppendBulk(wire, a)
		}
		pt.task.Wire = wire[begin:len(wire):len(wire)]
		pt.several = len(pt.keys) > 1
	}
	r.wire = wire
	r.bytes = len(wire)
}

// wireSize is at least how long the arguments are as RESP.
func wireSize(args [][]byte) (size int) {
	for _, a := range args {
		size += len(a) + 16
	}
	return size
}

// explodeLocked replaces a part that got TRYAGAIN by one part for each of its
// keys: a node that has one of the keys and not another answers for single keys
// what it refuses for both. It returns nil if the part has one key or the
// command is not of the kind, else the new parts.
func (p *Pipeline) explodeLocked(pt *part) []*part {
	r := pt.req
	if how, _ := r.row.Split(); how != (command.Split{Step: 1}) {
		return nil
	}
	var parser resp.CommandParser
	cmd, n, err := parser.Next(pt.task.Wire)
	if err != nil || n == 0 || len(cmd.Args) < 3 {
		return nil
	}
	name, keys := cmd.Args[0], cmd.Args[1:]
	if !r.isSplit() { // becomes a split request of one part
		r.divide()
		r.keys, r.left = len(keys), 1
		pt.share = &share{keys: make([]int32, len(keys))}
		for i := range keys {
			pt.keys[i] = int32(i)
		}
	}
	parts := make([]*part, len(keys))
	for i, key := range keys {
		one := newPart(r)
		one.divert()
		one.slot, one.readOnly, one.idempotent = pt.slot, pt.readOnly, pt.idempotent
		one.deadline, one.attempts, one.hops = pt.deadline, pt.attempts, pt.hops
		one.task.Start, one.task.Caching = pt.task.Start, pt.task.Caching
		one.task.Wire = resp.AppendCommandBytes(nil, [][]byte{name, key})
		one.keys = append(one.keys, pt.keys[i])
		parts[i] = one
	}
	r.left += len(parts) - 1
	r.parts = slices.DeleteFunc(r.parts, func(old *part) bool { return old == pt })
	r.parts = append(r.parts, parts...)
	if pt != &r.one {
		pt.recycle()
	}
	return parts
}
