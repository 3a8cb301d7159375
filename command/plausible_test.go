package command_test

import (
	"slices"
	"strings"
	"testing"

	"redis-cluster-proxy/command"
)

// plausible are requests as people write them, with the keys that they have.
var plausible = []struct{ request, keys string }{
	{"get k", "k"},
	{"set k v EX 10", "k"},
	{"mget a b c", "a b c"},
	{"mset a 1 b 2", "a b"},
	{"blpop a b c 0", "a b c"},
	{"bitop AND dst a b", "dst a b"},
	{"rename a b", "a b"},
	{"lmove a b LEFT RIGHT", "a b"},
	{"sort k BY w* LIMIT 0 5 GET store GET # ASC ALPHA STORE dst", "k dst"},
	{"sort k STORE x STORE y", "k y"},
	{"sort k", "k"},
	{"sort_ro k BY w* GET x", "k"},
	{"georadius k 15 37 200 km", "k"},
	{"georadius k 15 37 200 km COUNT 3 ASC STORE dst", "k dst"},
	{"georadius k 15 37 200 km STOREDIST dst", "k dst"},
	{"georadiusbymember k m 200 km STORE dst", "k dst"},
	{"georadiusbymember k store 200 km", "k"},
	{"geosearchstore dst k FROMMEMBER m BYRADIUS 1 km", "dst k"},
	{"migrate 127.0.0.1 6379 k 0 10", "k"},
	{"migrate 127.0.0.1 6379  0 10 COPY REPLACE AUTH keys KEYS a b", "a b"},
	{"migrate 127.0.0.1 6379  0 10 AUTH2 keys keys KEYS a b", "a b"},
	{"xread STREAMS a b 0 0", "a b"},
	{"xread COUNT 2 BLOCK 100 streams streams 0", "streams"},
	{"xreadgroup GROUP g streams COUNT 1 NOACK STREAMS a b > >", "a b"},
	{"eval script 2 a b c", "a b"},
	{"eval script 0 c", ""},
	{"evalsha sha 1 a", "a"},
	{"fcall f 2 a b", "a b"},
	{"zunionstore dst 2 a b WEIGHTS 1 2", "dst a b"},
	{"zinterstore dst 1 a", "dst a"},
	{"zunion 2 a b WITHSCORES", "a b"},
	{"zdiff 1 a", "a"},
	{"lmpop 2 a b LEFT COUNT 2", "a b"},
	{"blmpop 0 2 a b LEFT", "a b"},
	{"bzmpop 0 1 a MIN", "a"},
	{"sintercard 2 a b LIMIT 1", "a b"},
	{"object ENCODING k", "k"},
	{"OBJECT freq k", "k"},
	{"xinfo STREAM k FULL", "k"},
	{"xinfo consumers k g", "k"},
	{"memory USAGE k SAMPLES 5", "k"},
	{"xgroup CREATE k g $ MKSTREAM", "k"},
	{"xgroup delconsumer k g c", "k"},
	{"pfcount a b", "a b"},
	{"pfdebug ENCODING k", "k"},
	{"copy a b DB 1", "a b"},
	{"lcs a b LEN", "a b"},
	{"zrangestore dst src 0 -1", "dst src"},
	{"watch a b", "a b"},
	{"restore k 0 blob", "k"},
}

func TestKeysOfPlausibleRequests(t *testing.T) {
	s := startServer(t)
	table, _ := serverTable(s)
	for _, c := range plausible {
		args := argsOf(strings.Split(c.request, " ")...)
		want := strings.Fields(c.keys)
		for name, table := range map[string]*command.Table{"built-in": command.Builtin(), "overlaid": table} {
			if got, err := keysByTable(t, table, args); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %s: keys %q, error %v, want %q", c.request, name, got, err, want)
			}
		}
		s.send(getKeys(args))
		if got, refusal := keysByServer(s, args); refusal != "" || !slices.Equal(got, want) {
			t.Errorf("%s: COMMAND GETKEYS gives %q %s, want %q", c.request, got, refusal, want)
		}
	}
}
