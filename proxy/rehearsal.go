package proxy

import (
	"bytes"
	"context"
	"strings"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/pubsub"
	"redis-cluster-proxy/resp"
)

// Inside EXEC a command may change the session: how later replies look (HELLO), whose
// the later commands are (AUTH), whether there are replies (CLIENT REPLY), what the client
// hears (SUBSCRIBE, CLIENT TRACKING). Nothing of that may be so if in the end nothing is
// executed, and the nodes have to know some of it before. So it is found out first what
// the session will be like behind each of these commands; that is the rehearsal. Then
// the others are sent to their nodes, which are told in the middle of them whose they
// are (see Transaction.Turn); and when they are executed, the session changes.

// turning are the commands that change the session, and turnsProfile those that
// change its profile.
var (
	turning = map[string]bool{
		"auth": true, "hello": true, "select": true, "client|reply": true, "client|tracking": true,
		"subscribe": true, "psubscribe": true, "unsubscribe": true, "punsubscribe": true, "sunsubscribe": true,
	}
	turnsProfile = map[string]bool{"auth": true, "hello": true, "select": true}
)

// turns reports whether a command that is queued changes the session.
func (s *session) turns(row *command.Row) bool {
	return turning[row.Name] && (!row.Is("select") || s.srv.databases.Load() > 1)
}

// outcome is what a node has said about a command before its turn.
type outcome struct {
	asked   bool  // whether it accepts what AUTH, or HELLO with AUTH, says
	refused error // no
	denied  bool  // the one whom AUTH made of the client may not use it
}

// errNoLonger answers a command that AUTH inside the transaction has taken from the
// client, as execCommand of Redis words it.
const errNoLonger = "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. " +
	"This command is no longer allowed for the following reason: no permission to execute the command or subcommand"

// rehearsal is what the session will have become by a transaction.
type rehearsal struct {
	// Set at construction.
	s     *session
	own   []ownCall
	begin backend.Profile // the session's at EXEC

	end      backend.Profile
	behind   []backend.Profile // each turn
	outcomes []outcome         // of own
	sequence *pubsub.Sequence  // nil: the client has never subscribed, and does not
}

func (s *session) newRehearsal(own []ownCall) *rehearsal {
	return &rehearsal{s: s, own: own, begin: s.profile, outcomes: make([]outcome, len(own))}
}

// execute rehearses, and executes what is for the nodes by exec. If nothing is
// executed it returns the reply to EXEC, and the session is what it was. It runs beside the session.
func (r *rehearsal) execute(ctx context.Context, tx *transaction, exec func() []byte) (refusal []byte) {
	if fault := r.play(ctx); fault != nil {
		return resp.AppendError(nil, "EXECABORT Transaction discarded because of: "+fault.Error())
	}
	tx.queue.Settle(r.begin, r.behind)
	s := r.s
	if r.sequence == nil {
		s.pipe.Withhold()
	} else {
		r.sequence.Begin(r.end.Proto, s.pipe.Withhold)
	}
	refusal = exec()
	switch {
	case refusal == nil && r.sequence != nil:
		ctx, cancel := context.WithTimeout(ctx, unsubscribePatience)
		defer cancel()
		r.sequence.End(ctx)
	case refusal != nil && r.sequence != nil:
		r.sequence.Undo(func() { s.pipe.Release(r.end.Proto != r.begin.Proto || r.begin.Proto < resp.RESP3) })
	case refusal != nil:
		s.pipe.Release(false)
	}
	return refusal
}

// play finds out what the commands will do.
func (r *rehearsal) play(ctx context.Context) error {
	r.end = r.begin
	var changes []pubsub.Change
	for i, call := range r.own {
		if r.outcomes[i].denied = r.denies(ctx, call.row); !r.outcomes[i].denied {
			r.turn(ctx, i, call)
			changes = r.appendChange(changes, call)
		}
		if call.turn >= 0 {
			r.behind = append(r.behind, r.end)
		}
	}
	if c := r.s.sub.Load(); c == nil && len(changes) == 0 {
		return nil
	}
	r.sequence = r.s.subscriber().Sequence(changes)
	ctx, cancel := context.WithTimeoutCause(ctx, subscribePatience, errNotConfirmed)
	defer cancel()
	return r.sequence.Await(ctx)
}

// turn is play for one that may change the profile.
func (r *rehearsal) turn(ctx context.Context, i int, call ownCall) {
	switch {
	case call.row.Is("auth"):
		if v, fault := authWish(r.end, call.args); fault == "" && r.verify(ctx, i, v.ask) {
			r.end = v.profile
		}
	case call.row.Is("hello"):
		r.hello(ctx, i, call.args)
	case call.row.Is("select"):
		if n, fault := dbIndex(call.args[1]); fault == "" && !r.s.srv.outOfRange(n) {
			r.end.DB = int(n)
		}
	}
}

// appendChange is play for one that may change what the client hears.
func (r *rehearsal) appendChange(changes []pubsub.Change, call ownCall) []pubsub.Change {
	kind, ok := pubsubKinds[call.row.Name]
	if !ok || call.row.Is("ssubscribe") {
		return changes
	}
	ch := pubsub.Change{Who: listener(r.end), Kind: kind, Ends: strings.Contains(call.row.Name, "unsubscribe")}
	for _, name := range call.args[1:] {
		ch.Names = append(ch.Names, string(name))
	}
	return append(changes, ch)
}

// denies asks a node whether the one whom the client has become may not use a
// command that the session answers.
func (r *rehearsal) denies(ctx context.Context, row *command.Row) bool {
	probe := probes[row.Name]
	same := r.end.User == r.begin.User && r.end.Password == r.begin.Password
	if probe == nil || same || r.s.srv.isOwnAccount(r.end) {
		return false
	}
	ctx, cancel := backend.WithPatience(ctx, grantPatience, backend.ErrTimeout)
	defer cancel()
	e := r.s.srv.d.NewErrand(r.end)
	reply, err := e.AskLast(ctx, e.Any(), probe...)
	return err == nil && bytes.HasPrefix(reply, []byte("-NOPERM "))
}

// hello is play for HELLO.
func (r *rehearsal) hello(ctx context.Context, i int, args [][]byte) {
	opts := parseHello(r.end, args)
	switch {
	case !r.s.srv.helloAuths(opts):
		if opts.fault == "" {
			r.end = opts.profile
		}
	case r.verify(ctx, i, opts.profile):
		before := r.end
		if r.end = opts.profile; opts.fault != "" {
			r.end.Proto = before.Proto
		}
	}
}

// verify asks a node whether it accepts a profile.
func (r *rehearsal) verify(ctx context.Context, i int, profile backend.Profile) bool {
	err := r.s.srv.verifyProfile(ctx, uint32(r.s.id), profile)
	r.outcomes[i] = outcome{asked: true, refused: err}
	return err == nil
}

// subscribeWithin answers (P|S)(UN)SUBSCRIBE inside EXEC, where it has been
// done already; see Sequence.
func (s *session) subscribeWithin(row *command.Row) verdict {
	if row.Is("ssubscribe") {
		return s.fail(row, "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
	}
	told, subscribed := s.within.sequence.Tell(s.proto())
	s.hears.Store(subscribed) // PING looks different then
	s.within.loud = true
	return s.say(row, told)
}
