package proxy

import (
	"slices"
	"strings"

	"redis-cluster-proxy/resp"
)

// tracking is what CLIENT TRACKING has set.
type tracking struct {
	bcast, optin, optout, noloop bool

	prefixes []string // with bcast, in order
	redirect *session // who is told; nil: this client
	caching  bool     // CLIENT CACHING was called: it is about the next command
}

const (
	errNotTracking = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
	errBcastSwitch = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
	errOptSwitch   = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
	errNoSuchRedir = "ERR The client ID you want redirect to does not exist"
	// everyPrefix stands for no prefix at all: every key has it.
	everyPrefix = ""
)

// parseTracking reads the options behind ON or OFF.
func (s *session) parseTracking(args [][]byte) (t *tracking, fault string) {
	t = &tracking{}
	for i := 0; i < len(args); i++ {
		more := i+1 < len(args)
		switch {
		case is(args[i], "REDIRECT") && more:
			if t.redirect != nil {
				return nil, "ERR A client can only redirect to a single other client"
			}
			i++
			id, ok := integer(args[i])
			if !ok {
				return nil, errNoInteger
			}
			if t.redirect = s.srv.sessionByID(uint64(id)); t.redirect == nil {
				return nil, errNoSuchRedir
			}
		case is(args[i], "BCAST"):
			t.bcast = true
		case is(args[i], "OPTIN"):
			t.optin = true
		case is(args[i], "OPTOUT"):
			t.optout = true
		case is(args[i], "NOLOOP"):
			t.noloop = true
		case is(args[i], "PREFIX") && more:
			i++
			t.prefixes = append(t.prefixes, string(args[i]))
		default:
			return nil, errSyntax
		}
	}
	return t, ""
}

// clash returns why t cannot follow on old, which may be nil; "" if it can.
func (t *tracking) clash(old *tracking) string {
	switch {
	case !t.bcast && len(t.prefixes) > 0:
		return "ERR PREFIX option requires BCAST mode to be enabled"
	case old != nil && t.bcast != old.bcast:
		return errBcastSwitch
	case t.bcast && (t.optin || t.optout):
		return "ERR OPTIN and OPTOUT are not compatible with BCAST"
	case t.optin && t.optout:
		return "ERR You can't specify both OPTIN mode and OPTOUT mode"
	case old != nil && (t.optin && old.optout || t.optout && old.optin):
		return errOptSwitch
	}
	for i, p := range t.prefixes {
		if old != nil {
			for _, has := range old.prefixes {
				if overlap(p, has) {
					return prefixFault(p, "an existing prefix", has)
				}
			}
		}
		for _, other := range t.prefixes[i+1:] {
			if overlap(p, other) {
				return prefixFault(p, "another provided prefix", other)
			}
		}
	}
	return ""
}

// prefixFault words a clash of prefixes, which end, as in Redis, where a C string
// does.
func prefixFault(prefix, what, other string) string {
	prefix, _, _ = strings.Cut(prefix, "\x00")
	other, _, _ = strings.Cut(other, "\x00")
	return "ERR Prefix '" + prefix + "' overlaps with " + what + " '" + other + "'. Prefixes for a single client must not overlap."
}

func overlap(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

// over is t where old was: prefixes come to those that were there.
func (t *tracking) over(old *tracking) *tracking {
	if t.bcast && len(t.prefixes) == 0 {
		t.prefixes = []string{everyPrefix}
	}
	if old != nil {
		t.prefixes = append(t.prefixes, old.prefixes...)
		t.caching = old.caching
	}
	slices.Sort(t.prefixes)
	t.prefixes = slices.Compact(t.prefixes)
	return t
}

// greeting is the command that makes a node track in the same way.
func (t *tracking) greeting() []string {
	words := []string{"CLIENT", "TRACKING", "ON"}
	for _, o := range []struct {
		set  bool
		word string
	}{{t.bcast, "BCAST"}, {t.optin, "OPTIN"}, {t.optout, "OPTOUT"}, {t.noloop, "NOLOOP"}} {
		if o.set {
			words = append(words, o.word)
		}
	}
	if slices.Contains(t.prefixes, everyPrefix) {
		return words // the others are in it, and a node takes only one of them
	}
	for _, p := range t.prefixes {
		words = append(words, "PREFIX", p)
	}
	return words
}

// same reports whether nodes and clients are told the same by both.
func (t *tracking) same(o *tracking) bool {
	return o != nil && t.redirect == o.redirect && slices.Equal(t.greeting(), o.greeting())
}

// heard reports whether anybody can be told: RESP2 has no pushes, and a client that
// speaks it is told of nothing unless by another connection.
func (t *tracking) heard(proto resp.Proto) bool { return proto == resp.RESP3 || t.redirect != nil }
