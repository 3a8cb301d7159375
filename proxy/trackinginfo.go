package proxy

import (
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

func (s *session) clientGetRedir(row *command.Row, _ *resp.Command) verdict {
	return s.say(row, resp.AppendInt(nil, s.redirection()))
}

// redirection is what CLIENT GETREDIR answers.
func (s *session) redirection() int64 {
	switch t := s.tracking; {
	case t == nil:
		return -1
	case t.redirect != nil:
		return int64(t.redirect.id)
	}
	return 0
}

func (s *session) clientTrackingInfo(row *command.Row, _ *resp.Command) verdict {
	t := s.tracking
	flags := []string{"off"}
	if t != nil {
		flags[0] = "on"
	} else {
		t = &tracking{}
	}
	for _, f := range []struct {
		set  bool
		word string
	}{
		{t.bcast, "bcast"},
		{t.optin, "optin"},
		{t.optin && t.caching, "caching-yes"},
		{t.optout, "optout"},
		{t.optout && t.caching, "caching-no"},
		{t.noloop, "noloop"},
		{s.badgeNow().redirectGone, "broken_redirect"},
	} {
		if f.set {
			flags = append(flags, f.word)
		}
	}
	b := resp.AppendMapHeader(nil, s.proto(), 3)
	b = resp.AppendBulkString(b, "flags")
	b = resp.AppendSetHeader(b, s.proto(), len(flags))
	for _, f := range flags {
		b = resp.AppendBulkString(b, f)
	}
	b = resp.AppendBulkString(b, "redirect")
	b = resp.AppendInt(b, s.redirection())
	b = resp.AppendBulkString(b, "prefixes")
	b = resp.AppendArrayHeader(b, len(t.prefixes))
	for _, p := range t.prefixes {
		b = resp.AppendBulkString(b, p)
	}
	return s.say(row, b)
}
