package proxy

import (
	"slices"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

func (s *session) clientCaching(row *command.Row, cmd *resp.Command) verdict {
	t := s.tracking
	switch {
	case t == nil:
		return s.fail(row, errNotTracking)
	case is(cmd.Args[2], "YES"):
		if !t.optin {
			return s.fail(row, "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
		}
	case is(cmd.Args[2], "NO"):
		if !t.optout {
			return s.fail(row, "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
		}
	default:
		return s.fail(row, errSyntax)
	}
	if s.within != nil && t.optout { // it is not about what was queued before it
		t.caching = true
		return s.ok(row)
	}
	s.setCaching(true)
	return s.ok(row)
}

// setCaching says whether the next command is one that CLIENT CACHING was about.
func (s *session) setCaching(on bool) {
	c := backend.CachingAsUsual
	if t := s.tracking; t != nil {
		t.caching = on
		switch {
		case !on || !t.heard(s.proto()):
		case t.optin:
			c = backend.CachingYes
		case t.optout:
			c = backend.CachingNo
		}
	}
	s.pipe.SetCaching(c)
	s.settlePlain()
}

// spendCaching ends what CLIENT CACHING has set, behind the command at hand, or the
// transaction. CLIENT does not count, whatever its sub-command is.
func (s *session) spendCaching() {
	if t := s.tracking; t != nil && t.caching && s.tx == nil && len(s.cmd.Args) > 0 && !is(s.cmd.Args[0], "CLIENT") {
		s.setCaching(false)
	}
}

// readElsewhere returns what is to be done behind the reply to a command that does
// not travel over the session's own lanes: no node knows that the client has read
// the keys, so they are taken for changed. Nil: nothing is.
func (s *session) readElsewhere(row *command.Row) func() {
	t, keys := s.tracking, s.elsewhere
	s.elsewhere = nil
	if t == nil || !t.heard(s.proto()) {
		return nil
	}
	if row.ReadOnly() {
		keys = appendKeys(keys, row, s.cmd.Args)
	}
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	value := resp.AppendArrayHeader(nil, len(keys))
	for _, key := range keys {
		value = resp.AppendBulkString(value, key)
	}
	to := &tracker{from: s, to: t.redirect, proto: s.proto()}
	return func() { flush(to.tell(value)) }
}

// noteRead keeps the keys that a queued command may read, as it may be that no node
// will know of it.
func (s *session) noteRead(row *command.Row, args [][]byte) {
	if (s.tracking != nil || s.tx.tracks) && (row.ReadOnly() || row.Family == command.FamilyScripting) {
		s.tx.reads = appendKeys(s.tx.reads, row, args)
	}
}

func appendKeys(list []string, row *command.Row, args [][]byte) []string {
	keys, _ := row.AppendKeys(nil, args)
	for _, k := range keys {
		list = append(list, string(args[k]))
	}
	return list
}
