package proxy

import (
	"context"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/pubsub"
	"redis-cluster-proxy/resp"
)

// execGuarded answers an EXEC of commands for a node where something is watched.
// The Pipeline must be empty.
func (s *session) execGuarded(row *command.Row, tx *transaction) verdict {
	deeds, all := s.deeds, s.deedsOf(tx)
	s.hush() // until it is known what is done
	s.setTransaction(nil)
	s.elsewhere = tx.reads
	w, e := s.takeWatch(), s.pipe.Errand()
	return s.runAside(row, func(ctx context.Context) dispatcher.Reply {
		reply := e.Exec(ctx, w, &tx.queue)
		if reply == nil {
			deeds, reply = all, tx.queue.Results()
		}
		if !s.monitoring {
			s.tellOf(deeds, false)
		}
		return dispatcher.Whole(reply)
	}, func() {
		if s.monitoring {
			s.tellOf(deeds, false)
		}
	})
}

// execution is an EXEC with commands that the session answers itself, and that
// takes its time: it has to ask nodes for them, or something is watched. The session's
// own commands are executed one after the other, right before the others are
// sent to their nodes, or with WATCH right after them, since before that nobody knows
// whether anything is executed. The Pipeline is empty meanwhile.
type execution struct {
	// Set at construction.
	s     *session
	row   *command.Row
	tx    *transaction
	turns *rehearsal // nil: none of them changes the session
	exec  []deed     // what monitors are told of EXEC
	all   []deed     // likewise, with the commands, if they are executed

	// Owned by readLoop.
	guarded bool   // something is watched
	refusal []byte // the reply if nothing was executed; nil: it was
	muted   bool   // there are no replies
	next    int    // of tx.own; -1: those for the nodes come first
	beside  *aside // what is waited for; nil: nothing
}

// within is the execution of one command of the session's own inside EXEC.
type within struct {
	outcome  outcome
	sequence *pubsub.Sequence // of the rehearsal

	reply  []byte
	loud   bool   // CLIENT REPLY does not silence it
	beside *aside // has yet to run, for the reply; nil: it is there
}

// execAtLength begins an execution. The Pipeline must be empty.
func (s *session) execAtLength(row *command.Row, tx *transaction) verdict {
	x := &execution{s: s, row: row, tx: tx, exec: s.deeds, all: s.deedsOf(tx)}
	s.hush() // until the end
	w := s.takeWatch()
	x.guarded = w != nil
	if tx.turns {
		x.turns = s.newRehearsal(tx.own)
		if x.muted = s.mute.now(); x.muted {
			tx.queue.Mute()
		}
	}
	if x.nodesFirst() {
		x.next = -1
		e := s.pipe.Errand()
		x.beside = s.newAside(func(ctx context.Context) dispatcher.Reply { return dispatcher.Whole(x.execute(ctx, e, w)) }, nil)
		x.beside.start()
	}
	s.waiting = x.proceed
	if !x.proceed() {
		return wait
	}
	return done
}

// nodesFirst reports whether the session's own commands are executed behind the
// others: only if those are.
func (x *execution) nodesFirst() bool { return x.guarded || x.turns != nil }

// execute executes what is for the nodes. If that was not executed, it returns the
// reply to EXEC. It runs beside the session.
func (x *execution) execute(ctx context.Context, e *dispatcher.Errand, w *dispatcher.Watch) (refusal []byte) {
	exec := func() []byte { return e.ExecFreely(ctx, &x.tx.queue) }
	if w != nil {
		defer w.End()
		exec = func() []byte { return e.Exec(ctx, w, &x.tx.queue) }
	}
	if x.turns == nil {
		return exec()
	}
	return x.turns.execute(ctx, x.tx, exec)
}

// proceed goes on as far as it can; false if it has to be called again. It is
// called by readLoop.
func (x *execution) proceed() bool {
	for x.beside == nil || x.beside.answered.Load() {
		switch b := x.beside; {
		case b != nil:
			x.beside = nil
			if b.after != nil {
				b.after()
			}
			x.take(b.reply.Bytes(), false)
		case x.next == len(x.tx.own), x.refusal != nil:
			x.end()
			return true
		default:
			x.begin(x.tx.own[x.next])
		}
	}
	return false
}

// begin executes a command of the session's own.
func (x *execution) begin(call ownCall) {
	w := &within{}
	if x.turns != nil {
		w.outcome, w.sequence = x.turns.outcomes[x.next], x.turns.sequence
	}
	if w.outcome.denied {
		x.take(resp.AppendError(nil, errNoLonger), false)
		return
	}
	x.s.executeOwn(call, w)
	if w.beside == nil {
		x.take(w.reply, w.loud)
		return
	}
	x.beside = w.beside
	x.beside.start()
}

// take takes the reply to what was begun last.
func (x *execution) take(reply []byte, loud bool) {
	if x.next++; x.next == 0 && x.nodesFirst() {
		x.refusal = reply
		return
	}
	q, answer := &x.tx.queue, x.tx.own[x.next-1].answer
	if loud {
		q.Announce(answer, reply)
	} else {
		q.Answer(answer, reply)
	}
	if muted := x.s.mute.now(); x.turns != nil && muted != x.muted {
		x.muted = muted
		q.Silence(answer, muted)
	}
}

// end answers EXEC, or sends what is for the nodes.
func (x *execution) end() {
	s, deeds := x.s, x.all
	s.waiting = nil
	s.setTransaction(nil)
	switch {
	case !x.nodesFirst():
		s.pipe.Exec(x.row, &x.tx.queue)
	case x.refusal != nil:
		deeds = x.exec
		s.pipe.Local(x.row, x.refusal)
	case x.turns == nil:
		s.pipe.Local(x.row, x.tx.queue.Results())
	default:
		s.pipe.SetSilent(false) // where there is no reply, the results have none
		s.pipe.Local(x.row, x.tx.queue.Results())
		s.pipe.SetSilent(s.mute.now())
		s.pipe.Release(false)
		s.noteSubscriptions()
	}
	s.tellOf(deeds, false)
	if x.nodesFirst() {
		s.elsewhere = x.tx.reads
		if read := s.readElsewhere(x.row); read != nil {
			read()
		}
	}
	if t := s.tracking; t != nil && t.caching {
		s.setCaching(false) // what CLIENT CACHING set was about this
	}
}

// executeOwn executes a command inside EXEC, or begins to.
func (s *session) executeOwn(call ownCall, w *within) {
	s.within = w
	call.do(s, call.row, &resp.Command{Args: call.args})
	s.within = nil
}
