package proxy_test

import (
	"strings"
	"testing"

	"redis-cluster-proxy/resp"
)

// TestProtocolErrorsAreThoseOfRedis sends what is wrong: to the proxy and to Redis, with something right before it, and
// with more behind it, which neither may answer.
func TestProtocolErrorsAreThoseOfRedis(t *testing.T) {
	tw := startTwins(t)
	for name, input := range map[string]string{
		"empty line":                   "\r\n",
		"empty array":                  "*0\r\n",
		"null array":                   "*-1\r\n",
		"negative array":               "*-17\r\n",
		"array too long":               "*2147483648\r\n",
		"array far too long":           "*99999999999999999999\r\n",
		"array of no number":           "*abc\r\n",
		"array of nothing":             "*\r\n",
		"array with a sign":            "*+1\r\n",
		"array with blanks":            "* 1\r\n",
		"argument too long":            "*1\r\n$536870913\r\n",
		"argument far too long":        "*1\r\n$99999999999999999999\r\n",
		"argument of negative length":  "*1\r\n$-1\r\n",
		"argument of no number":        "*1\r\n$abc\r\n",
		"argument of nothing":          "*1\r\n$\r\n",
		"later argument of no number":  "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$x\r\n",
		"integer for an argument":      "*1\r\n:1\r\n",
		"array in an array":            "*1\r\n*1\r\n$4\r\nPING\r\n",
		"line end for an argument":     "*1\r\n\r\n",
		"text for an argument":         "*2\r\n$3\r\nGET\r\nfoo\r\n",
		"high byte for an argument":    "*1\r\n\xff\r\n",
		"unbalanced double quotes":     "SET a \"b\r\n",
		"unbalanced single quotes":     "SET a 'b\r\n",
		"quotes closed within a word":  "SET a \"b\"c\r\n",
		"POST":                         "POST / HTTP/1.1\r\n",
		"post":                         "post / HTTP/1.1\r\n",
		"Host:":                        "Host: localhost\r\n",
		"POST in an array":             "*1\r\n$4\r\nPOST\r\n",
		"GET of HTTP, then Host:":      "GET / HTTP/1.1\r\nHost: localhost\r\n",
		"inline line too long":         strings.Repeat("a", resp.MaxInlineBytes+1),
		"inline line, longest":         strings.Repeat("a", resp.MaxInlineBytes),
		"header of an array too long":  "*" + strings.Repeat("1", resp.MaxInlineBytes),
		"header of an array, longest":  "*" + strings.Repeat("1", resp.MaxInlineBytes-1),
		"header of a bulk too long":    "*1\r\n$" + strings.Repeat("1", resp.MaxInlineBytes),
		"header of a bulk, longest":    "*1\r\n$" + strings.Repeat("1", resp.MaxInlineBytes-1),
		"incomplete array header":      "*1",
		"incomplete argument header":   "*1\r\n$4",
		"incomplete argument":          "*1\r\n$4\r\nPI",
		"argument without its end":     "*1\r\n$4\r\nPING",
		"incomplete inline command":    "PING",
		"bytes that are no line end":   "*1\r\n$4\r\nPINGxx",
		"bytes that are no line end 2": "*2\r\n$4\r\nECHOxx$2\r\nhixx",
	} {
		t.Run(name, func(t *testing.T) {
			tw.alike(t, input)
			tw.alike(t, commands("SET protocol 1", "GET protocol")+"PING\r\n"+input)
			if len(input) < 1<<10 { // of more, whoever closes first might not read the end
				tw.alike(t, input+commands("ECHO behind"))
			}
		})
	}
}

// TestProtocolErrorsAreMutedAsByRedis: what CLIENT REPLY drops, it drops of protocol errors, too.
func TestProtocolErrorsAreMutedAsByRedis(t *testing.T) {
	tw := startTwins(t)
	for _, lines := range [][]string{
		{"CLIENT REPLY OFF", "PING"},
		{"CLIENT REPLY SKIP"},
		{"CLIENT REPLY SKIP", "PING"},
		{"CLIENT REPLY SKIP", "PING", "PING"},
		{"CLIENT REPLY OFF", "CLIENT REPLY ON"},
	} {
		tw.alike(t, commands(lines...)+"*1\r\n:1\r\n")
	}
}

func TestInlineCommands(t *testing.T) {
	tw := startTwins(t)
	for _, input := range []string{
		"PING\r\n", "PING\n", "  ping  \r\n", "\r\n\r\nPING\r\n", "\n\nPING hello\n",
		"SET inline \"a b\\r\\n\\x00\\\"\"\r\nGET inline\r\nSTRLEN inline\r\n",
		"SET inline 'it\\'s'\r\nGET inline\r\n",
		"SET inline \"\"\r\nGET inline\r\n",
		"MSET inline:1 a inline:2 b inline:3 c\r\nMGET inline:1 inline:2 inline:3\r\nDEL inline:1 inline:2 inline:3\r\n",
		"HELLO 3\r\nGET inline:none\r\nECHO x\r\n",
		"NOSUCH \"a b\" c\r\n",
		"GET\r\n",
		"EVAL \"return {KEYS[1], ARGV[1]}\" 1 inline {x}\r\n",
	} {
		tw.alike(t, input)
		tw.alike(t, input+commands("ECHO array")+input)
	}
}
