package command_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"redis-cluster-proxy/command"
)

// rowOf is the row that a server's info makes over the built-in table.
func rowOf(t *testing.T, info command.Info) *command.Row {
	t.Helper()
	row := command.Builtin().Overlay([]command.Info{info}).Row(info.Name)
	if row == nil {
		t.Fatalf("no row %s", info.Name)
	}
	return row
}

func TestKeySpecs(t *testing.T) {
	const invalid, ask = "invalid", "ask"
	index := func(i, last, step int) command.KeySpec {
		return command.KeySpec{Begin: command.BeginIndex, Index: i, Find: command.FindRange, LastKey: last, KeyStep: step}
	}
	keyword := func(word string, from, last int) command.KeySpec {
		return command.KeySpec{Begin: command.BeginKeyword, Keyword: word, StartFrom: from, Find: command.FindRange, LastKey: last, KeyStep: 1}
	}
	limited := keyword("streams", 1, -1)
	limited.Limit = 3
	counted := command.KeySpec{Begin: command.BeginIndex, Index: 1, Find: command.FindKeyNum, KeyNumIdx: 1, FirstKey: 2, KeyStep: 2}
	incomplete := index(1, 0, 1)
	incomplete.Flags = command.KeyIncomplete
	made := index(1, 0, 1)
	made.Flags = command.KeyVariableFlags
	for _, c := range []struct {
		name    string
		flags   string
		specs   []command.KeySpec
		request string
		want    string
	}{
		{"index", "", []command.KeySpec{index(2, 0, 1)}, "x a b c", "b"},
		{"index beyond the end", "", []command.KeySpec{index(2, 0, 1)}, "x a", invalid},
		{"range", "", []command.KeySpec{index(1, 1, 1)}, "x a b c", "a b"},
		{"range beyond the end", "", []command.KeySpec{index(1, 5, 1)}, "x a b", invalid},
		{"range to the last", "", []command.KeySpec{index(1, -1, 1)}, "x a b c", "a b c"},
		{"range to the last but one", "", []command.KeySpec{index(1, -2, 1)}, "x a b c", "a b"},
		{"range in steps", "", []command.KeySpec{index(1, -1, 2)}, "x a 1 b 2", "a b"},
		{"range in half steps", "", []command.KeySpec{index(1, -1, 2)}, "x a 1 b", invalid},
		{"empty range behind a key", "", []command.KeySpec{index(1, 0, 1), index(2, -1, 1)}, "x a", "a"},
		{"nothing but an empty range", "", []command.KeySpec{index(1, -1, 1)}, "x", invalid},
		{"range that ends before its start", "", []command.KeySpec{index(3, -2, 1)}, "x a b", invalid},
		{"step of zero", "", []command.KeySpec{index(1, -1, 0)}, "x a b", invalid},
		{"keyword", "", []command.KeySpec{keyword("keys", 1, -1)}, "x a KEYS b c", "b c"},
		{"keyword before its place", "", []command.KeySpec{keyword("keys", 3, -1)}, "x a keys b c", invalid},
		{"keyword at the end", "", []command.KeySpec{keyword("keys", 1, -1)}, "x a b keys", invalid},
		{"keyword backwards", "", []command.KeySpec{keyword("keys", -2, 0)}, "x keys a keys b c", "b"},
		{"keyword backwards from far", "", []command.KeySpec{keyword("keys", -20, 0)}, "x keys a", invalid},
		{"keyword backwards, once", "", []command.KeySpec{keyword("keys", -1, 0)}, "x keys a", "a"},
		{"keyword that is optional", "", []command.KeySpec{index(1, 0, 1), keyword("store", 2, 0)}, "x a b", "a"},
		{"limit", "", []command.KeySpec{limited}, "x streams a b 1 2 3 4", "a b"},
		{"limit of a short list", "", []command.KeySpec{limited}, "x streams a b", invalid},
		{"number of keys", "", []command.KeySpec{counted}, "x - 2 a 1 b 2", "a b"},
		{"number of keys without the last value", "", []command.KeySpec{counted}, "x - 2 a 1 b", "a b"},
		{"number of keys, too many", "", []command.KeySpec{counted}, "x - 3 a 1 b 2", invalid},
		{"number of keys, enormous", "", []command.KeySpec{counted}, "x - 9223372036854775807 a", invalid},
		{"number of keys, negative", "", []command.KeySpec{counted}, "x - -1 a", invalid},
		{"number of keys, none", "", []command.KeySpec{counted}, "x - 0 a", invalid},
		{"number of keys, none, allowed", "no_mandatory_keys", []command.KeySpec{counted}, "x - 0 a", ""},
		{"number of keys, missing", "", []command.KeySpec{counted}, "x -", invalid},
		{"overlap", "", []command.KeySpec{index(2, -1, 1), index(1, 1, 1)}, "x a b c", "a b c"},
		{"no specs", "", nil, "x a b", ""},
		{"incomplete", "", []command.KeySpec{incomplete}, "x a", ask},
		{"unknown begin", "", []command.KeySpec{index(1, 0, 1), {Find: command.FindRange, KeyStep: 1}}, "x a", ask},
		{"unknown find", "", []command.KeySpec{{Begin: command.BeginIndex, Index: 1}}, "x a", ask},
		{"movable without specs", "movablekeys", nil, "x a", ask},
		{"movable with specs", "movablekeys", []command.KeySpec{keyword("keys", 1, 0)}, "x keys a", "a"},
		{"module that finds its keys by code", "module movablekeys", []command.KeySpec{made}, "x a", ask},
		{"module at fixed places", "module", []command.KeySpec{made}, "x a", "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			row := rowOf(t, command.Info{Name: "x", Arity: -1, Flags: strings.Fields(c.flags), KeySpecs: c.specs})
			args := argsOf(strings.Fields(c.request)...)
			got, err := row.AppendKeys([]int{-7}, args)
			if len(got) == 0 || got[0] != -7 {
				t.Fatalf("dst is lost: %v", got)
			}
			switch {
			case c.want == invalid || c.want == ask:
				want := map[string]error{invalid: command.ErrInvalid, ask: command.ErrAskServer}[c.want]
				if !errors.Is(err, want) || len(got) != 1 {
					t.Errorf("keys %v, error %v, want %v", got, err, want)
				}
			case err != nil:
				t.Error(err)
			default:
				var keys []string
				for _, i := range got[1:] {
					keys = append(keys, string(args[i]))
				}
				if !slices.Equal(keys, strings.Fields(c.want)) {
					t.Errorf("keys %q, want %s", keys, c.want)
				}
			}
		})
	}
}

