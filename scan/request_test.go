package scan

import (
	"bytes"
	"strings"
	"testing"
)

func words(line string) (args [][]byte) {
	for _, word := range strings.Fields(line) {
		args = append(args, []byte(word))
	}
	return args
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		line        string
		count       int
		match, kind string
		options     string
	}{
		{"SCAN 0", 10, "", "", ""},
		{"SCAN 0 COUNT 7", 7, "", "", ""},
		{"scan 5 count 7 Match a* count 9", 9, "a*", "", "Match a*"},
		{"SCAN 5 MATCH *", 10, "", "", "MATCH *"},
		{"SCAN 5 TYPE hash MATCH x", 10, "x", "hash", "TYPE hash MATCH x"},
	} {
		r, ok := Parse(words(tt.line))
		if !ok || r.count != tt.count || string(r.match) != tt.match || string(r.kind) != tt.kind ||
			string(bytes.Join(r.options, []byte(" "))) != tt.options {
			t.Errorf("%s: %+v, %t", tt.line, r, ok)
		}
	}
	for _, line := range []string{"SCAN", "SCAN x", "SCAN 0 COUNT", "SCAN 0 COUNT 0", "SCAN 0 COUNT -1", "SCAN 0 COUNT 07", "SCAN 0 COUNT x",
		"SCAN 0 COUNT 99999999999999999999", "SCAN 0 MATCH", "SCAN 0 NOVALUES", "SCAN 0 NOVALUES 1", "SCAN 0 MATCH a TYPE"} {
		if r, ok := Parse(words(line)); ok {
			t.Errorf("%s: %+v", line, r)
		}
	}
}

func TestTag(t *testing.T) {
	for pattern, want := range map[string]string{
		"{a}*": "{a}", "x{a}y*{b}": "x{a}", "abc": "abc", "": "", "{}{a}": "{}{a}", "{a": "{a", "a}b": "a}b", "{a}": "{a}",
		"*": "-", "a*": "-", "{a*}": "-", "a?{b}": "-", "[a]{b}": "-", `\{a}`: "-", "{}*": "-", "{}{a}*": "-", "{a*": "-",
	} {
		key, ok := Tag([]byte(pattern))
		if got := map[bool]string{true: string(key), false: "-"}[ok]; got != want {
			t.Errorf("Tag(%q) is %q, want %q", pattern, got, want)
		}
	}
}

// FuzzTag: a key that matches a pattern lies where the pattern's tag does.
func FuzzTag(f *testing.F) {
	f.Add("{a}*", "{a}b")
	f.Add("x{a}[y]", "x{a}y")
	f.Add("{}{a}", "{}{a}")
	f.Fuzz(func(t *testing.T, pattern, key string) {
		if len(pattern)+len(key) > 60 || !matches([]byte(pattern), []byte(key)) {
			return
		}
		if tag, ok := Tag([]byte(pattern)); ok && simSlot(string(tag)) != simSlot(key) {
			t.Errorf("pattern %q: tag %q, but it matches %q", pattern, tag, key)
		}
	})
}
