package slots

import "time"

// patchLife is for how long a patch outlives loads that began after it but know of no newer epoch: they may come from nodes that
// gossip has not told yet.
const patchLife = time.Second

// patches are the redirects that loads have not confirmed, by slot. The newest redirect of a slot counts.
type patches struct {
	bySlot map[uint16]patch
	seq    uint64
}

type patch struct {
	addr  string
	seq   uint64
	epoch uint64 // of the table when the redirect came
	at    time.Time
}

func (p *patches) add(slot uint16, addr string, epoch uint64) {
	if p.bySlot == nil {
		p.bySlot = map[uint16]patch{}
	}
	p.seq++
	p.bySlot[slot] = patch{addr: addr, seq: p.seq, epoch: epoch, at: time.Now()}
}

// mark is taken when a load begins, for over.
func (p *patches) mark() uint64 { return p.seq }

// over returns the patches to lay over a load's table, and forgets the others: those that the table confirms, or that it
// supersedes. again says that the Source returned the table of the load before, that is, learned nothing.
func (p *patches) over(t *Table, mark uint64, again bool) map[uint16]string {
	moved := map[uint16]string{}
	for slot, m := range p.bySlot {
		switch {
		case t.primaryAddr(slot) == m.addr:
			if m.seq <= mark {
				delete(p.bySlot, slot)
			}
		case m.seq > mark || again || t.Epoch <= m.epoch && time.Since(m.at) < patchLife:
			moved[slot] = m.addr
		default:
			delete(p.bySlot, slot)
		}
	}
	return moved
}
