package dispatcher

import (
	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// keyQuestion asks any node with COMMAND GETKEYS for the keys of a command
// whose declared keys are incomplete, and then sends the command.
type keyQuestion struct {
	task backend.Task
	req  *request
}

// askKeys gives cmd its place and asks for its keys.
func (p *Pipeline) askKeys(row *command.Row, cmd *resp.Command) {
	p.mu.Lock()
	r := p.newForwardLocked(row, cmd, nil)
	p.noteRequestLocked(row)
	p.pushLocked(r)
	p.mu.Unlock()
	q := &keyQuestion{req: r}
	q.task = backend.Task{Handler: q, Start: p.arrived}
	q.task.Wire = resp.AppendCommandBytes(nil, append([][]byte{[]byte("COMMAND"), []byte("GETKEYS")}, cmd.Args...))
	node := p.d.AnyNode(p.seed)
	if node == nil {
		p.settleKeys(r, noSlot) // held until there is one
		return
	}
	lane := node.Lane(p.profile, p.seed)
	if !lane.Enqueue(&q.task) {
		p.settleKeys(r, noSlot)
		return
	}
	p.touch(lane)
}

// Replied implements backend.Handler.
func (q *keyQuestion) Replied(run []backend.Reply, _ *backend.Chunk) backend.Flusher {
	p := q.req.pipe
	v, n, err := resp.ReadValue(run[0].Bytes)
	if err != nil || n == 0 || v.Kind != '*' || len(v.Elems) == 0 {
		p.settleKeys(q.req, noSlot) // no keys, or wrong arguments: any node says so
		return nil
	}
	slot := p.d.hash([]byte(v.Elems[0].Str))
	for _, e := range v.Elems[1:] {
		if p.d.hash([]byte(e.Str)) != slot {
			return p.again(&q.req.one, func() { p.failLocked(&q.req.one, errCrossSlot) })
		}
	}
	p.settleKeys(q.req, slot)
	return nil
}

// Failed implements backend.Handler.
func (q *keyQuestion) Failed(*backend.Task, *backend.LostError) backend.Flusher {
	q.req.pipe.settleKeys(q.req, noSlot) // any node says where it belongs
	return nil
}

// settleKeys sends r's command now that its slot is known.
func (p *Pipeline) settleKeys(r *request, slot uint16) {
	p.mu.Lock()
	if p.closed {
		p.finishPartLocked(&r.one, errGone, nil)
		p.mu.Unlock()
		return
	}
	r.one.slot = slot
	p.holdLocked(&r.one)
	p.mu.Unlock()
	p.advance(slot, false)
}
