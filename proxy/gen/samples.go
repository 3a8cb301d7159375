package main

import (
	"strings"

	"redis-cluster-proxy/command"
)

// keywordSamples are requests with two keys of commands whose keys stand behind
// words.
var keywordSamples = map[string]string{
	"xread":      "XREAD STREAMS a b 0 0",
	"xreadgroup": "XREADGROUP GROUP g c STREAMS a b > >",
	"migrate":    "MIGRATE host 6379  0 1000 KEYS a b",
	"sort":       "SORT a STORE b",
	"georadius":  "GEORADIUS a 1 1 1 m STORE b",

	"georadiusbymember": "GEORADIUSBYMEMBER a m 1 m STORE b",
	"debug":             "DEBUG SLEEP 1",
}

// variants are requests of a command that are treated in another way, with what
// they are called in the page.
var variants = map[string][][2]string{
	"xread":      {{"with BLOCK", "XREAD BLOCK 0 STREAMS a 0"}, {"with BLOCK and keys in several slots", "XREAD BLOCK 0 STREAMS a b 0 0"}},
	"xreadgroup": {{"with BLOCK", "XREADGROUP GROUP g c BLOCK 0 STREAMS a >"}, {"with BLOCK and keys in several slots", "XREADGROUP GROUP g c BLOCK 0 STREAMS a b > >"}},
	"keys":       {{"`{tag}*`", "KEYS {tag}*"}},
	"debug":      {{"about a key", "DEBUG OBJECT a"}},
}

func words(line string) [][]byte {
	var args [][]byte
	for word := range strings.SplitSeq(line, " ") {
		args = append(args, []byte(word))
	}
	return args
}

// sample is a request of the row with up to most keys, whose indexes it returns
// as well.
func sample(row *command.Row, most int) (args [][]byte, keys []int) {
	if line, ok := keywordSamples[row.Name]; ok {
		args = words(line)
		keys, _ = row.AppendKeys(nil, args)
		return args, keys
	}
	least := max(row.Arity, -row.Arity)
	args = padded(row, "1", least)
	for _, filling := range []string{"0", "1", "2"} { // which may be a number of keys
		for n := least; n < least+4 && (row.Arity < 0 || n == least); n++ {
			try := padded(row, filling, n)
			if found, err := row.AppendKeys(nil, try); err == nil && len(found) <= most && len(found) > len(keys) {
				args, keys = try, found
			}
		}
	}
	return args, keys
}

// padded is the row's name with as many arguments as make n.
func padded(row *command.Row, filling string, n int) [][]byte {
	args := words(strings.ReplaceAll(strings.ToUpper(row.Name), "|", " "))
	for len(args) < n {
		args = append(args, []byte(filling))
	}
	return args
}

// named is the request with other names for its keys.
func named(args [][]byte, keys []int, names ...string) [][]byte {
	renamed := append([][]byte(nil), args...)
	for i, k := range keys {
		renamed[k] = []byte(names[i])
	}
	return renamed
}
