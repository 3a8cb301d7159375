package dispatcher

import (
	"bytes"
	"math"
	"strings"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// Transaction is what a session has queued since MULTI. It becomes one unit of
// MULTI, the commands and EXEC, or with SplitTransactions one for each slot: a node
// executes no transaction with keys of two slots, even if both are its own. The
// zero value is empty. Only the session's reader uses it, until it is given to Exec.
type Transaction struct {
	units   []*unit
	bySlot  map[uint16]*unit // of units, if there are several
	last    *unit            // what the last command went to
	places  []place          // of the commands, and of the turns among them
	answers []ownReply
	turns   int  // so far
	silent  bool // EXEC has no reply, unless it is Silence that says otherwise
	bytes   int

	replies [][]byte // to the units, that Errand.Exec got

	watch *Watch // nil: nothing is watched
}

// unit is the commands of a transaction that travel together.
type unit struct {
	slot     uint16 // noSlot: none has keys so far
	wire     []byte // MULTI and the commands, without EXEC
	commands int
	turns    int             // of the transaction, that it knows
	lasting  bool            // the connection is another one afterwards; see Settle
	writes   bool            // not all of them only read
	keys     map[string]bool // of the commands; only if something is watched
	index    int             // among the units

	published []publication
}

// place is where a command's reply comes from.
type place struct {
	turn   *turn // it is no command's, but the turn's; nil: it is
	unit   *unit // nil: from answers
	answer int
	args   [][]byte // what the client sent, if it cannot be told from the unit; nil: it can
}

// ownReply is a reply of the session's own.
type ownReply struct {
	reply    []byte
	loud     bool // it is sent even if replies are not
	silences bool // silent counts from this reply on
	silent   bool
}

var (
	wireMulti = []byte("*1\r\n$5\r\nMULTI\r\n")
	wireExec  = []byte("*1\r\n$4\r\nEXEC\r\n")
)

// Len returns how many commands are queued.
func (t *Transaction) Len() (n int) {
	n = len(t.answers)
	for _, u := range t.units {
		n += u.commands
	}
	return n
}

// Bytes returns how many bytes they have together.
func (t *Transaction) Bytes() int { return t.bytes }

// Guard makes the transaction one that w guards: without SplitTransactions it
// stays at w's node.
func (t *Transaction) Guard(w *Watch) { t.watch = w }

// Reserve queues a command that the session answers itself, with Answer, before
// the transaction is executed.
func (t *Transaction) Reserve() (answer int) {
	t.places = append(t.places, place{answer: len(t.answers)})
	t.answers = append(t.answers, ownReply{})
	return len(t.answers) - 1
}

// Answer sets the reply to a command that was reserved.
func (t *Transaction) Answer(answer int, reply []byte) { t.answers[answer].reply = reply }

// Announce is Answer with a reply that CLIENT REPLY does not silence.
func (t *Transaction) Announce(answer int, reply []byte) {
	t.answers[answer].reply, t.answers[answer].loud = reply, true
}

// Mute says that EXEC itself is to have no reply.
func (t *Transaction) Mute() { t.silent = true }

// Silence says whether the reply to the command that was reserved, and those behind
// it, are dropped.
func (t *Transaction) Silence(answer int, on bool) {
	t.answers[answer].silences, t.answers[answer].silent = true, on
}

// Queue adds a command to t, or returns why it cannot be part of it, for the
// client. The command's bytes may change afterwards.
func (p *Pipeline) Queue(t *Transaction, row *command.Row, cmd *resp.Command) (fault string) {
	do, slot, _, fault := p.plan(row, cmd.Args)
	if row.Is("publish") { // it goes along with the keys
		slot = noSlot
	}
	switch {
	case do == courseAskKeys:
		return "ERR '" + row.Name + "' is not supported inside MULTI by this proxy: only a node can tell its keys"
	case do == courseRefuse && fault != errCrossSlot: // what the server would answer at EXEC
		t.Answer(t.Reserve(), resp.AppendError(nil, fault))
		t.places[len(t.places)-1].args = resp.CloneArgs(cmd.Args)
		return ""
	case do != courseForward:
		return errCrossSlot
	}
	u := t.unitOf(slot)
	if !p.d.cfg.SplitTransactions {
		if u == nil && len(t.units) > 0 || t.watch != nil && slot != noSlot && p.d.postFor(t.watch, slot) == nil {
			return errCrossSlot
		}
	}
	if u == nil {
		u = t.begin(slot)
	}
	if t.watch != nil {
		u.note(row, cmd)
	}
	said := cmd
	if row.Family == command.FamilyScripting {
		cmd = p.dressed(row, cmd, slot)
	}
	t.add(u, row, cmd)
	if cmd != said {
		t.places[len(t.places)-1].args = resp.CloneArgs(said.Args)
	}
	return ""
}

// dressed makes an EVALSHA an EVAL if its node may lack the script: inside a
// transaction there is no second attempt.
func (p *Pipeline) dressed(row *command.Row, cmd *resp.Command, slot uint16) *resp.Command {
	sc := p.d.scripting(row, cmd.Args)
	if sc == nil || !strings.HasPrefix(row.Name, "evalsha") {
		return cmd
	}
	if slot != noSlot {
		if sh := p.d.routes.Load().shard(slot); sh != nil && sh.primary != nil && p.d.scripts.isAt(sc, sh.primary.node) {
			return cmd
		}
	}
	name := "EVAL" + strings.TrimPrefix(row.Name, "evalsha")
	return &resp.Command{Inline: true, Args: append([][]byte{[]byte(name), []byte(sc.body)}, cmd.Args[2:]...)}
}

// unitOf returns the unit for a command of that slot, nil if there is none yet.
// Commands without keys go with the one before them, or with whatever comes first.
func (t *Transaction) unitOf(slot uint16) *unit {
	switch {
	case t.last == nil:
		return nil
	case slot == noSlot || t.last.slot == slot:
		return t.last
	case t.last.slot == noSlot: // the only one so far
		t.last.slot = slot
		return t.last
	}
	return t.bySlot[slot]
}

// begin adds a unit.
func (t *Transaction) begin(slot uint16) *unit {
	u := &unit{slot: slot, index: len(t.units)}
	u.wire = append(u.wire, wireMulti...)
	if t.last != nil && t.bySlot == nil {
		t.bySlot = map[uint16]*unit{t.last.slot: t.last}
	}
	if t.bySlot != nil {
		t.bySlot[slot] = u
	}
	t.units = append(t.units, u)
	return u
}

// note remembers the keys of a command.
func (u *unit) note(row *command.Row, cmd *resp.Command) {
	if u.keys == nil {
		u.keys = make(map[string]bool)
	}
	keys, _ := row.AppendKeys(nil, cmd.Args)
	for _, k := range keys {
		u.keys[string(cmd.Args[k])] = true
	}
}

func (t *Transaction) add(u *unit, row *command.Row, cmd *resp.Command) {
	t.catchUp(u)
	before := len(u.wire)
	if cmd.Inline {
		u.wire = resp.AppendCommandBytes(u.wire, cmd.Args)
	} else {
		u.wire = append(u.wire, cmd.Raw...)
	}
	t.bytes += len(u.wire) - before
	if publishes(row) && len(cmd.Args) == 3 {
		said := publication{shard: row.Is("spublish"), channel: bytes.Clone(cmd.Args[1]), at: u.commands}
		u.published = append(u.published, said)
	}
	u.commands++
	u.writes = u.writes || !row.ReadOnly()
	t.last = u
	t.places = append(t.places, place{unit: u})
}

// task is the unit as it is sent.
func (u *unit) task(t *backend.Task) {
	t.Wire = append(u.wire, wireExec...)
	t.Prelude = &backend.Prelude{Replies: 1 + u.commands}
}

// Each calls f with each command that is queued, in order, as the client sent it;
// with nil for one that was reserved. The arguments are valid until the transaction
// is given to Exec.
func (t *Transaction) Each(f func(args [][]byte)) {
	rest := make(map[*unit][]byte, len(t.units))
	for _, u := range t.units {
		rest[u] = u.wire[len(wireMulti):]
	}
	parser := resp.CommandParser{Limits: resp.Limits{MaxBulkBytes: math.MaxInt}} // it was admitted once
	for _, at := range t.places {
		if at.turn != nil {
			continue
		}
		args := at.args
		if at.unit != nil {
			cmd, n, err := parser.Next(rest[at.unit])
			if err != nil || n == 0 {
				panic("dispatcher: a queued command is not whole")
			}
			rest[at.unit] = rest[at.unit][n:]
			if args == nil {
				args = cmd.Args
			}
		}
		f(args)
	}
}

// Exec gives the transaction its place and sends it. The session's other
// commands keep their order with it as with any command of its slot. t is the
// Pipeline's from now on.
func (p *Pipeline) Exec(row *command.Row, t *Transaction) {
	p.d.stats.Transactions.Add(1)
	if len(t.units) == 0 {
		p.Local(row, t.assemble(nil))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.newRequestLocked(row)
	r.silent = p.silent
	if len(t.units) == 1 && len(t.answers) == 0 {
		p.prepareUnit(&r.one, t.units[0])
	} else {
		r.divide()
		r.transaction = t
		for _, u := range t.units {
			pt := newPart(r)
			p.prepareUnit(pt, u)
			r.parts = append(r.parts, pt)
		}
		r.left = len(r.parts)
	}
	r.bytes = t.bytes
	p.placeLocked(r)
}

// prepareUnit fills in what the unit says about a part. One that only reads may
// be sent twice, but not to a replica.
func (p *Pipeline) prepareUnit(pt *part, u *unit) {
	u.task(&pt.task)
	pt.task.Start = p.arrived
	pt.task.Caching = p.caching
	pt.slot = p.d.destination(u)
	pt.idempotent = !u.writes
	pt.several = u.commands > 1
	pt.message = newUnitMessage(u, p)
}
