package differ

import (
	"slices"
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		`SET k v`:                        {"SET", "k", "v"},
		`  a   "b c"  'd e' `:            {"a", "b c", "d e"},
		`"" ''`:                          {"", ""},
		`"\x00\xff\r\n\"\\\q" '\x00\''`:  {"\x00\xff\r\n\"\\q", `\x00'`},
		`$ $repeat(ab,3) ${it}`:          {"$", "ababab", "saved"},
		`$seq(f,9,11) $seq(,1,2)`:        {"f9", "f10", "f11", "1", "2"},
		`$pairs(f,v,1,2) $pairs(,x,3,3)`: {"f1", "v1", "f2", "v2", "3", "x3"},
	} {
		words, err := splitWords(line)
		var got []string
		for _, w := range words {
			if got, err = w.appendTo(got, map[string]string{"it": "saved"}); err != nil {
				break
			}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`"`, `'a`, `"a"b`, `"\xzz"`, `$nosuch(1)`, `$seq(1)`, `$repeat(x,y)`, `$pairs(a,b,x,1)`} {
		if words, err := splitWords(line); err == nil {
			t.Errorf("%s is taken for %+v", line, words)
		}
	}
	if _, err := (word{name: "nothing"}).appendTo(nil, nil); err == nil {
		t.Error("a reply that was not saved is used")
	}
}

func TestWrongScriptsAreRefused(t *testing.T) {
	for _, text := range []string{"PING", "== a @nosuch\nPING", "== a\n@nosuch PING", "== a\n@mask=x PING", "== a\n@mask=/(/ PING",
		"== a\n@near=x PING", "== a\n@replies=x PING", "== a\n@sorted", "== a\n@from=x PING", "== a @before=x\nPING", "== a\n@hear=1 PING", "== a\n@hear=x", "== a\nSET \"k"} {
		if scripts, err := parseScripts("f", text); err == nil {
			t.Errorf("%q is taken for %+v", text, scripts)
		}
	}
	for _, text := range []string{"  why: x", "nosuch a\n  why: x", "answer a\n  why: x", "answer a b\n  why: x\n  proxy: x", "absent a",
		"absent a\n  proxy: x\n  why: x", "absent a\n  why: x\nabsent a\n  why: y", "absent a\n  a\n  why: x"} {
		if d, err := parseDifferences(text); err == nil {
			t.Errorf("%q is taken for %+v", text, d)
		}
	}
}

// TestComparison has replies that count as the same under a directive, and those that do not.
func TestComparison(t *testing.T) {
	for _, c := range []struct {
		how, a, b string
		same      bool
	}{
		{"", "+OK|", "+OK|", true},
		{"", "+OK|", "$2|OK|", false},
		{"", "*2|:1|:2|", "*2|:2|:1|", false},
		{"", "$-1|", "*-1|", false},
		{"@sorted", "*2|:1|:2|", "*2|:2|:1|", true},
		{"@sorted", "~2|:1|:2|", "*2|:2|:1|", false},
		{"@sorted", "*2|:1|:1|", "*2|:2|:1|", false},
		{"@sorted", "*1|*2|:1|:2|", "*1|*2|:2|:1|", false},
		{"@sorted", "%2|+a|:1|+b|:2|", "%2|+b|:2|+a|:1|", true},
		{"@sorted", "%2|+a|:1|+b|:2|", "%2|+b|:1|+a|:2|", false},
		{"@deep", "*1|*2|:1|:2|", "*1|*2|:2|:1|", true},
		{"@pairs", "*4|+a|:1|+b|:2|", "*4|+b|:2|+a|:1|", true},
		{"@pairs", "*4|+a|:1|+b|:2|", "*4|+b|:1|+a|:2|", false},
		{"@pairs", "*2|*2|+a|:1|*2|+b|:2|", "*2|*2|+b|:2|*2|+a|:1|", true},
		{"@pairs", "*2|*2|+a|:1|*2|+b|:2|", "*2|*2|+b|:1|*2|+a|:2|", false},
		{"@set", "*3|:1|:2|:1|", "*2|:2|:1|", true},
		{"@set", "*1|:1|", "*2|:2|:1|", false},
		{"@shape", "*2|:1|$1|x|", "*2|:7|$2|yz|", true},
		{"@shape", "*2|:1|$1|x|", "*2|:0|$2|yz|", false},
		{"@shape", "*1|:1|", "*2|:1|:1|", false},
		{"@shape", "$1|x|", "+x|", false},
		{"@shape", "$1|x|", "$-1|", false},
		{"@shape", "-ERR a|", "-ERR b|", false},
		{"@kind", "*1|:1|", "*2|:2|+x|", true},
		{"@kind", "*1|:1|", "~1|:1|", false},
		{"@kind", "-ERR a|", "-ERR b|", false},
		{"@near=5", ":100|", ":104|", true},
		{"@near=5", ":100|", ":106|", false},
		{"@near=5", "*2|:100|+a|", "*2|:100|+b|", false},
		{"@near=5", "$3|100|", "$3|104|", true},
		{"@mask=/id=[0-9]+/", "$4|id=1|", "$5|id=22|", true},
		{"@mask=/id=[0-9]+/", "$4|id=1|", "$4|ie=1|", false},
		{"@mask=/[0-9]+/", ":1|", ":2|", true},
		{"@mask=/[0-9]+/", "-ERR 1|", "-ERR 2|", true},
	} {
		st, err := parseStep(strings.TrimSpace(c.how + " PING"))
		if err != nil {
			t.Fatal(err)
		}
		a, b := strings.ReplaceAll(c.a, "|", "\r\n"), strings.ReplaceAll(c.b, "|", "\r\n")
		if got := st.how.same([]byte(a), []byte(b)); got != c.same {
			t.Errorf("%s %q and %q: the same is %t", c.how, a, b, got)
		}
	}
	e := difference{kind: "answer"}
	if d, err := parseDifferences("answer a\n  proxy: ^-ERR x\\r\\n$\n  why: y"); err != nil {
		t.Fatal(err)
	} else {
		e = *d.answers["a"]
	}
	if e.judge([]byte("-ERR x\r\n"), []byte("+OK\r\n"), true) != "" {
		t.Error("a listed difference is not taken")
	}
	if e.judge([]byte("-ERR x\r\n"), []byte("-ERR x\r\n"), true) == "" || e.judge([]byte("-ERR z\r\n"), []byte("+OK\r\n"), true) == "" {
		t.Error("a listed difference that is none, or another, is taken")
	}
	if e.judge([]byte("-ERR z\r\n"), []byte("-ERR z\r\n"), false) != "" || e.judge([]byte("-ERR z\r\n"), []byte("+OK\r\n"), false) == "" {
		t.Error("with another server: replies that are the same are not taken, or replies that differ otherwise are")
	}
}

func TestServerRange(t *testing.T) {
	for directives, want := range map[string]string{
		"": "6.0 7.0 8.0 valkey", "@before=7.2": "6.0 7.0", "@from=7.0": "7.0 8.0 valkey", "@redis": "6.0 7.0 8.0", "@valkey": "valkey", "@redis @from=7.2": "8.0",
	} {
		st, err := parseStep(strings.TrimSpace(directives + " PING"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range []struct {
			name string
			serverKind
		}{{"6.0", serverKind{"redis", 6}}, {"7.0", serverKind{"redis", 7}}, {"8.0", serverKind{"redis", 8}}, {"valkey", serverKind{"valkey", 7.2}}} {
			if st.servers.has(k.serverKind) {
				got = append(got, k.name)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q is played with %s, want %s", directives, s, want)
		}
	}
}
