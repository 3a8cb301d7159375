package dispatcher

import (
	"bytes"
	"errors"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// errWrongType is Redis's text for a key of another type.
const errWrongType = "WRONGTYPE Operation against a key holding the wrong kind of value"

// popping is a command that takes something from the first of several keys that
// has something: BLPOP and its like. It implements seeker.
type popping struct {
	// Set at construction.
	whole [][]byte // the client's command
	keys  [][]byte // its keys, in its order
	class string   // what it takes from: classList or classZset
	// take is the command that takes the same from one key without waiting.
	take func(key []byte) [][]byte
	// alone is the client's command for one key and a moment. It serves users who
	// may not use the other one.
	alone func(key []byte) [][]byte
	// head is what the reply to the client begins with, in place of the header of
	// that to take; nil: the reply is what it is.
	head func(key []byte) []byte
}

// taking is what became of an attempt to take something.
type taking uint8

const (
	takeNothing taking = iota // there is nothing
	takeGot
	takeFailed // with an error for the client
	takeLater  // with one, but the node may be able later
)

// wants implements seeker.
func (p *popping) wants() (keys [][]byte, class string, all bool) {
	return distinct(p.keys), p.class, false
}

// look implements seeker. It goes over the keys in their order, as Redis does.
// What there is was asked of all nodes at once; the first key is tried without
// waiting for that, unless somebody waits there already.
func (p *popping) look(w *overSlots) (Reply, bool) {
	if refusal := w.e.permitted(w.ctx, p.whole, p.keys); refusal != nil {
		return Whole(refusal), true
	}
	c := w.claim
	limit := time.NewTimer(max(w.e.d.cfg.RedirectTimeout, lookPatience))
	defer limit.Stop()
	for i, at := range c.spots {
		if i > 0 || !c.turn(at, true) {
			kind, fault := c.typeOf(w.ctx, at, limit.C)
			switch {
			case fault != "":
				return Whole(resp.AppendError(nil, fault)), true
			case w.ctx.Err() != nil:
				return Reply{}, false
			case kind != "" && kind != "none" && kind != p.class:
				return Whole(resp.AppendError(nil, errWrongType)), true
			case !c.turn(at, false): // there is nothing, or not more than others wait for
				continue
			}
		}
		reply, how := p.attempt(w, at)
		switch how {
		case takeNothing:
			c.missed()
			continue
		case takeGot:
			c.got()
		case takeLater:
			if w.ctx.Err() != nil {
				return Reply{}, false
			}
		}
		return reply, true
	}
	return Reply{}, false
}

// try implements seeker. A key that has come to be of another type is none, as
// it is for Redis 7.0 to those who wait.
func (p *popping) try(w *overSlots, at *spot) (Reply, taking) {
	reply, how := p.attempt(w, at)
	if how == takeFailed && isWrongType(reply) {
		return Reply{}, takeNothing
	}
	return reply, how
}

// attempt tries to take something from one key.
func (p *popping) attempt(w *overSlots, at *spot) (Reply, taking) {
	k := at.queue.key
	key := []byte(k.id.key)
	reply, err := w.e.askSlot(w.ctx, k.slot, false, p.take(key))
	if err == nil && bytes.HasPrefix(reply.Bytes, prefixNoPerm) {
		alone := w.e.overLease() // it may block its connection for a moment
		if reply, err = alone.askSlot(w.ctx, k.slot, false, p.alone(key)); err == nil {
			w.wrote(k.slot, reply)
			return p.reply(reply, nil)
		}
	}
	if err != nil {
		return Whole(errorBytes(err)), failedHow(err)
	}
	w.wrote(k.slot, reply)
	return p.reply(reply, key)
}

var (
	prefixNoPerm    = []byte("-NOPERM ")
	prefixWrongType = []byte("-WRONGTYPE ")
)

// failedHow tells refusals from failures that will pass.
func failedHow(err error) taking {
	if refused := (*backend.HandshakeError)(nil); errors.As(err, &refused) {
		return takeFailed
	}
	return takeLater
}

// reply makes the client's reply of a node's. The pieces keep what is long where
// it is.
func (p *popping) reply(r NodeReply, key []byte) (Reply, taking) {
	how := judge(r.Bytes)
	if how != takeGot || key == nil || p.head == nil {
		return Reply{pieces: []NodeReply{r}}, how
	}
	head := NodeReply{Bytes: p.head(key)}
	if kind, _, n, ok := resp.Header(r.Bytes); ok && kind == '*' {
		r.Bytes = r.Bytes[n:]
	}
	return Reply{pieces: []NodeReply{head, r}}, takeGot
}

// judge tells what a node's reply is to somebody who wants something.
func judge(reply []byte) taking {
	switch {
	case isError(reply) && classify(reply) != bounceNone:
		return takeLater
	case isError(reply):
		return takeFailed
	case reply[0] == '_', len(reply) > 1 && (reply[1] == '-' || reply[1] == '0' && reply[0] != '$'):
		return takeNothing
	}
	return takeGot
}

func isWrongType(r Reply) bool {
	return len(r.pieces) == 1 && bytes.HasPrefix(r.pieces[0].Bytes, prefixWrongType)
}

// distinct returns the keys without repetitions.
func distinct(keys [][]byte) [][]byte {
	seen := make(map[string]bool, len(keys))
	var list [][]byte
	for _, key := range keys {
		if !seen[string(key)] {
			seen[string(key)] = true
			list = append(list, key)
		}
	}
	return list
}
