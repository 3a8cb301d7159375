package command_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"redis-cluster-proxy/command"
)

// checkKeys checks what holds for any row and any arguments.
func checkKeys(t *testing.T, row *command.Row, args [][]byte) {
	t.Helper()
	dst := []int{-7}
	got, err := row.AppendKeys(dst, args)
	if len(got) == 0 || got[0] != -7 {
		t.Fatalf("%s %q: dst is lost: %v", row.Name, args, got)
	}
	keys := got[1:]
	if err != nil {
		if err != command.ErrInvalid && err != command.ErrAskServer {
			t.Fatalf("%s %q: error %v", row.Name, args, err)
		}
		if len(keys) != 0 {
			t.Fatalf("%s %q: keys %v and error %v", row.Name, args, keys, err)
		}
	}
	for i, key := range keys {
		if key < 1 || key >= len(args) || (i > 0 && key <= keys[i-1]) {
			t.Fatalf("%s %q: keys %v", row.Name, args, keys)
		}
	}
	if row.KeyArg != 0 && row.ArityOK(len(args)) && !slices.Equal(keys, []int{row.KeyArg}) {
		t.Fatalf("%s %q: keys %v, KeyArg %d", row.Name, args, keys, row.KeyArg)
	}
	if index, _ := row.TimeoutArg(args); index < 0 || index >= len(args) {
		t.Fatalf("%s %q: TimeoutArg %d", row.Name, args, index)
	}
	row.Blocking(args)
	row.Idempotent(args)
}

// FuzzRequest looks a request of blank-separated words up, and has every row find its keys in it, fitting or not.
func FuzzRequest(f *testing.F) {
	for _, c := range plausible {
		f.Add([]byte(c.request))
	}
	f.Add([]byte("eval s -1 a"))
	f.Add([]byte("zunionstore d 99999999999999999999 a"))
	f.Add([]byte("foo\r\n \x00 " + strings.Repeat("x", 300)))
	table := command.Builtin()
	f.Fuzz(func(t *testing.T, request []byte) {
		args := bytes.Split(request, []byte(" "))
		row, err := table.Lookup(args)
		if (row == nil) == (err == nil) {
			t.Fatalf("Lookup %q: row %v, error %v", args, row, err)
		}
		if err != nil && (strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 400) {
			t.Fatalf("Lookup %q: error %q", args, err)
		}
		for row := range table.Rows() {
			checkKeys(t, row, args)
		}
	})
}

// FuzzKeySpec has specifications that no sane server would send find keys.
func FuzzKeySpec(f *testing.F) {
	f.Add([]byte("x a b c"), "", 1, 0, "", 0, -1, 0, 1, 1)
	f.Add([]byte("x 2 b c"), "movablekeys", 1, 1, "", 0, 0, 0, 1, 1)
	f.Add([]byte("x a k c"), "module", 1, 0, "k", -2, -1, 2, 1, 1)
	f.Add([]byte("x a k c"), "", 1<<62, 1, "k", 1<<62, 1<<62, 2, 1<<62, 1<<62)
	f.Fuzz(func(t *testing.T, request []byte, flags string, index, find int, keyword string, from, last, limit, first, step int) {
		spec := command.KeySpec{
			Begin: command.BeginIndex, Index: index, Keyword: keyword, StartFrom: from,
			Find: command.FindRange, LastKey: last, Limit: limit, KeyNumIdx: last, FirstKey: first, KeyStep: step,
		}
		if keyword != "" {
			spec.Begin = command.BeginKeyword
		}
		if find%2 != 0 {
			spec.Find = command.FindKeyNum
		}
		info := command.Info{Name: "x", Arity: -1, Flags: strings.Fields(flags), KeySpecs: []command.KeySpec{spec, spec}}
		legacy := command.Info{Name: "y", FirstKey: index, LastKey: last, Step: step, Legacy: true}
		table := command.Builtin().Overlay([]command.Info{info, legacy})
		checkKeys(t, table.Row("x"), bytes.Split(request, []byte(" ")))
		checkKeys(t, table.Row("y"), bytes.Split(request, []byte(" ")))
	})
}
