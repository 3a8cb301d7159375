package dispatcher

import (
	"slices"

	"redis-cluster-proxy/command"
)

// Explanation is what Dispatch would do with a command at this moment.
type Explanation struct {
	// Fault is the error that would answer the command, "" if it would be sent.
	Fault string
	// AskKeys says that a node would be asked first which arguments are keys;
	// then nothing else is known.
	AskKeys bool
	// Keys are the indexes of the arguments that are keys.
	Keys []int
	// Parts are what would be sent, each to one node.
	Parts []PartPlan
	// Loss is what would become of a part whose connection is lost.
	Loss LossPlan
}

// PartPlan is where a part would go.
type PartPlan struct {
	// Slot is the slot of its keys, -1 if it has none.
	Slot int
	// Keys are the indexes of the arguments of the whole command that are its
	// keys.
	Keys []int
	// Node is the address of the node, "" if there is none at the moment, so
	// that the part would wait for one.
	Node string
	// Replica says that Node is one.
	Replica bool
	// Primary and Replicas are the addresses of the slot's shard.
	Primary  string
	Replicas []string
	// Moving says that the slot has been moving a moment ago, and Wrote that
	// the session wrote to it: then reads go to the primary.
	Moving, Wrote bool
}

// LossPlan says what becomes of a part whose connection is lost after a byte of
// it was sent.
type LossPlan uint8

const (
	// LossRepeat sends it again.
	LossRepeat LossPlan = iota
	// LossCouldRepeat answers UNKNOWNRESULT, but RetryIdempotent would have it
	// sent again.
	LossCouldRepeat
	// LossUnknown answers UNKNOWNRESULT.
	LossUnknown
)

// Explain says what Dispatch would do. It sends nothing. Only the session's
// reader calls it, with a command that Lookup accepted.
func (p *Pipeline) Explain(row *command.Row, args [][]byte) Explanation {
	do, slot, keys, fault := p.plan(row, args)
	x := Explanation{Fault: fault, AskKeys: do == courseAskKeys, Keys: slices.Clone(keys)}
	if row.KeyArg != 0 {
		x.Keys = []int{row.KeyArg}
	}
	if do == courseRefuse || do == courseAskKeys {
		return x
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.newRequestLocked(row)
	defer p.recycleLocked(r)
	r.seq = p.tail
	if do == courseSplit {
		how, _ := row.Split()
		p.split(r, args, x.Keys, how)
	} else {
		p.prepare(&r.one, args)
		r.one.slot = slot
	}
	r.each(func(pt *part) {
		x.Parts = append(x.Parts, p.explainLocked(pt, x.Keys))
		x.Loss = pt.lossPlan(args)
	})
	return x
}

// ExplainBlock is Explain for Block. There are several parts if the command waits
// for keys of several slots.
func (p *Pipeline) ExplainBlock(row *command.Row, args [][]byte) Explanation {
	x := p.Explain(row, args)
	keys, err := row.AppendKeys(nil, args)
	if err != nil || x.Fault != errCrossSlot || !p.d.waitsOverSlots(row) {
		return x
	}
	x.Fault, x.Keys = "", keys
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.newRequestLocked(row)
	defer p.recycleLocked(r)
	r.seq = p.tail
	p.prepare(&r.one, args)
	r.one.readOnly = false // primaries are asked
	for _, k := range keys {
		r.one.slot = p.d.hash(args[k])
		x.Parts = append(x.Parts, p.explainLocked(&r.one, []int{k}))
	}
	return x
}

// explainLocked says where pt would go. keys are those of the whole command.
func (p *Pipeline) explainLocked(pt *part, keys []int) PartPlan {
	rt := p.d.routes.Load()
	plan := PartPlan{Slot: -1, Keys: keys}
	if lane, at := p.pickLocked(pt, rt); lane != nil {
		plan.Node, plan.Replica = lane.Node().Addr, at != nil
	}
	if pt.slot == noSlot {
		return plan
	}
	plan.Slot = int(pt.slot)
	plan.Moving, plan.Wrote = p.d.moving.is(pt.slot), p.wroteLocked(pt)
	if sh := rt.shard(pt.slot); sh != nil {
		if sh.primary != nil {
			plan.Primary = sh.primary.node.Addr
		}
		for _, m := range sh.replicas {
			plan.Replicas = append(plan.Replicas, m.node.Addr)
		}
	}
	if pt.req.isSplit() {
		plan.Keys = nil
		for _, i := range pt.keys {
			plan.Keys = append(plan.Keys, keys[i])
		}
	}
	return plan
}

// repeatable reports whether the part may be sent again though it may have been
// executed.
func (pt *part) repeatable() bool { return pt.readOnly || pt.idempotent }

func (pt *part) lossPlan(args [][]byte) LossPlan {
	switch {
	case pt.repeatable():
		return LossRepeat
	case pt.req.row.Idempotent(args):
		return LossCouldRepeat
	}
	return LossUnknown
}

// ReadPrefer returns the setting.
func (d *Dispatcher) ReadPrefer() ReadPrefer { return d.cfg.ReadPrefer }

// Refresh asks for the topology to be loaded again soon, because of reason.
func (d *Dispatcher) Refresh(reason string) { d.topology.Refresh(reason) }
