package command_test

import (
	"strings"
	"testing"

	"redis-cluster-proxy/command"
)

func TestInfosFromReplyShapes(t *testing.T) {
	want := command.Info{
		Name: "x", Arity: -2, Flags: []string{"write"}, FirstKey: 1, LastKey: 1, Step: 1,
		Categories: []string{"@slow"}, Tips: []string{"tip"},
		KeySpecs: []command.KeySpec{{
			Flags: command.KeyIncomplete, Begin: command.BeginKeyword, Keyword: "keys", StartFrom: -2,
			Find: command.FindRange, LastKey: -1, KeyStep: 1,
		}},
	}
	begin := map[string]any{"keyword": "KEYS", "startfrom": int64(-2)}
	find := map[string]any{"lastkey": int64(-1), "keystep": int64(1), "limit": int64(0)}
	maps := map[any]any{
		"flags":        []any{"RW", "incomplete"},
		"begin_search": map[any]any{"type": "keyword", "spec": begin},
		"find_keys":    map[any]any{"type": "range", "spec": find},
	}
	flat := []any{
		"flags", []any{"RW", "incomplete"},
		"begin_search", []any{"type", "keyword", "spec", []any{"keyword", []byte("KEYS"), "startfrom", -2}},
		"find_keys", []any{"type", "range", "spec", []any{"lastkey", -1.0, "keystep", 1, "limit", 0}},
	}
	for name, spec := range map[string]any{"maps": maps, "flat": flat} {
		row := []any{"X", int64(-2), []any{"write"}, int64(1), int64(1), int64(1), []any{"@slow"}, []any{"tip"}, []any{spec}, []any{}}
		infos, err := command.InfosFromReply([]any{nil, row})
		if err != nil || len(infos) != 1 || !sameInfo(infos[0], want) {
			t.Errorf("%s: %+v, error %v, want %+v", name, infos, err, want)
		}
	}
}

func TestInfosFromReplyUnknownSpecTypes(t *testing.T) {
	for _, spec := range []any{
		nil, "x", []any{}, map[any]any{"begin_search": map[any]any{"type": "oracle"}, "find_keys": nil},
	} {
		row := []any{"x", int64(-2), []any{}, int64(0), int64(0), int64(0), []any{}, []any{}, []any{spec}, []any{}}
		infos, err := command.InfosFromReply([]any{row})
		if err != nil {
			t.Errorf("%v: %v", spec, err)
			continue
		}
		if _, err := rowOf(t, infos[0]).AppendKeys(nil, argsOf("x", "a")); err != command.ErrAskServer {
			t.Errorf("%v: AppendKeys: %v", spec, err)
		}
	}
}

func TestInfosFromReplyErrors(t *testing.T) {
	for _, c := range []struct {
		reply any
		want  string
	}{
		{nil, "not an array"},
		{"OK", "not an array"},
		{[]any{"x"}, "row 0 of COMMAND: string"},
		{[]any{[]any{"x", int64(1)}}, "2 columns"},
		{[]any{[]any{nil, int64(1), nil, int64(0), int64(0), int64(0)}}, "name"},
		{[]any{[]any{"x", "1", nil, int64(0), int64(0), int64(0)}}, "column 1 is string"},
		{[]any{[]any{"x", int64(1), nil, int64(0), int64(0), int64(0), nil, nil, nil, []any{"y"}}}, "x: string"},
	} {
		if _, err := command.InfosFromReply(c.reply); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one of %q", c.reply, err, c.want)
		}
	}
}
