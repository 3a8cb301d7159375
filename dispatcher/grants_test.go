package dispatcher

import (
	"fmt"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
)

func TestGrants(t *testing.T) {
	alice, carol := backend.Profile{User: "alice", Password: "a"}, backend.Profile{User: "carol", Password: "a"}
	other := backend.Profile{User: "alice", Password: "b"}
	var g Grants
	want := func(has bool, grants ...Grant) {
		t.Helper()
		for _, grant := range grants {
			if g.Has(grant) != has {
				t.Errorf("%v: %t, want %t", grant, !has, has)
			}
		}
	}
	want(false, GrantTo(alice, "multi"))
	g.Add(GrantTo(alice, "multi"), Lasting)
	g.Add(GrantTo(alice, "ping"), time.Hour)
	g.Add(GrantTo(alice, "echo"), -time.Nanosecond)
	want(true, GrantTo(alice, "multi"), GrantTo(alice, "ping"))
	want(false, GrantTo(alice, "echo"), GrantTo(alice, "time"), GrantTo(carol, "multi"), GrantTo(other, "multi"))
	g.Clear()
	want(false, GrantTo(alice, "multi"), GrantTo(alice, "ping"))

	for i := range maxGrants + 1 {
		g.Add(GrantTo(alice, fmt.Sprint(i)), Lasting)
	}
	want(false, GrantTo(alice, "0"), GrantTo(alice, fmt.Sprint(maxGrants-1)))
	want(true, GrantTo(alice, fmt.Sprint(maxGrants)))
}

func TestWordsOn(t *testing.T) {
	words := func(list ...string) (args [][]byte) {
		for _, w := range list {
			args = append(args, []byte(w))
		}
		return args
	}
	if wordsOn([]byte("BLPOP"), words("a", "b")) != wordsOn([]byte("blpop"), words("a", "b")) {
		t.Error("the case of a command counts")
	}
	seen := map[string]string{}
	for _, args := range [][]string{{"blpop", "a", "b"}, {"blpop", "b", "a"}, {"blpop", "ab"}, {"blpop", "a", "B"}, {"brpop", "a", "b"}, {"blpop", "a", "b", ""}} {
		name := wordsOn([]byte(args[0]), words(args[1:]...))
		if before, ok := seen[name]; ok {
			t.Errorf("%q is taken for %s", args, before)
		}
		seen[name] = fmt.Sprintf("%q", args)
	}
}
