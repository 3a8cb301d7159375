package command_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"redis-cluster-proxy/command"
)

// serverTable is the built-in table with a real server's COMMAND over it, and the infos themselves.
func serverTable(s *server) (*command.Table, []command.Info) {
	s.tb.Helper()
	infos, err := command.InfosFromReply(s.do("COMMAND"))
	if err != nil {
		s.tb.Fatal(err)
	}
	if len(infos) < 200 {
		s.tb.Fatalf("COMMAND has %d rows only", len(infos))
	}
	return command.Builtin().Overlay(infos), infos
}

// flatten lists rows and sub-rows but no containers.
func flatten(infos []command.Info) []command.Info {
	var flat []command.Info
	for _, info := range infos {
		if len(info.Subs) > 0 {
			flat = append(flat, flatten(info.Subs)...)
		} else {
			flat = append(flat, info)
		}
	}
	return flat
}

// keysByServer is COMMAND GETKEYS of a request, as the words it answers; none if it refuses the arguments.
func keysByServer(s *server, args [][]byte) (keys []string, refusal string) {
	s.tb.Helper()
	switch reply := s.read().(type) {
	case error:
		return nil, reply.Error()
	case []any:
		for _, key := range reply {
			keys = append(keys, key.(string))
		}
		return keys, ""
	default:
		s.tb.Fatalf("COMMAND GETKEYS %q: %T", args, reply)
		return nil, ""
	}
}

func getKeys(args [][]byte) [][]byte { return append(argsOf("COMMAND", "GETKEYS"), args...) }

// keysByTable are the words that AppendKeys finds.
func keysByTable(tb testing.TB, table *command.Table, args [][]byte) ([]string, error) {
	tb.Helper()
	row, err := table.Lookup(args)
	if err != nil {
		tb.Fatalf("Lookup %q: %v", args, err)
	}
	indexes, err := row.AppendKeys(nil, args)
	if row.KeyArg != 0 && (len(indexes) != 1 || indexes[0] != row.KeyArg) {
		tb.Errorf("%q: KeyArg is %d, AppendKeys gives %v", args, row.KeyArg, indexes)
	}
	if err != nil && len(indexes) != 0 {
		tb.Errorf("%q: AppendKeys gives %v with error %v", args, indexes, err)
	}
	var keys []string
	for _, i := range indexes {
		keys = append(keys, string(args[i]))
	}
	return keys, err
}

// vocabulary are the words that mean something to some command; all other arguments are unlike each other, so that
// one key cannot be taken for another.
var vocabulary = []string{"STORE", "storedist", "Keys", "STREAMS", "streams", "LIMIT", "BY", "GET", "COUNT", "BLOCK",
	"GROUP", "NOACK", "WEIGHTS", "AGGREGATE", "LEFT", "AUTH", "AUTH2", "COPY", "REPLACE", "", "0", "1", "2", "3", "4", "-1",
	"01", "99999999999999999999", "+1", "1 "}

func randomArgs(random *rand.Rand, info *command.Info) [][]byte {
	container, sub, _ := strings.Cut(info.Name, "|")
	args := [][]byte{[]byte(container)}
	if sub != "" {
		args = append(args, []byte(sub))
	}
	n := info.Arity
	if n < 0 {
		n = -n + random.IntN(9)
	}
	for i := len(args); i < n; i++ {
		switch random.IntN(4) {
		case 0:
			args = append(args, []byte(vocabulary[random.IntN(len(vocabulary))]))
		case 1:
			args = append(args, strconv.AppendInt(nil, random.Int64N(4), 10))
		default:
			args = append(args, fmt.Appendf(nil, "arg%d", i))
		}
	}
	return args
}

