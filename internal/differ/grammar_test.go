package differ

import (
	"fmt"
	"slices"
	"testing"

	"redis-cluster-proxy/internal/redistest"
)

// argument is one of a command's arguments, as COMMAND DOCS has it.
type argument struct {
	name, kind, token string
	optional          bool
	multiple          bool
	everyToken        bool // the token is repeated, if the argument is
	parts             []argument
}

// grammar has the arguments of each command and sub-command, by its name as COMMAND writes it.
type grammar map[string][]argument

// grammarOf asks a server for its COMMAND DOCS.
func grammarOf(t testing.TB, s *redistest.Server) grammar {
	t.Helper()
	reply, err := s.Client().Do(t.Context(), "COMMAND", "DOCS").Slice()
	if err != nil {
		t.Fatal(err)
	}
	g := grammar{}
	g.read(reply)
	if len(g) < 300 || len(g["set"]) != 5 {
		t.Fatalf("COMMAND DOCS tells of %d commands; SET has %+v", len(g), g["set"])
	}
	return g
}

// read takes names and docs in turn, sub-commands included.
func (g grammar) read(docs []any) {
	for i := 0; i+1 < len(docs); i += 2 {
		of := fields(docs[i+1])
		g[fmt.Sprint(docs[i])] = argumentsFrom(of["arguments"])
		if subs, ok := of["subcommands"].([]any); ok {
			g.read(subs)
		}
	}
}

// fields makes a map of a flat array.
func fields(flat any) map[string]any {
	m := map[string]any{}
	list, _ := flat.([]any)
	for i := 0; i+1 < len(list); i += 2 {
		m[fmt.Sprint(list[i])] = list[i+1]
	}
	return m
}

func argumentsFrom(list any) (args []argument) {
	elems, _ := list.([]any)
	for _, e := range elems {
		of := fields(e)
		flags, _ := of["flags"].([]any)
		token, _ := of["token"].(string)
		args = append(args, argument{
			name: fmt.Sprint(of["name"]), kind: fmt.Sprint(of["type"]), token: token,
			optional: slices.Contains(flags, any("optional")), multiple: slices.Contains(flags, any("multiple")),
			everyToken: slices.Contains(flags, any("multiple_token")), parts: argumentsFrom(of["arguments"]),
		})
	}
	return args
}
