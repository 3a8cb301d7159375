package proxy

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// clientFilter says which clients CLIENT LIST and CLIENT KILL mean. The zero
// value means all.
type clientFilter struct {
	want   clientTraits
	not    clientTraits // who has one of them is not meant
	maxAge time.Duration
	idle   time.Duration
	skip   *session
}

// matches reports whether the filter means the session.
func (f *clientFilter) matches(s *session) bool {
	if s == f.skip || time.Since(s.born) < f.maxAge || !f.want.fits(s) || f.not.fitsAny(s) {
		return false
	}
	return f.idle == 0 || s.portray().idle >= f.idle
}

// unknownUser returns Redis's error if the filter names a user whom the cluster
// does not know, as far as the session's own user may see that.
func (f *clientFilter) unknownUser(ctx context.Context, e *dispatcher.Errand) (fault string) {
	for _, user := range []*string{f.want.user, f.not.user} {
		if user == nil {
			continue
		}
		reply, err := e.Ask(ctx, e.Any(), []byte("ACL"), []byte("GETUSER"), []byte(*user))
		if err != nil || len(reply) == 0 || reply[0] == '-' {
			continue
		}
		if v, _, err := resp.ReadValue(reply); err == nil && v.Null {
			return "ERR No such user '" + *user + "'"
		}
	}
	return ""
}

// listKnowsUsers: CLIENT LIST refuses users whom nobody knows, as CLIENT KILL always does.
var listKnowsUsers = since{valkey: 8.1}

// parsing is the reading of a filter's options.
type parsing struct {
	*clientFilter

	// Set at construction.
	me   *session // who asks
	kill bool
}

// parse reads the options of CLIENT LIST or CLIENT KILL, of which each may come
// once or often; the last one counts. me is who asks.
func (f *clientFilter) parse(options [][]byte, me *session, kill bool) (fault string) {
	p := parsing{f, me, kill}
	for len(options) > 0 {
		if len(options) == 1 {
			return errSyntax
		}
		n, fault := p.option(strings.ToLower(string(options[0])), options[1:])
		if fault != "" {
			return fault
		}
		options = options[1+n:]
	}
	return ""
}

// option reads the values of one option and says how many they are.
func (p *parsing) option(option string, values [][]byte) (n int, fault string) {
	switch option {
	case "skipme":
		switch {
		case is(values[0], "yes"):
			p.skip = p.me
		case is(values[0], "no"):
			p.skip = nil
		default:
			return 0, errSyntax
		}
		return 1, ""
	case "maxage":
		p.maxAge, fault = seconds(option, values[0])
		return 1, fault
	}
	if p.me.srv.version().has(negativeFilters) {
		if option == "idle" {
			p.idle, fault = seconds(option, values[0])
			return 1, fault
		}
		if trait, negative := strings.CutPrefix(option, "not-"); negative {
			return p.trait(&p.not, trait, option, values)
		}
		if slices.Contains(newTraits, option) {
			return p.trait(&p.want, option, option, values)
		}
	}
	if slices.Contains(oldTraits, option) {
		return p.trait(&p.want, option, option, values)
	}
	return 0, errSyntax
}

var (
	// negativeFilters came with newTraits.
	negativeFilters = since{valkey: 9}

	oldTraits = []string{"id", "type", "addr", "laddr", "user"}
	newTraits = []string{"name", "lib-name", "lib-ver", "ip", "db", "flags", "capa"}
)

// trait reads the values of an option that says something of clients.
func (p *parsing) trait(t *clientTraits, trait, option string, values [][]byte) (n int, fault string) {
	value := string(values[0])
	switch trait {
	case "id":
		if p.me.srv.version().has(manyIDs) {
			return t.addIDs(values)
		}
		return t.setIDs(values, p.kill)
	case "type":
		if t.kind = clientKind(values[0]); t.kind == "" || is(values[0], "primary") && !p.me.srv.version().has(saysPrimary) {
			return 0, "ERR Unknown client type '" + value + "'"
		}
	case "addr":
		t.addr = &value
	case "laddr":
		t.laddr = &value
	case "user":
		t.user = &value
	case "name":
		t.name = &value
	case "lib-name":
		t.libName = &value
	case "lib-ver":
		t.libVer = &value
	case "ip":
		t.ip = &value
	case "db":
		t.db, fault = p.database(option, values[0])
	case "flags":
		t.flags, fault = letters("flags", option, value, clientFlags)
	case "capa":
		t.capa, fault = letters("capa", option, value, clientCapas)
	default:
		fault = errSyntax
	}
	return 1, fault
}

// seconds reads the value of an option that is a time.
func seconds(option string, value []byte) (d time.Duration, fault string) {
	n, ok := integer(value)
	switch {
	case !ok:
		return 0, "ERR " + option + " is not an integer or out of range"
	case n <= 0:
		return 0, "ERR " + option + " should be greater than 0"
	}
	return time.Duration(min(n, int64(longestAge))) * time.Second, ""
}

// longestAge is the longest age that a Duration holds, in seconds.
const longestAge = (1<<63 - 1) / time.Second

func (p *parsing) database(option string, value []byte) (db *int, fault string) {
	n, text := dbIndex(value)
	switch {
	case text != "":
		return nil, "ERR " + strings.ToUpper(option) + " is not an integer or out of range"
	case p.me.srv.outOfRange(n):
		return nil, "ERR DB number should be between 0 and " + strconv.Itoa(int(p.me.srv.databases.Load())-1)
	}
	i := int(n)
	return &i, ""
}

// letters checks that all letters of a value are known.
func letters(trait, option, value, known string) (*string, string) {
	if hasLetters(known, value) {
		return &value, ""
	}
	filter := "provided"
	if option != trait {
		filter = strings.ToUpper(option)
	}
	return nil, "ERR Unknown " + trait + " found in the " + filter + " filter: " + value
}

// text copies an argument that may well be empty.
func text(arg []byte) *string {
	s := string(arg)
	return &s
}

// manyIDs: CLIENT KILL takes several, too, and both of them add to the earlier ones.
var manyIDs = since{valkey: 8.1}

const errClientID = "ERR client-id should be greater than 0"

// addIDs reads as many ids as there are.
func (t *clientTraits) addIDs(values [][]byte) (n int, fault string) {
	for _, value := range values {
		id, ok := integer(value)
		switch {
		case !ok && n == 0:
			return 0, errSyntax
		case !ok:
			return n, ""
		case id < 1:
			return 0, errClientID
		}
		t.ids = append(t.ids, id)
		n++
	}
	return n, ""
}

// setIDs reads ids as Redis does: one to be killed, or as many as there are to be
// listed.
func (t *clientTraits) setIDs(values [][]byte, kill bool) (n int, fault string) {
	t.ids = nil
	for _, value := range values {
		id, ok := integer(value)
		switch {
		case kill && (!ok || id < 1):
			return 0, errClientID
		case !ok && n > 0 && isFilterOption(value):
			return n, ""
		case !ok:
			return 0, "ERR Invalid client ID"
		}
		t.ids = append(t.ids, id)
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

// saysPrimary: it is another word for master.
var saysPrimary = since{valkey: 8}

// clientKind returns the type of clients with this name, "" if there is none.
func clientKind(name []byte) string {
	switch kind := strings.ToLower(string(name)); kind {
	case "normal", "master", "replica", "pubsub":
		return kind
	case "slave":
		return "replica"
	case "primary":
		return "master"
	}
	return ""
}
