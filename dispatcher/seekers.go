package dispatcher

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// seekerOf returns what a blocking command over several slots wants. wrong, if it
// is not nil, is a command over one of them that its node answers with the error that
// the client has earned.
func seekerOf(row *command.Row, args [][]byte, keys []int) (seek seeker, wrong [][]byte) {
	list := make([][]byte, len(keys))
	for i, k := range keys {
		list[i] = args[k]
	}
	switch row.Name {
	case "blpop", "brpop", "bzpopmin", "bzpopmax":
		seek, wrong = popOf(row, args, list)
	case "blmpop", "bzmpop":
		seek, wrong = multiPopOf(row, args, list)
	case "xread", "xreadgroup":
		seek, wrong = readingOf(row, args, keys[0], list)
	}
	if at, _ := row.TimeoutArg(args); seek != nil && at != 0 && wellTimed(args[at], row) {
		wrong = nil
	}
	return seek, wrong
}

// blockOverSlots is Block for keys in several slots.
func (p *Pipeline) blockOverSlots(row *command.Row, args [][]byte, keys []int, done func(Reply)) (w Waiting, fault string) {
	if !p.d.waitsOverSlots(row) {
		return nil, errCrossSlot
	}
	copies := resp.CloneArgs(args)
	seek, wrong := seekerOf(row, copies, keys)
	if wrong != nil {
		seek = &blunder{args: wrong, key: copies[keys[0]]}
	}
	return newOverSlots(p, row, copies, seek, done), ""
}

// waitsOverSlots reports whether the command waits for keys of several slots.
func (d *Dispatcher) waitsOverSlots(row *command.Row) bool {
	switch row.Name {
	case "blpop", "brpop", "blmpop", "bzpopmin", "bzpopmax", "bzmpop", "xread", "xreadgroup":
		return !d.cfg.RejectCrossSlot
	}
	return false
}

// wellTimed reports whether a node would take the timeout. The text of the error
// is different from one version to the next.
func wellTimed(timeout []byte, row *command.Row) bool {
	if row.Is("xread") || row.Is("xreadgroup") {
		n, err := strconv.ParseInt(string(timeout), 10, 64)
		return err == nil && n >= 0 && timeout[0] != '+'
	}
	f, err := strconv.ParseFloat(string(timeout), 64)
	return err == nil && f >= 0 && f < math.MaxInt64/1000
}

// blunder is a command that a node answers with an error.
type blunder struct {
	args [][]byte
	key  []byte
}

// wants implements seeker.
func (b *blunder) wants() (keys [][]byte, class string, all bool) { return nil, "", false }

// look implements seeker.
func (b *blunder) look(w *overSlots) (Reply, bool) {
	e := w.e.overLease() // if it is none after all, it blocks
	reply, err := e.askSlot(w.ctx, e.d.hash(b.key), false, b.args)
	if err != nil {
		return Whole(errorBytes(err)), w.ctx.Err() == nil
	}
	return Whole(reply.Bytes), true
}

// try implements seeker.
func (b *blunder) try(*overSlots, *spot) (Reply, taking) { return Reply{}, takeNothing }

// briefly is the least time that a node can be asked to wait.
var briefly = []byte("0.001")

// popOf is for "BLPOP key [key ...] timeout" and its like.
func popOf(row *command.Row, args, keys [][]byte) (seeker, [][]byte) {
	name, timeout := args[0], args[len(args)-1]
	p := &popping{whole: args, keys: keys, class: classList}
	once := []byte(row.Name[1:]) // "lpop"
	elements := 2
	if row.Name[1] == 'z' {
		p.class, elements = classZset, 3
	}
	p.take = func(key []byte) [][]byte { return [][]byte{once, key} }
	p.alone = func(key []byte) [][]byte { return [][]byte{name, key, briefly} }
	p.head = func(key []byte) []byte {
		return resp.AppendBulk(resp.AppendArrayHeader(nil, elements), key)
	}
	return p, [][]byte{name, keys[0], timeout}
}

var one = []byte("1")

// multiPopOf is for "BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]"
// and BZMPOP.
func multiPopOf(row *command.Row, args, keys [][]byte) (seeker, [][]byte) {
	name, timeout, options := args[0], args[1], args[3+len(keys):]
	p := &popping{whole: args, keys: keys, class: classList}
	once := []byte(row.Name[1:]) // "lmpop"
	if row.Name[1] == 'z' {
		p.class = classZset
	}
	p.take = func(key []byte) [][]byte { return append([][]byte{once, one, key}, options...) }
	p.alone = func(key []byte) [][]byte { return append([][]byte{name, briefly, one, key}, options...) }
	if len(options) == 0 {
		return nil, [][]byte{name, timeout, one, keys[0], nil}
	}
	return p, append([][]byte{name, timeout, one, keys[0]}, options...)
}

// readingOf is for XREAD and XREADGROUP. first is the place of the first stream.
func readingOf(row *command.Row, args [][]byte, first int, keys [][]byte) (seeker, [][]byte) {
	r := &reading{whole: args, keys: keys, options: [][]byte{args[0]}}
	ids := args[first+len(keys):]
	wrong := append(args[:first:first], keys[0])
	if len(ids) != len(keys) {
		return nil, wrong
	}
	wrong = append(wrong, ids[0])
	for i := 1; i < first-1; i++ {
		if strings.EqualFold(string(args[i]), "block") {
			i++
			continue
		}
		if row.Is("xreadgroup") && strings.EqualFold(string(args[i]), "group") && i+2 < first {
			r.group = string(args[i+1])
			r.options = append(r.options, args[i], args[i+1])
			i += 2
		}
		r.options = append(r.options, args[i])
	}
	for _, id := range ids {
		r.ids = append(r.ids, id)
		r.history = r.history || r.group != "" && !bytes.Equal(id, newEntries)
	}
	return r, wrong
}