func TestKeyArg(t *testing.T) {
	table := command.Builtin()
	for name, want := range map[string]int{
		"get": 1, "set": 1, "incr": 1, "hset": 1, "sort_ro": 1, "spublish": 1, "xinfo|stream": 2, "object|freq": 2,
		"memory|usage": 2, "pfdebug": 2,
		"mget": 0, "sort": 0, "rename": 0, "eval": 0, "ping": 0, "xread": 0, "georadius": 0, "blpop": 0, "migrate": 0,
	} {
		if got := table.Row(name).KeyArg; got != want {
			t.Errorf("%s: KeyArg %d, want %d", name, got, want)
		}
	}
	loose := command.Info{Name: "x", Arity: -1, KeySpecs: table.Row("get").Keys}
	if row := rowOf(t, loose); row.KeyArg != 0 {
		t.Error("KeyArg where the arity does not promise the argument")
	}
}

func TestChannelsRouteLikeKeys(t *testing.T) {
	table := command.Builtin()
	for request, want := range map[string][]int{
		"spublish c m": {1}, "ssubscribe a b": {1, 2}, "sunsubscribe a": {1}, "sunsubscribe": nil,
		"publish c m": nil, "subscribe a": nil,
	} {
		args := argsOf(strings.Fields(request)...)
		row, err := table.Lookup(args)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := row.AppendKeys(nil, args); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, error %v, want %v", request, got, err, want)
		}
	}
}

func TestModuleOverrides(t *testing.T) {
	one := []command.KeySpec{{Begin: command.BeginIndex, Index: 1, Find: command.FindRange, KeyStep: 1}}
	for request, want := range map[string][]int{
		"json.mget a b $": {1, 2}, "json.mget a $": {1}, "json.mset a $ 1 b $ 2": {1, 4},
	} {
		args := argsOf(strings.Fields(request)...)
		row := rowOf(t, command.Info{Name: string(args[0]), Arity: -1, Flags: []string{"module"}, KeySpecs: one})
		if got, err := row.AppendKeys(nil, args); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, error %v, want %v", request, got, err, want)
		}
		if row.Family != command.FamilyModule {
			t.Errorf("%s: family %v", request, row.Family)
		}
	}
}