// TestKeysLikeTheServer compares AppendKeys to COMMAND GETKEYS for every command of a real server that has keys, over
// random arguments. Where they differ it must be for a reason that explain knows and proves.
func TestKeysLikeTheServer(t *testing.T) {
	const perCommand, batch = 400, 100
	s := startServer(t)
	table, infos := serverTable(s)
	random := rand.New(rand.NewPCG(7, 0))
	compared, explained, withKeys := 0, 0, 0
	agreed := map[string]int{} // requests with the very same answer
	for _, info := range flatten(infos) {
		if len(info.KeySpecs) == 0 || info.KeySpecs[0].Flags&command.KeyNotKey != 0 {
			continue
		}
		withKeys++
		for range perCommand / batch {
			requests := make([][][]byte, batch)
			for i := range requests {
				requests[i] = randomArgs(random, &info)
				s.send(getKeys(requests[i]))
			}
			type answer struct {
				keys    []string
				refusal string
			}
			answers := make([]answer, batch)
			for i := range answers {
				answers[i].keys, answers[i].refusal = keysByServer(s, requests[i])
			}
			for i, args := range requests {
				compared++
				got, err := keysByTable(t, table, args)
				want, refusal := answers[i].keys, answers[i].refusal
				invalid := refusal == "ERR Invalid arguments specified for command"
				if refusal != "" && !invalid {
					t.Fatalf("COMMAND GETKEYS %q: %s", args, refusal)
				}
				if invalid == errors.Is(err, command.ErrInvalid) && slices.Equal(got, want) {
					agreed[info.Name]++
					continue
				}
				if explain(s, &info, args, err, want, invalid) {
					explained++
					continue
				}
				t.Errorf("%q: keys %q, error %v; COMMAND GETKEYS gives %q %s", args, got, err, want, refusal)
			}
		}
	}
	for name, n := range agreed {
		if n < perCommand/10 {
			t.Errorf("%s: only %d requests of %d agree", name, n, perCommand)
		}
	}
	if len(agreed) != withKeys {
		t.Errorf("%d commands with keys, only %d with an answer that agrees", withKeys, len(agreed))
	}
	t.Logf("%d commands, %d requests, %d differences explained", withKeys, compared, explained)
	if withKeys < 150 {
		t.Errorf("only %d commands with keys", withKeys)
	}
}

// explain reports whether a difference is one of those that are meant.
func explain(s *server, info *command.Info, args [][]byte, err error, want []string, invalid bool) bool {
	s.tb.Helper()
	switch {
	case errors.Is(err, command.ErrInvalid) && !invalid:
		// AppendKeys says that the server refuses the request anyhow. It must.
		s.send(args)
		_, refused := s.read().(error)
		return refused
	case err == nil && invalid:
		// GETKEYS takes an optional list that is empty for a mistake.
		return info.Name == "pfmerge" && len(args) == 2
	case info.Name == "sort":
		// GETKEYS reads on behind STORE as if the destination were an option. SORT itself does not.
		for i := 2; i+1 < len(args); i++ {
			if countWords(args[i:i+1], "store") == 1 && countWords(args[i+1:i+2], "store", "by", "get", "limit") == 1 {
				return true
			}
		}
	case info.Name == "georadius", info.Name == "georadiusbymember":
		// GETKEYS has the first destination of each kind: TestGeoRadiusLastDestination.
		return countWords(args, "store", "storedist") > 1
	}
	return false
}

func countWords(args [][]byte, words ...string) int {
	n := 0
	for _, arg := range args {
		if slices.Contains(words, strings.ToLower(string(arg))) {
			n++
		}
	}
	return n
}

// TestGeoRadiusLastDestination proves that AppendKeys is right and COMMAND GETKEYS is not: the server stores at the
// last destination only.
func TestGeoRadiusLastDestination(t *testing.T) {
	s := startServer(t)
	s.do("GEOADD", "src", "13.4", "52.5", "m")
	for _, request := range []string{
		"georadius src 13 52 200 km STOREDIST x STORE dst",
		"georadius src 13 52 200 km STORE x STOREDIST dst",
		"georadiusbymember src m 200 km STORE x STORE dst",
	} {
		args := argsOf(strings.Split(request, " ")...)
		if got, err := keysByTable(t, command.Builtin(), args); err != nil || !slices.Equal(got, []string{"src", "dst"}) {
			t.Errorf("%s: keys %q, error %v", request, got, err)
		}
		s.do("DEL", "x", "dst")
		s.send(args)
		if stored := s.read(); stored != int64(1) {
			t.Errorf("%s: %v", request, stored)
		}
		if x, dst := s.do("EXISTS", "x"), s.do("EXISTS", "dst"); x != int64(0) || dst != int64(1) {
			t.Errorf("%s: x exists %v, dst exists %v", request, x, dst)
		}
	}
}

// TestStreamNames proves the same of XREADGROUP: its specification takes a consumer that is called streams, behind
// options, for the keyword.
func TestStreamNames(t *testing.T) {
	s := startServer(t)
	s.do("XGROUP", "CREATE", "k", "streams", "$", "MKSTREAM")
	s.do("XADD", "k", "1-1", "f", "v")
	args := argsOf("XREADGROUP", "COUNT", "1", "GROUP", "streams", "c", "STREAMS", "k", ">")
	if got, err := keysByTable(t, command.Builtin(), args); err != nil || !slices.Equal(got, []string{"k"}) {
		t.Errorf("keys %q, error %v", got, err)
	}
	s.send(getKeys(args))
	if wrong, _ := keysByServer(s, args); slices.Equal(wrong, []string{"k"}) {
		t.Logf("COMMAND GETKEYS is right by now: %q", wrong)
	}
	s.send(args)
	if got := fmt.Sprint(s.read()); got != "[[k [[1-1 [f v]]]]]" {
		t.Errorf("XREADGROUP replies %s", got)
	}
}
