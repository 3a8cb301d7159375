package proxy

import (
	"context"
	"strings"

	"github.com/golang/glog"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// transaction is a session's between MULTI and EXEC or DISCARD.
type transaction struct {
	queue   dispatcher.Transaction
	own     []ownCall // commands that the session answers at EXEC
	beside  bool      // some of them not at once; see execution
	turns   bool      // some of them change the session; see rehearsal
	tracks  bool      // CLIENT TRACKING is among them
	aborted bool      // EXEC will say EXECABORT
	writes  bool      // CLIENT PAUSE WRITE holds EXEC back
	reads   []string  // keys; see noteRead
}

// ownCall is a queued command that no node is asked.
type ownCall struct {
	answer int // in the Transaction
	turn   int // of the Transaction; -1: it does not change the profile
	row    *command.Row
	args   [][]byte
	do     handler
}

// maxTransactionBytes is how much a client may queue. Redis closes a client
// whose queue and query buffer are longer than client-query-buffer-limit.
const maxTransactionBytes = 1 << 30

const errExecAbort = "EXECABORT Transaction discarded because of previous errors."

// errNoMulti refuses a command of which the servers say that MULTI does not take it:
// to Valkey, MULTI and WATCH are two of them.
func (s *Server) errNoMulti(row *command.Row) string {
	if s.version().has(since{valkey: 9.1}) {
		return "ERR Command '" + row.Name + "' not allowed inside a transaction"
	}
	return "ERR Command not allowed inside a transaction"
}

// transactionCommands are never queued, save UNWATCH.
var transactionCommands = map[string]handler{
	"multi":   (*session).multi,
	"exec":    (*session).exec,
	"discard": (*session).discard,
	"watch":   (*session).watchKeys,
	"unwatch": (*session).unwatch,
}

// immediate are the commands that are executed inside MULTI instead of being
// queued, as processCommand of Redis 7 has it.
var immediate = map[string]bool{"multi": true, "exec": true, "discard": true, "watch": true, "quit": true, "reset": true}

// alongWithMulti are commands without keys that go to the node of the others,
// though outside of MULTI they may be answered otherwise.
var alongWithMulti = map[string]bool{
	"ping": true, "echo": true, "time": true, "unwatch": true, "publish": true, "script|exists": true, "wait": true, "waitaof": true,
}

// atOnceInMulti are commands that a session answers itself, and asks nobody for
// the answer.
var atOnceInMulti = map[string]bool{
	"select": true, "swapdb": true, "move": true, "client|id": true, "client|getname": true, "client|setname": true,
	"client|setinfo": true, "client|info": true, "client|no-evict": true, "client|trackinginfo": true, "client|getredir": true,
	"client|caching": true, "client|capa": true, "client|import-source": true, "monitor": true,
}

// overAll returns what a command concerns at all nodes, so that what is in the same
// transaction would notice whether it is executed in the middle of it; "" if nothing.
func overAll(row *command.Row, w way) string {
	switch {
	case row.Is("keys"), row.Is("scan"), row.Is("randomkey"):
		return "the keys of all nodes"
	case w != wayFanOut && w != wayEveryPrimary, row.Is("script|load"):
		return ""
	case row.Family == command.FamilyScripting:
		return "all nodes"
	case row.ReadOnly(), row.Write():
		return "the keys of all nodes"
	}
	return ""
}

// setTransaction enters or leaves MULTI.
func (s *session) setTransaction(tx *transaction) {
	s.tx = tx
	s.settlePlain()
	s.queued.Store(-1)
	s.queuedBytes.Store(0)
	if tx != nil {
		s.queued.Store(0)
	}
}

// notPlain handles a command of a session of which authed or tx says that not
// everything goes its ordinary way; false: this command does.
func (s *session) notPlain(row *command.Row, cmd *resp.Command) (v verdict, handled bool) {
	switch {
	case !s.authed && !row.Flags.Has(command.FlagNoAuth):
		return s.refuse(row, "NOAUTH Authentication required."), true
	case s.confined() && !allowedInConfinement(row):
		return s.refuseConfined(row), true
	case s.monitoring && touchesKeys(row):
		return s.refuse(row, errMonitorKeys), true
	case s.tx != nil && row.Flags.Has(command.FlagNoMulti):
		return s.refuse(row, s.srv.errNoMulti(row)), true
	case s.tx == nil || immediate[row.Name]:
		return done, false
	case s.gate != nil && s.gate.holds(row):
		return s.holdBack(row), true
	}
	return s.enqueue(row, cmd), true
}

// refuse answers a command that is not executed. In MULTI nothing will be, then;
// EXEC itself ends the transaction, as rejectCommand of Redis has it.
func (s *session) refuse(row *command.Row, text string) verdict {
	if s.tx != nil {
		s.tx.aborted = true
	}
	if row != nil && row.Is("exec") {
		text = "EXECABORT Transaction discarded because of: " + strings.TrimPrefix(text, "ERR ")
		s.abandon()
	}
	s.hush()
	s.pipe.LocalError(row, text)
	return done
}

// abandon ends a transaction, if there is one, and what is watched in any case, as
// discardTransaction of Redis does.
func (s *session) abandon() {
	if s.tx != nil {
		s.setTransaction(nil)
	}
	s.dropWatch()
}

// misspelt answers a command that Lookup refused.
func (s *session) misspelt(cmd *resp.Command, err error) verdict {
	text := err.Error()
	if !s.authed && s.srv.version().has(since{valkey: 9.1}) {
		text = "NOAUTH Authentication required." // who may say nothing is not told what there is
	}
	s.refuse(nil, text)
	if is(cmd.Args[0], "exec") {
		s.abandon()
	}
	return done
}

// enqueue takes a command into the transaction, or refuses it.
func (s *session) enqueue(row *command.Row, cmd *resp.Command) verdict {
	fault := ""
	switch d := s.srv.decide(row, cmd.Args); {
	case alongWithMulti[row.Name] && !(row.Is("ping") && s.tx.turns), d.way == wayForward, d.way == wayBlock:
		fault = s.pipe.Queue(&s.tx.queue, row, cmd)
	case d.way == wayRefuse && d.fault != errNoCluster:
		fault = d.fault
	case overAll(row, d.way) != "":
		fault = "ERR '" + row.Name + "' is not possible inside MULTI: it concerns " + overAll(row, d.way) + " of the cluster"
	default:
		if v, not := s.forbidden(row, cmd); not {
			return v
		}
		s.enqueueOwn(row, cmd, d)
	}
	if fault != "" {
		return s.refuse(row, fault)
	}
	if s.tx.queue.Bytes() > maxTransactionBytes {
		s.conn.Abort()
		glog.Warningf("client %d %s closed: its transaction has more than %d bytes", s.id, s.conn.NetConn().RemoteAddr(), maxTransactionBytes)
		return stop
	}
	s.tx.writes = s.tx.writes || replicates(row)
	s.noteRead(row, cmd.Args)
	s.queued.Store(int32(s.tx.queue.Len()))
	s.queuedBytes.Store(int64(s.tx.queue.Bytes()))
	s.hush()
	return s.say(row, replyQueued)
}

// enqueueOwn takes a command of the session's own into the transaction.
func (s *session) enqueueOwn(row *command.Row, cmd *resp.Command, d decision) {
	tx := s.tx
	call := ownCall{answer: tx.queue.Reserve(), turn: -1, row: row, args: resp.CloneArgs(cmd.Args), do: d.handler}
	switch d.way {
	case wayFanOut:
		call.do = (*session).fanOut
	case wayEveryPrimary:
		call.do = (*session).everyPrimary
	case wayRefuse:
		call.do = func(s *session, row *command.Row, _ *resp.Command) verdict { return s.fail(row, d.fault) }
	}
	if s.turns(row) {
		tx.turns = true
		tx.tracks = tx.tracks || row.Is("client|tracking")
		if turnsProfile[row.Name] {
			call.turn = tx.queue.Turn()
		}
	}
	tx.own = append(tx.own, call)
	tx.beside = tx.beside || tx.turns || !atOnceInMulti[row.Name] && d.way != wayRefuse
}

var replyQueued = []byte("+QUEUED\r\n")

func (s *session) multi(row *command.Row, _ *resp.Command) verdict {
	if s.tx != nil {
		return s.fail(row, "ERR MULTI calls can not be nested")
	}
	grant := s.grant(row.Name)
	if s.srv.d.Grants().Has(grant) {
		s.beginTransaction()
		return s.ok(row)
	}
	if s.pipe.Busy() {
		return retry
	}
	e, allowed := s.pipe.Errand(), false
	return s.runAside(row, func(ctx context.Context) dispatcher.Reply {
		refusal, certain := e.AskMulti(ctx)
		if allowed = refusal == nil; !allowed {
			return dispatcher.Whole(refusal)
		}
		if certain {
			s.srv.d.Grants().Add(grant, dispatcher.Lasting)
		}
		s.queued.Store(0) // before the client can know
		return dispatcher.Whole(replyOK)
	}, func() {
		if allowed {
			s.beginTransaction()
		}
	})
}

func (s *session) beginTransaction() {
	tx := &transaction{}
	s.setTransaction(tx)
	if w := s.watch.look(); w != nil {
		tx.queue.Guard(w)
	}
}

func (s *session) exec(row *command.Row, _ *resp.Command) verdict {
	tx := s.tx
	switch {
	case tx == nil:
		return s.fail(row, "ERR EXEC without MULTI")
	case tx.writes && s.gate != nil:
		return s.holdBack(row)
	case tx.aborted:
		s.abandon()
		return s.fail(row, errExecAbort)
	case !tx.beside && !s.watch.active():
		s.deeds = s.deedsOf(tx)
		for _, call := range tx.own {
			w := &within{}
			s.executeOwn(call, w)
			if w.beside != nil {
				panic("proxy: " + call.row.Name + " is not answered at once")
			}
			tx.queue.Answer(call.answer, w.reply)
		}
		s.setTransaction(nil)
		s.pipe.Exec(row, &tx.queue)
		return done
	case s.pipe.Busy():
		return retry
	}
	if len(tx.own) == 0 {
		return s.execGuarded(row, tx)
	}
	return s.execAtLength(row, tx)
}

func (s *session) discard(row *command.Row, cmd *resp.Command) verdict {
	if s.tx == nil {
		return s.fail(row, "ERR DISCARD without MULTI")
	}
	if s.watch.active() && s.pipe.Busy() {
		return retry
	}
	s.setTransaction(nil)
	return s.unwatch(row, cmd)
}
