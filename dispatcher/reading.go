package dispatcher

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"redis-cluster-proxy/resp"
)

// reading is XREAD or XREADGROUP with streams in several slots. It implements
// seeker.
type reading struct {
	// Set at construction.
	whole   [][]byte // the client's command
	options [][]byte // its name and options, without BLOCK
	keys    [][]byte
	group   string // "": XREAD
	history bool   // of a group's consumer: never waits

	// Owned by whoever looks.
	ids [][]byte
}

// wants implements seeker.
func (r *reading) wants() (keys [][]byte, class string, all bool) {
	if r.group == "" {
		return distinct(r.keys), classStream, true
	}
	return distinct(r.keys), classStream + " " + r.group, false
}

// look implements seeker.
func (r *reading) look(w *overSlots) (Reply, bool) {
	if refusal := w.e.permitted(w.ctx, r.whole, r.keys); refusal != nil {
		return Whole(refusal), true
	}
	if reply, ok := r.prepare(w); ok || w.ctx.Err() != nil {
		return reply, ok
	}
	if r.history {
		return Whole(w.nothing()), true
	}
	limit := time.NewTimer(max(w.e.d.cfg.RedirectTimeout, lookPatience))
	defer limit.Stop()
	for _, at := range w.claim.spots {
		_, fault := w.claim.typeOf(w.ctx, at, limit.C)
		switch {
		case fault != "":
			return Whole(resp.AppendError(nil, fault)), true
		case w.ctx.Err() != nil:
			return Reply{}, false
		}
	}
	// Now nodes tell of whatever comes after this look.
	w.claim.fresh()
	return r.lookAll(w)
}

// prepare looks before anybody is asked to tell of changes: if there is
// something, that is all. It finds out what '$' means, and for a group whether all
// is there, before it takes anything for one of its consumers.
func (r *reading) prepare(w *overSlots) (Reply, bool) {
	if r.group != "" {
		ids := slices.Clone(r.ids)
		for i := range ids {
			if bytes.Equal(ids[i], newEntries) {
				ids[i] = noHistory
			}
		}
		for _, reply := range r.ask(w, r.pieces(w, ids)) {
			if isError(reply) {
				return Whole(reply), true
			}
		}
	}
	if fault := r.resolve(w); fault != nil {
		return Whole(fault), true
	}
	return r.lookAll(w)
}

var (
	// newEntries stands for what no consumer of the group was given.
	newEntries = []byte(">")
	// noHistory is an ID behind which a consumer has nothing.
	noHistory = []byte("18446744073709551615-18446744073709551614")
)

// resolve puts the last IDs of the streams in the place of each '$'. A key that
// is no stream keeps it, and what follows meets the error in its order.
func (r *reading) resolve(w *overSlots) (fault []byte) {
	if r.group != "" {
		return nil // a node says that it means nothing
	}
	var last []*lastQuestion
	var asking sync.WaitGroup
	for i, id := range r.ids {
		if bytes.Equal(id, dollar) {
			q := &lastQuestion{w: w, key: r.keys[i], at: i}
			last = append(last, q)
			asking.Go(q.ask)
		}
	}
	asking.Wait()
	for _, q := range last {
		switch {
		case q.id != nil:
			r.ids[q.at] = q.id
		case !bytes.HasPrefix(q.fault, prefixWrongType):
			return q.fault
		}
	}
	return nil
}

// lastQuestion asks for the last ID of a stream.
type lastQuestion struct {
	w     *overSlots
	key   []byte
	at    int
	id    []byte
	fault []byte
}

func (q *lastQuestion) ask() {
	slot := q.w.e.d.hash(q.key)
	args := [][]byte{[]byte("XREVRANGE"), q.key, []byte("+"), []byte("-"), []byte("COUNT"), []byte("1")}
	reply, err := q.w.e.askSlot(q.w.ctx, slot, false, args)
	if err == nil && bytes.HasPrefix(reply.Bytes, prefixNoPerm) {
		own := q.w.e.d.NewErrand(q.w.e.d.cfg.Own).overLanes()
		reply, err = own.askSlot(q.w.ctx, slot, false, args)
	}
	if err != nil {
		q.fault = errorBytes(err)
		return
	}
	if q.id = lastEntryID(reply.Bytes); q.id == nil {
		q.fault = reply.Bytes
	}
}

