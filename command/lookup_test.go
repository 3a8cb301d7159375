package command_test

import (
	"testing"

	"redis-cluster-proxy/command"
)

func TestLookup(t *testing.T) {
	table := command.Builtin()
	for _, c := range []struct {
		args []string
		name string
	}{
		{[]string{"get", "k"}, "get"},
		{[]string{"GeT", "k"}, "get"},
		{[]string{"XINFO", "Stream", "k"}, "xinfo|stream"},
		{[]string{"command"}, "command"},
		{[]string{"COMMAND", "COUNT"}, "command|count"},
		{[]string{"script", "show", "sha"}, "script|show"}, // Valkey only
		{[]string{"hexpire", "k", "1", "FIELDS", "1", "f"}, "hexpire"},
		{[]string{"msetnx", "k", "v"}, "msetnx"},
	} {
		row, err := table.Lookup(argsOf(c.args...))
		if err != nil || !row.Is(c.name) {
			t.Errorf("Lookup %q: row %+v, error %v, want %s", c.args, row, err, c.name)
		}
	}
	for _, c := range []struct {
		args []string
		kind command.ErrorKind
		text string
	}{
		{[]string{"foo", "a"}, command.UnknownCommand, "ERR unknown command 'foo', with args beginning with: 'a' "},
		{[]string{"foo"}, command.UnknownCommand, "ERR unknown command 'foo', with args beginning with: "},
		{[]string{"xinfo", "foo"}, command.UnknownSubcommand, "ERR unknown subcommand 'foo'. Try XINFO HELP."},
		{[]string{"XINFO"}, command.WrongArity, "ERR wrong number of arguments for 'xinfo' command"},
		{[]string{"GET"}, command.WrongArity, "ERR wrong number of arguments for 'get' command"},
		{[]string{"xinfo", "STREAM"}, command.WrongArity, "ERR wrong number of arguments for 'xinfo|stream' command"},
	} {
		row, err := table.Lookup(argsOf(c.args...))
		refused, ok := err.(*command.Error)
		if !ok || row != nil || refused.Kind != c.kind || refused.Error() != c.text {
			t.Errorf("Lookup %q: row %v, error %v, want %s", c.args, row, err, c.text)
		}
	}
}

// hot are the requests whose lookup and key extraction must not allocate.
var hot = map[string][][]byte{
	"GET":         argsOf("GET", "key"),
	"SET":         argsOf("SET", "key", "value", "EX", "10"),
	"MSET":        argsOf("mset", "a", "1", "b", "2", "c", "3"),
	"XINFOSTREAM": argsOf("XINFO", "STREAM", "key"),
	"XREADGROUP":  argsOf("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "a", "b", ">", ">"),
	"ZUNIONSTORE": argsOf("ZUNIONSTORE", "dst", "2", "a", "b"),
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	table := command.Builtin()
	keys := make([]int, 0, 8)
	for name, args := range hot {
		n := testing.AllocsPerRun(100, func() {
			row, err := table.Lookup(args)
			if err != nil {
				t.Fatal(err)
			}
			if keys, err = row.AppendKeys(keys[:0], args); err != nil || len(keys) == 0 {
				t.Fatalf("%s: keys %v, error %v", name, keys, err)
			}
			row.Idempotent(args)
			row.Blocking(args)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	table := command.Builtin()
	for name, args := range hot {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := table.Lookup(args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendKeys(b *testing.B) {
	table := command.Builtin()
	keys := make([]int, 0, 8)
	for name, args := range hot {
		row, err := table.Lookup(args)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if keys, err = row.AppendKeys(keys[:0], args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOverlay(b *testing.B) {
	b.ReportAllocs()
	var infos []command.Info
	for row := range command.Builtin().Rows() {
		if !row.IsContainer() {
			infos = append(infos, command.Info{Name: row.Name, Arity: row.Arity, KeySpecs: row.Keys, Tips: row.Tips})
		}
	}
	for b.Loop() {
		command.Builtin().Overlay(infos)
	}
}
