package proxy

import (
	"context"
	"slices"
	"strings"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// clientCommands are CLIENT's sub-commands. They are all about the proxy's
// clients: a node has other ones.
var clientCommands = map[string]handler{
	"client|id":       (*session).clientID,
	"client|setname":  (*session).clientSetName,
	"client|getname":  (*session).clientGetName,
	"client|setinfo":  (*session).clientSetInfo,
	"client|info":     (*session).clientInfo,
	"client|list":     (*session).clientList,
	"client|kill":     (*session).clientKill,
	"client|pause":    (*session).clientPause,
	"client|unpause":  (*session).clientUnpause,
	"client|unblock":  (*session).clientUnblock,
	"client|no-evict": (*session).clientNoEvict,
	"client|no-touch": (*session).clientNoTouch,
	"client|reply":    (*session).clientReply,

	"client|capa":          (*session).clientCapa,
	"client|import-source": (*session).clientImportSource,

	"client|tracking":     (*session).clientTracking,
	"client|trackinginfo": (*session).clientTrackingInfo,
	"client|caching":      (*session).clientCaching,
	"client|getredir":     (*session).clientGetRedir,
}

// present returns the sessions of now in the order in which their clients came.
func (s *Server) present() []*session {
	s.mu.Lock()
	list := make([]*session, 0, len(s.sessions))
	for sess := range s.sessions {
		list = append(list, sess)
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b *session) int { return int(int64(a.id) - int64(b.id)) })
	return list
}

// expel closes a client at once, as if it had hung up, or once a node has let it
// go if it is blocked. Nobody sees it any more.
func (s *Server) expel(sess *session) {
	s.mu.Lock()
	delete(s.sessions, sess)
	s.mu.Unlock()
	if c := sess.sub.Load(); c != nil {
		c.Close() // or a PUBLISH behind the CLIENT KILL would count it
	}
	if !sess.dismiss() {
		sess.conn.Abort()
	}
}

// expelUsers closes the clients of users who are no more, as Redis does, save me,
// who has yet to get a reply; true if I am one of them.
func (s *Server) expelUsers(names [][]byte, me *session) (suicide bool) {
	gone := make(map[string]bool, len(names))
	for _, name := range names {
		gone[string(name)] = true
	}
	for _, sess := range s.present() {
		switch {
		case !gone[sess.userName()]:
		case sess == me:
			suicide = true
		default:
			s.expel(sess)
		}
	}
	return suicide
}

func (s *session) clientInfo(row *command.Row, cmd *resp.Command) verdict {
	p := s.portrayAt(s.now(row, cmd))
	line := p.appendLine(nil, s.srv.version())
	return s.say(row, resp.AppendVerbatim(nil, s.proto(), "txt", string(line)))
}

func (s *session) clientList(row *command.Row, cmd *resp.Command) verdict {
	var f clientFilter
	if fault := f.parse(cmd.Args[2:], s, false); fault != "" {
		return s.fail(row, fault)
	}
	proto, now := s.proto(), s.now(row, cmd)
	return s.permitted(row, probeClientList, func(ctx context.Context, e *dispatcher.Errand) []byte {
		version := s.srv.version()
		if version.has(listKnowsUsers) {
			if fault := f.unknownUser(ctx, e); fault != "" {
				return resp.AppendError(nil, fault)
			}
		}
		var b []byte
		for _, sess := range s.srv.present() {
			if !f.matches(sess) {
				continue
			}
			p := portrait{}
			if sess == s {
				p = s.portrayAt(now)
			} else {
				p = sess.portray()
			}
			b = p.appendLine(b, version)
		}
		return resp.AppendVerbatim(nil, proto, "txt", string(b))
	}, nil)
}

// clientKill has an old form, with an address and an OK, and a new one, with
// options and a count. In the old form clients may kill themselves.
func (s *session) clientKill(row *command.Row, cmd *resp.Command) verdict {
	old := len(cmd.Args) == 3
	f := clientFilter{skip: s}
	if old {
		f.skip, f.want.addr = nil, text(cmd.Args[2])
	} else if fault := f.parse(cmd.Args[2:], s, true); fault != "" {
		return s.fail(row, fault)
	}
	suicide := false
	return s.permitted(row, probeClientKill, func(ctx context.Context, e *dispatcher.Errand) []byte {
		if fault := f.unknownUser(ctx, e); fault != "" {
			return resp.AppendError(nil, fault)
		}
		killed := 0
		for _, sess := range s.srv.present() {
			if !f.matches(sess) {
				continue
			}
			killed++
			if sess == s {
				suicide = true // once it has its reply
			} else {
				s.srv.expel(sess)
			}
		}
		switch {
		case old && killed == 0:
			return resp.AppendError(nil, "ERR No such client")
		case old:
			return replyOK
		}
		return resp.AppendInt(nil, int64(killed))
	}, func() { s.stopped = suicide })
}

// clientUnblock has the node at which a client is blocked end that.
func (s *session) clientUnblock(row *command.Row, cmd *resp.Command) verdict {
	switch {
	case len(cmd.Args) > 4:
		return s.misused(row, cmd)
	case len(cmd.Args) == 4 && !is(cmd.Args[3], "TIMEOUT") && !is(cmd.Args[3], "ERROR"):
		return s.fail(row, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
	}
	id, ok := integer(cmd.Args[2])
	if !ok {
		return s.fail(row, errNoInteger)
	}
	reason := resp.CloneArgs(cmd.Args[3:])
	return s.permitted(row, probeClientUnblock, func(ctx context.Context, e *dispatcher.Errand) []byte {
		return s.srv.unblock(ctx, e, id, reason...)
	}, nil)
}

// misused answers a sub-command whose number of arguments its row allows and
// its code does not.
func (s *session) misused(row *command.Row, cmd *resp.Command) verdict {
	container, _, _ := strings.Cut(row.Name, "|")
	return s.fail(row, "ERR unknown subcommand or wrong number of arguments for '"+string(cmd.Args[1])+"'. Try "+strings.ToUpper(container)+" HELP.")
}