// piece is the part of a reading for one slot.
type piece struct {
	w     *overSlots
	slot  uint16
	at    []int // the streams, by their places in the request
	args  [][]byte
	reply NodeReply
	err   error
}

// pieces makes one command for each slot, with these IDs.
func (r *reading) pieces(w *overSlots, ids [][]byte) (list []*piece) {
	bySlot := make(map[uint16]*piece)
	for i, key := range r.keys {
		slot := w.e.d.hash(key)
		p := bySlot[slot]
		if p == nil {
			p = &piece{w: w, slot: slot}
			bySlot[slot] = p
			list = append(list, p)
		}
		p.at = append(p.at, i)
	}
	for _, p := range list {
		p.args = r.command(p.at, ids)
	}
	return list
}

// command is the client's for some of its streams, without waiting.
func (r *reading) command(at []int, ids [][]byte) [][]byte {
	args := append(r.options[:len(r.options):len(r.options)], []byte("STREAMS"))
	for _, i := range at {
		args = append(args, r.keys[i])
	}
	for _, i := range at {
		args = append(args, ids[i])
	}
	return args
}

func (p *piece) ask() { p.reply, p.err = p.w.e.askSlot(p.w.ctx, p.slot, false, p.args) }

// ask sends the pieces and returns the replies; a piece without one has an error.
func (r *reading) ask(w *overSlots, list []*piece) [][]byte {
	var asking sync.WaitGroup
	for _, p := range list {
		asking.Go(p.ask)
	}
	asking.Wait()
	replies := make([][]byte, len(list))
	for i, p := range list {
		if p.err != nil {
			p.reply = NodeReply{Bytes: errorBytes(p.err)}
		}
		replies[i] = p.reply.Bytes
		if r.group != "" {
			w.wrote(p.slot, p.reply)
		}
	}
	return replies
}

// lookAll reads all streams and returns what there is, in the order of the
// request. If some node cannot say at the moment, but others have something, that is
// the answer: for a group it was taken already.
func (r *reading) lookAll(w *overSlots) (Reply, bool) {
	list := r.pieces(w, r.ids)
	replies := r.ask(w, list)
	found := make([][]byte, len(r.keys))
	var fault []byte
	for i, p := range list {
		switch judge(replies[i]) {
		case takeGot:
			r.place(found, p.at, replies[i])
		case takeLater:
			if fault == nil {
				fault = replies[i]
			}
		case takeFailed:
			if r.group == "" {
				return Whole(replies[i]), true
			}
			fault = replies[i]
		}
	}
	count, b := 0, []byte(nil)
	for _, f := range found {
		if f != nil {
			count++
			b = append(b, f...)
		}
	}
	switch {
	case count > 0:
		head := resp.AppendArrayHeader(nil, count)
		if w.e.proto() == resp.RESP3 {
			head = resp.AppendMapHeader(nil, resp.RESP3, count)
		}
		return Reply{pieces: []NodeReply{{Bytes: head}, {Bytes: b}}}, true
	case fault != nil && w.ctx.Err() == nil:
		return Whole(fault), true
	}
	return Reply{}, false
}

// try implements seeker.
func (r *reading) try(w *overSlots, at *spot) (Reply, taking) {
	key := []byte(at.queue.key.id.key)
	var mine []int
	for i := range r.keys {
		if bytes.Equal(r.keys[i], key) {
			mine = append(mine, i)
		}
	}
	p := &piece{w: w, slot: at.queue.key.slot, at: mine, args: r.command(mine, r.ids)}
	p.ask()
	if r.group != "" {
		w.wrote(p.slot, p.reply)
	}
	if p.err != nil {
		return Whole(errorBytes(p.err)), failedHow(p.err)
	}
	reply := Reply{pieces: []NodeReply{p.reply}}
	switch how := judge(p.reply.Bytes); {
	case how != takeFailed:
		return reply, how
	case isWrongType(reply): // it is not the stream that is waited for
		return Reply{}, takeNothing
	default:
		return reply, how
	}
}
