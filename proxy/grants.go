package proxy

import (
	"bytes"
	"context"
	"sync/atomic"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// What a session answers by itself, a user may be forbidden like anything else.
// So a node is asked the same, in a form that changes nothing, and its word is
// believed for a while. Those who act as the proxy's own account are not asked about:
// whoever runs the proxy has chosen what it may do, and PING has to be answered also
// when the nodes do not.

// grantLife is for how long a node's word is believed, if nobody changes the users
// through this proxy.
const grantLife = 5 * time.Second

// grantPatience is how long a node may take to say it. Nothing is at stake that is
// worth more.
const grantPatience = time.Second

// probes are the harmless forms, by row name. Redis asks nobody's permission for
// AUTH, HELLO, RESET and QUIT; what looks at other clients or changes settings asks
// anew each time, see permitted.
var probes = map[string][][]byte{
	"ping": words("PING"), "echo": words("ECHO", ""), "time": words("TIME"),
	"select": words("SELECT", "0"), "swapdb": words("SWAPDB", "0", "0"),

	"client|id": words("CLIENT", "ID"), "client|info": words("CLIENT", "INFO"),
	"client|setname": words("CLIENT", "SETNAME", ""), "client|getname": words("CLIENT", "GETNAME"),
	"client|capa": words("CLIENT", "CAPA", "none"), "client|import-source": words("CLIENT", "IMPORT-SOURCE", "OFF"),
	"client|setinfo": words("CLIENT", "SETINFO", "LIB-NAME", ""), "client|no-evict": words("CLIENT", "NO-EVICT", "OFF"),
	"client|reply": words("CLIENT", "REPLY", "ON"), "client|trackinginfo": words("CLIENT", "TRACKINGINFO"),
	"client|caching": words("CLIENT", "CACHING", "YES"), "client|getredir": words("CLIENT", "GETREDIR"),

	"randomkey": words("RANDOMKEY"),

	"readwrite": words("READWRITE"), "readonly": words("READONLY"), "asking": words("ASKING"),
	"cluster|info": words("CLUSTER", "INFO"), "cluster|myid": words("CLUSTER", "MYID"), "cluster|keyslot": words("CLUSTER", "KEYSLOT", ""),
	"cluster|slots": words("CLUSTER", "SLOTS"), "cluster|shards": words("CLUSTER", "SHARDS"), "cluster|nodes": words("CLUSTER", "NODES"),
	"cluster|links": words("CLUSTER", "LINKS"),
}

// lasting are the probes that a connection remembers, so that nobody else may get
// it.
var lasting = map[string]bool{"readonly": true, "asking": true, "select": true}

// grant is that the session's user may do something.
func (s *session) grant(what string) dispatcher.Grant { return dispatcher.GrantTo(s.profile, what) }

// inquiry is the question whether a session may use a command.
type inquiry struct {
	what     dispatcher.Grant
	refusal  []byte // the node's; nil: none
	answered atomic.Bool
}

// forbidden reports whether a command that the session would answer by itself is
// not to be answered now: it was refused, or the session waits for a node's word and
// begins the command again.
func (s *session) forbidden(row *command.Row, cmd *resp.Command) (v verdict, not bool) {
	name, probe := row.Name, probes[row.Name]
	if probe == nil || s.srv.isOwnAccount(s.profile) {
		return done, false
	}
	if row.Is("select") && s.selectsAnother(cmd) { // to Valkey 9.1 not all databases are alike
		name, probe = "select "+string(cmd.Args[1]), words("SELECT", string(cmd.Args[1]))
	}
	what := s.grant(name)
	if q := s.inquiry; q != nil && q.what == what { // this is the second time
		s.inquiry = nil
		if q.refusal == nil {
			return done, false
		}
		return s.refuse(row, string(bytes.TrimRight(q.refusal[1:], "\r\n"))), true
	}
	switch {
	case s.srv.d.Grants().Has(what):
		return done, false
	case s.pipe.Busy():
		return retry, true
	}
	q := &inquiry{what: what}
	e := s.pipe.Errand()
	s.inquiry = q
	s.waiting = func() bool {
		if q.answered.Load() {
			s.waiting = nil
		}
		return s.waiting == nil
	}
	s.srv.ending.Add(1)
	go s.inquire(q, func(ctx context.Context) (reply []byte, err error) {
		if lasting[row.Name] {
			return e.AskLast(ctx, e.Any(), probe...)
		}
		return e.Ask(ctx, e.Any(), probe...)
	})
	return retry, true
}

// inquire asks a node. Without its word, nothing is refused, and it is asked again
// the next time.
func (s *session) inquire(q *inquiry, ask func(context.Context) ([]byte, error)) {
	defer s.srv.ending.Done()
	ctx, cancel := backend.WithPatience(s.srv.ctx, grantPatience, backend.ErrTimeout)
	defer cancel()
	reply, err := ask(ctx)
	switch {
	case err != nil:
	case bytes.HasPrefix(reply, []byte("-NOPERM ")):
		q.refusal = reply
	default:
		s.srv.d.Grants().Add(q.what, grantLife)
	}
	q.answered.Store(true)
	s.conn.Resume()
}
