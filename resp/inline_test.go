package resp

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// The results were compared with those of a Redis 7.0.
func TestInline(t *testing.T) {
	longest := strings.Repeat("x", MaxInlineBytes)
	tests := []struct {
		line string
		want []string
	}{
		{"PING\r\n", []string{"PING"}},
		{"PING\n", []string{"PING"}},
		{"  PING  \r\r\n", []string{"PING"}},
		{"GET\tkey \v\f x\r\n", []string{"GET", "key", "x"}},
		{"\r\n", nil},
		{"\n", nil},
		{" \t \r\n", nil},
		{"ECHO a\rb\n", []string{"ECHO", "a", "b"}},
		{"ECHO a\vb\f\n", []string{"ECHO", "a\vb\f"}},
		{"\vECHO\n", []string{"ECHO"}},
		{`ECHO ""` + "\n", []string{"ECHO", ""}},
		{`ECHO ''` + "\n", []string{"ECHO", ""}},
		{`"ECHO" "a b"` + "\r\n", []string{"ECHO", "a b"}},
		{`ECHO "a\x41\n\q\"\'b"` + "\n", []string{"ECHO", "aA\nq\"'b"}},
		{`ECHO "\r\t\b\a\\"` + "\n", []string{"ECHO", "\r\t\b\a\\"}},
		{`ECHO "\x00\xfF\xAb"` + "\n", []string{"ECHO", "\x00\xff\xab"}},
		{`ECHO "\xZZ\x4"` + "\n", []string{"ECHO", "xZZx4"}},
		{`ECHO 'a\'b\n\x41"'` + "\n", []string{"ECHO", `a'b\n\x41"`}},
		{`ECHO \x41\n` + "\n", []string{"ECHO", `\x41\n`}},
		{`ECHO a"b c"` + "\n", []string{"ECHO", "ab c"}},
		{`ECHO a'b c' "d" e"f"` + "\n", []string{"ECHO", "ab c", "d", "ef"}},
		{`SET "a"` + "\t" + `'b'` + "\v" + `c` + "\n", []string{"SET", "a", "b", "c"}},
		{longest + "\n", []string{longest}},
		{longest[:MaxInlineBytes-1] + "\r\n", []string{longest[:MaxInlineBytes-1]}},
		{"$4\r\n", []string{"$4"}},
		{"\xff\xfe\n", []string{"\xff\xfe"}},
	}
	for _, tt := range tests {
		cmds, rest, err := parseBothWays(t, UnauthenticatedLimits(), tt.line)
		if err != nil || rest != 0 || len(cmds) != 1 {
			t.Errorf("%.40q: got %v, rest %d, %v", tt.line, cmds, rest, err)
			continue
		}
		if !slices.Equal(cmds[0].args, tt.want) || !cmds[0].inline {
			t.Errorf("%.40q: got %.200q, want %.200q", tt.line, cmds[0].args, tt.want)
		}
	}
}

func TestUnbalancedQuotes(t *testing.T) {
	for _, line := range []string{
		`"`, `'`, `ECHO "a`, `ECHO 'a`, `ECHO a"`, `ECHO "a"b`, `ECHO 'a'b`, `ECHO "a""b"`, `ECHO "a\"`, `ECHO 'a\'`, `ECHO "a\`, `ECHO "\x4`,
	} {
		if _, _, err := parseBothWays(t, Limits{}, line+"\r\n"); !errors.Is(err, errUnbalancedQuotes) {
			t.Errorf("%q: got %v, want %v", line, err, errUnbalancedQuotes)
		}
	}
}

func TestInlineIncomplete(t *testing.T) {
	for _, line := range []string{"PING", "PING\r", `ECHO "a`, "ECHO a\x00b\nPING\n", strings.Repeat("x", MaxInlineBytes)} {
		cmds, rest, err := parseBothWays(t, Limits{}, line)
		if err != nil || rest != len(line) || len(cmds) != 0 {
			t.Errorf("%.40q: got %v, rest %d, %v", line, cmds, rest, err)
		}
	}
}

func TestInlineStorageIsBounded(t *testing.T) {
	var p CommandParser
	line := []byte(`ECHO "` + strings.Repeat("x", 60000) + "\"\n")
	if _, n, err := p.Next(line); n != len(line) || err != nil {
		t.Fatalf("Next = %d, %v", n, err)
	}
	if _, _, err := p.Next([]byte("ECHO 'a'\n")); err != nil || cap(p.scratch) > 1024 {
		t.Errorf("%d bytes of storage left behind, %v", cap(p.scratch), err)
	}
}
