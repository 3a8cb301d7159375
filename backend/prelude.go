package backend

import "slices"

// Prelude says of a task that its Wire is several commands, of which only the
// last one's reply is the task's: a transaction. All of them travel as one unit,
// with nothing between them; the replies to those before the last are looked at for
// errors and swallowed. It belongs to the task, and is read when that has its reply.
type Prelude struct {
	// Replies is how many commands come before the last. Set by the caller.
	Replies int
	// Fault is the first error among their replies, a copy with its '-'; nil
	// if there is none.
	Fault []byte
	// At is which of them it answered, from 0.
	At int
	// Errors is how many of them are errors.
	Errors int

	seen int
	task Task // what the replies answer
}

// begin makes the prelude ready for the replies to t, which is about to be sent.
func (p *Prelude) begin(t *Task) *Task {
	*p = Prelude{Replies: p.Replies}
	p.task = Task{Handler: p, Start: t.Start}
	return &p.task
}

// Replied implements Handler.
func (p *Prelude) Replied(run []Reply, _ *Chunk) Flusher {
	for i := range run {
		if reply := run[i].Bytes; reply[0] == '-' {
			if p.Errors++; p.Fault == nil {
				p.Fault, p.At = slices.Clone(reply), p.seen
			}
		}
		p.seen++
	}
	return nil
}

// Failed implements Handler. The task behind it fails as well.
func (p *Prelude) Failed(*Task, *LostError) Flusher { return nil }
