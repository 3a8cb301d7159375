package proxy

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"redis-cluster-proxy/internal/redistest"
)

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		fold, want    bool
	}{
		{"*", "", false, false}, {"", "", false, true}, {"", "a", false, false}, {"*", "a", false, true}, {"**", "a", false, true},
		{"a*", "a", false, true}, {"*a*b", "xaxaxb", false, true}, {"a?c", "abc", false, true}, {"a?c", "ac", false, false},
		{"maxmem*", "MAXMEMORY", true, true}, {"maxmem*", "MAXMEMORY", false, false}, {"[a-c]x", "Bx", true, true}, {"[c-a]x", "bx", false, true},
		{"[^a]", "b", false, true}, {"[^a]", "a", false, false}, {"[abc", "b", false, true}, {"[", "[", false, false}, {`\*`, "*", false, true},
		{`\`, `\`, false, true}, {`[\]]`, "]", false, true}, {`[\a]`, "A", true, false}, {"a/b*", "a/b/c", false, true},
	} {
		if got := globMatch([]byte(tt.pattern), []byte(tt.text), tt.fold); got != tt.want {
			t.Errorf("%q matches %q (fold %t): %t", tt.pattern, tt.text, tt.fold, got)
		}
	}
}

// TestGlobIsThatOfRedis compares with KEYS of a server, over letters that mean something.
func TestGlobIsThatOfRedis(t *testing.T) {
	server := redistest.StartServer(t)
	client := server.Client()
	rng := rand.New(rand.NewPCG(3, 5))
	text := func(letters string, longest int) string {
		b := make([]byte, 1+rng.IntN(longest))
		for i := range b {
			b[i] = letters[rng.IntN(len(letters))]
		}
		return string(b)
	}
	var keys []string
	for range 300 {
		keys = append(keys, text("aabBc-]^\xff\x80", 5))
	}
	pipe := client.Pipeline()
	for _, key := range keys {
		pipe.Set(t.Context(), key, "", 0)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	matches := 0
	for range 1500 {
		pattern := text("aabBc**??[[]]^-\\\xff", 8)
		if pattern == "*" {
			continue // KEYS does not ask the pattern
		}
		found, err := client.Keys(t.Context(), pattern).Result()
		if err != nil {
			t.Fatal(err)
		}
		want := make(map[string]bool)
		for _, key := range found {
			want[key] = true
		}
		matches += len(want)
		for _, key := range keys {
			if got := globMatch([]byte(pattern), []byte(key), false); got != want[key] {
				t.Errorf("%q matches %q: %t, Redis says %t", pattern, key, got, want[key])
			}
		}
	}
	if matches < 1000 {
		t.Errorf("only %d matches", matches)
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a[b-", "ab")
	f.Add(`[^\`, "x")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if globMatch([]byte(pattern), []byte(text), false) && !globMatch([]byte(pattern), []byte(text), true) && !hasBracket(pattern) {
			t.Errorf("%q matches %q only with regard to case", pattern, text)
		}
		if text != "" && !globMatch([]byte("*"+pattern+"*"), fmt.Appendf(nil, "x%sx", text), false) && globMatch([]byte(pattern), []byte(text), false) && !hasBracket(pattern) {
			t.Errorf("%q matches %q, but not within", pattern, text)
		}
	})
}

// hasBracket: what is put behind an open bracket or an escape is part of it, and a negation inverts what case means.
func hasBracket(pattern string) bool {
	for _, c := range pattern {
		if c == '[' || c == '\\' {
			return true
		}
	}
	return false
}
