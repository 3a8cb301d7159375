package scan

import "testing"

// globs are patterns with keys that they match and keys that they do not, as
// Redis's KEYS answers; TestPatternsAsServers in internal/e2e asks it.
func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		pattern, key string
		want         bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "", false}, {"**", "", false},
		{"abc", "abc", true}, {"abc", "abd", false}, {"abc", "ab", false}, {"ab", "abc", false},
		{"a?c", "abc", true}, {"a?c", "ac", false}, {"?", "", false},
		{"a*", "a", true}, {"*a", "a", true}, {"a*c", "abbc", true}, {"a*c", "abbd", false}, {"*a*b*", "xaxbx", true}, {"a***", "a", true},
		{"h[ae]llo", "hello", true}, {"h[ae]llo", "hillo", false}, {"h[^e]llo", "hallo", true}, {"h[^e]llo", "hello", false},
		{"h[a-b]llo", "hbllo", true}, {"h[b-a]llo", "hallo", true}, {"h[a-b]llo", "hcllo", false},
		{`[\]]`, "]", true}, {"[", "a", false}, {"[^", "a", true}, {"[a", "a", true}, {"[a-", "-", true}, {"[a-", "a", true},
		{`\*`, "*", true}, {`\*`, "a", false}, {`a\`, `a\`, true}, {`\\`, `\`, true}, {"[]", "]", false}, {"[]a]", "a", false},
		{"\xff?", "\xffx", true}, {"[\xfe-\xff]", "\xfe", true},
	} {
		if got := matches([]byte(tt.pattern), []byte(tt.key)); got != tt.want {
			t.Errorf("%q and %q: %t", tt.pattern, tt.key, got)
		}
	}
}

// FuzzMatches: no pattern makes it crash, or try forever.
func FuzzMatches(f *testing.F) {
	f.Add("a*b?[c-d]\\e[^f", "axbxcxe")
	f.Add("*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	f.Fuzz(func(t *testing.T, pattern, key string) {
		if matches([]byte(pattern), []byte(key)) && pattern == key {
			return
		}
		if !matches([]byte("*"+pattern), []byte("x"+key)) && matches([]byte(pattern), []byte(key)) {
			t.Errorf("%q matches %q, but not with a star before", pattern, key)
		}
	})
}
