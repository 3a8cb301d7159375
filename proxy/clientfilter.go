package proxy

import (
	"context"
	"slices"
	"strings"
	"time"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// clientFilter says which clients CLIENT LIST and CLIENT KILL mean. The zero
// value means all.
type clientFilter struct {
	ids         []int64 // nil: any; the same of what is a pointer
	addr, laddr *string
	user        *string
	kind        string // "normal", "master", "replica" or "pubsub"
	maxAge      time.Duration
	skip        *session
}

// matches reports whether the filter means the session.
func (f *clientFilter) matches(s *session) bool {
	if s == f.skip || f.ids != nil && !slices.Contains(f.ids, int64(s.id)) {
		return false
	}
	if f.kind != "" {
		if b := s.badgeNow(); f.kind != b.kind() {
			return false
		}
	}
	if f.user != nil && *f.user != s.userName() || time.Since(s.born) < f.maxAge {
		return false
	}
	if f.addr == nil && f.laddr == nil {
		return true
	}
	o := s.outline()
	return (f.addr == nil || *f.addr == o.addr) && (f.laddr == nil || *f.laddr == o.laddr)
}

// unknownUser returns Redis's error if the filter names a user whom the cluster
// does not know, as far as the session's own user may see that.
func (f *clientFilter) unknownUser(ctx context.Context, e *dispatcher.Errand) (fault string) {
	if f.user == nil {
		return ""
	}
	reply, err := e.Ask(ctx, e.Any(), []byte("ACL"), []byte("GETUSER"), []byte(*f.user))
	if err != nil || len(reply) == 0 || reply[0] == '-' {
		return ""
	}
	if v, _, err := resp.ReadValue(reply); err != nil || !v.Null {
		return ""
	}
	return "ERR No such user '" + *f.user + "'"
}

// parse reads the options of CLIENT LIST or CLIENT KILL, of which each may come
// once or often; the last one counts. me is who asks.
func (f *clientFilter) parse(options [][]byte, me *session, kill bool) (fault string) {
	for i := 0; i < len(options); i += 2 {
		if i+1 == len(options) {
			return errSyntax
		}
		value := options[i+1]
		switch option := strings.ToLower(string(options[i])); option {
		case "id":
			n, fault := f.parseIDs(options[i+1:], kill)
			if fault != "" {
				return fault
			}
			i += n - 1
		case "type":
			if f.kind = clientKind(value); f.kind == "" {
				return "ERR Unknown client type '" + string(value) + "'"
			}
		case "addr":
			f.addr = text(value)
		case "laddr":
			f.laddr = text(value)
		case "user":
			f.user = text(value)
		case "skipme":
			switch {
			case is(value, "yes"):
				f.skip = me
			case is(value, "no"):
				f.skip = nil
			default:
				return errSyntax
			}
		case "maxage":
			n, ok := integer(value)
			switch {
			case !ok:
				return "ERR maxage is not an integer or out of range"
			case n <= 0:
				return "ERR maxage should be greater than 0"
			}
			f.maxAge = time.Duration(min(n, int64(longestAge))) * time.Second
		default:
			return errSyntax
		}
	}
	return ""
}

// text copies an argument that may well be empty.
func text(arg []byte) *string {
	s := string(arg)
	return &s
}

// longestAge is the longest age that a Duration holds, in seconds.
const longestAge = (1<<63 - 1) / time.Second

// parseIDs reads ids: one to be killed, or as many as there are to be listed.
func (f *clientFilter) parseIDs(args [][]byte, kill bool) (n int, fault string) {
	f.ids = nil
	for _, arg := range args {
		id, ok := integer(arg)
		switch {
		case kill && (!ok || id < 1):
			return 0, "ERR client-id should be greater than 0"
		case !ok && n > 0 && isFilterOption(arg):
			return n, ""
		case !ok:
			return 0, "ERR Invalid client ID"
		}
		f.ids = append(f.ids, id)
		n++
		if kill {
			break
		}
	}
	return n, ""
}

func isFilterOption(arg []byte) bool {
	return slices.ContainsFunc([]string{"id", "type", "addr", "laddr", "user", "skipme", "maxage"},
		func(option string) bool { return is(arg, option) })
}

// clientKind returns the type of clients with this name, "" if there is none.
func clientKind(name []byte) string {
	switch kind := strings.ToLower(string(name)); kind {
	case "normal", "master", "replica", "pubsub":
		return kind
	case "slave":
		return "replica"
	}
	return ""
}
