package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"redis-cluster-proxy/command"
)

// TestPageIsCurrent fails when the proxy treats a command in another way than the page says.
func TestPageIsCurrent(t *testing.T) {
	want := page()
	got, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Fatalf("docs/commands.md is not what the proxy does: run go generate ./proxy\nline %d is   %s\nand should be %s", i+1, gotLines[i], wantLines[i])
		}
	}
	t.Fatal("docs/commands.md is not what the proxy does: run go generate ./proxy")
}

// TestSamplesHaveKeys: a sample without the keys that its command has would tell nothing of its routing.
func TestSamplesHaveKeys(t *testing.T) {
	for row := range command.Builtin().Rows() {
		if row.IsContainer() && !row.ArityOK(1) || row.Is("debug") {
			continue
		}
		args, keys := sample(row, 2)
		if _, err := command.Builtin().Lookup(args); err != nil {
			t.Errorf("the sample %q is none: %v", args, err)
		}
		if row.HasKeys() && len(keys) == 0 && row.Name != "sunsubscribe" {
			t.Errorf("the sample %q of %s has no keys", args, row.Name)
		}
	}
}

// TestPageHasEveryCommand also spot-checks what it says.
func TestPageHasEveryCommand(t *testing.T) {
	text := string(page())
	for row := range command.Builtin().Rows() {
		if row.IsContainer() && !row.ArityOK(1) {
			continue
		}
		name := strings.ToUpper(strings.ReplaceAll(row.Name, "|", " "))
		if strings.Count(text, "\n| "+name+" | ") != 1 {
			t.Errorf("%s is not there once", name)
		}
	}
	for _, want := range []string{
		"| GET | reads; sent to the node of its slot | sent again |\n",
		"| MGET | reads; split by slot, merged to the elements in the order of the keys | sent again |\n",
		"| DEL | split by slot, merged to the sum | as the flag says |\n",
		"| INCR | sent to the node of its slot | `UNKNOWNRESULT` |\n",
		"| PING | answered by the proxy |  |\n",
		"| DBSIZE | sent to all primaries, merged to the sum |  |\n",
		"| SHUTDOWN | denied: it ends servers that others use as well; if allowed, sent to all primaries, once |  |\n",
		"| EVAL | sent to the node of its slot; without keys sent to any primary | `UNKNOWNRESULT` |\n",
		"| PROXY EXPLAIN | answered by the proxy |  |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
