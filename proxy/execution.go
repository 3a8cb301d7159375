package proxy

import (
	"context"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
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
	s    *session
	row  *command.Row
	tx   *transaction
	exec []deed // what monitors are told of EXEC
	all  []deed // likewise, with the commands, if they are executed

	// Owned by readLoop.
	guarded bool   // something is watched
	refusal []byte // the reply if nothing was executed for that; nil: it was
	next    int    // of tx.own; -1: the guarded commands come first
	beside  *aside // what is waited for; nil: nothing
}

// within is the execution of one command of the session's own inside EXEC.
type within struct {
	reply  []byte
	beside *aside // has yet to run, for the reply; nil: it is there
}

// execAtLength begins an execution. The Pipeline must be empty.
func (s *session) execAtLength(row *command.Row, tx *transaction) verdict {
	x := &execution{s: s, row: row, tx: tx, exec: s.deeds, all: s.deedsOf(tx)}
	s.hush() // until the end
	if w := s.takeWatch(); w != nil {
		x.guarded, x.next = true, -1
		e := s.pipe.Errand()
		x.beside = s.newAside(func(ctx context.Context) dispatcher.Reply {
			return dispatcher.Whole(e.Exec(ctx, w, &tx.queue))
		}, nil)
		x.beside.start()
	}
	s.waiting = x.proceed
	if !x.proceed() {
		return wait
	}
	return done
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
			x.take(b.reply.Bytes())
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
	w := x.s.executeOwn(call)
	if w.beside == nil {
		x.take(w.reply)
		return
	}
	x.beside = w.beside
	x.beside.start()
}

// take takes the reply to what was begun last.
func (x *execution) take(reply []byte) {
	if x.next < 0 {
		x.refusal = reply
	} else {
		x.tx.queue.Answer(x.tx.own[x.next].answer, reply)
	}
	x.next++
}

// end answers EXEC, or sends what is for the nodes.
func (x *execution) end() {
	s, deeds := x.s, x.all
	s.waiting = nil
	s.setTransaction(nil)
	switch {
	case !x.guarded:
		s.pipe.Exec(x.row, &x.tx.queue)
	case x.refusal == nil:
		s.pipe.Local(x.row, x.tx.queue.Results())
	default:
		deeds = x.exec
		s.pipe.Local(x.row, x.refusal)
	}
	s.tellOf(deeds, false)
	if x.guarded {
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
func (s *session) executeOwn(call ownCall) *within {
	w := &within{}
	s.within = w
	call.do(s, call.row, &resp.Command{Args: call.args})
	s.within = nil
	return w
}
