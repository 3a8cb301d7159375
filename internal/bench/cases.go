package main

import (
	"fmt"
	"strconv"
	"strings"
)

// key is expanded by redis-benchmark to one of benchCase.keys keys, anew for each request.
const key = "key:__rand_int__"

// benchCase is one kind of load.
type benchCase struct {
	name     string
	command  []string // empty: the built-in test that test names
	test     string   // of redis-benchmark: get or set
	clients  int
	pipeline int
	size     int // bytes of a value
	keys     int // size of the key space
	idle     bool
	blocked  bool // with idle: its clients wait for an element

	publish bool // to subscribers of one channel; redis-benchmark makes all other loads
	rate    int  // messages published per second; 0: as many as there can be
}

// allCases are those that the targets in the design speak of. The idle one is first: it wants processes that have not
// grown yet.
func allCases() []benchCase {
	const few, many = 3, 100000
	cases := []benchCase{{name: "idle", idle: true}, {name: "blocked", idle: true, blocked: true}}
	for _, load := range []struct{ clients, pipeline, size, keys int }{
		{1, 1, few, many}, {50, 1, few, many}, {500, 1, few, many},
		{50, 16, few, many}, {50, 100, few, many},
		{50, 1, 16 << 10, 1000}, {8, 1, 1 << 20, 50},
	} {
		for _, test := range []string{"get", "set"} {
			c := benchCase{test: test, clients: load.clients, pipeline: load.pipeline, size: load.size, keys: load.keys}
			c.name = fmt.Sprintf("%s c=%d P=%d", strings.ToUpper(test), c.clients, c.pipeline)
			if c.size != few {
				c.name = fmt.Sprintf("%s %dKiB c=%d", strings.ToUpper(test), c.size>>10, c.clients)
			}
			cases = append(cases, c)
		}
	}
	mget, mset := []string{"MGET"}, []string{"MSET"}
	for range 10 {
		mget, mset = append(mget, key), append(mset, key, "xxx")
	}
	for _, load := range []struct{ pipeline, rate int }{{1, 0}, {16, 0}, {1, 1000}, {1, 100}} {
		c := benchCase{publish: true, pipeline: load.pipeline, rate: load.rate}
		c.name = fmt.Sprintf("PUBLISH P=%d", c.pipeline)
		if c.rate > 0 {
			c.name += fmt.Sprintf(" %d/s", c.rate)
		}
		cases = append(cases, c)
	}
	return append(cases,
		benchCase{name: "MGET 10 c=50 P=1", command: mget, clients: 50, pipeline: 1, size: few, keys: many},
		benchCase{name: "MSET 10 c=50 P=1", command: mset, clients: 50, pipeline: 1, size: few, keys: many},
		// Beside a node, what it costs to ask all of them.
		benchCase{name: "DBSIZE c=1 P=1", command: []string{"DBSIZE"}, clients: 1, pipeline: 1, size: few, keys: many})
}

// chooseCases returns the cases that one of the comma-separated words is part of, all if there is none; "=word" is the
// case of just that name. A word that chooses nothing is an error.
func chooseCases(words string) ([]benchCase, error) {
	all := allCases()
	if words == "" {
		return all, nil
	}
	chosen := make([]bool, len(all))
	for word := range strings.SplitSeq(words, ",") {
		word = strings.TrimSpace(word)
		found := false
		for i, c := range all {
			if c.called(word) {
				chosen[i], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("no case is called %q: -list shows all", word)
		}
	}
	var cases []benchCase
	for i, c := range all {
		if chosen[i] {
			cases = append(cases, c)
		}
	}
	return cases, nil
}

// called reports whether word is part of the case's name, or "=" and all of it.
func (c benchCase) called(word string) bool {
	if exact, found := strings.CutPrefix(word, "="); found {
		return exact == c.name
	}
	return word != "" && strings.Contains(c.name, word)
}

// args returns redis-benchmark's arguments for so many requests.
func (c benchCase) args(requests int) []string {
	args := c.load(requests, c.clients, c.pipeline)
	if len(c.command) > 0 {
		return append(args, c.command...)
	}
	return append(args, "-t", c.test)
}

// fillArgs returns the arguments of a run that leaves about 95 of 100 keys with a value of the case's size.
func (c benchCase) fillArgs() []string {
	pipeline := max(1, min(50, (64<<10)/c.size))
	return append(c.load(3*c.keys, 8, pipeline), "-t", "set")
}

// reads reports whether the case finds something only after a fill.
func (c benchCase) reads() bool {
	return c.test == "get" || len(c.command) > 0 && c.command[0] == "MGET"
}

func (c benchCase) load(requests, clients, pipeline int) []string {
	return []string{
		"--csv", "-n", strconv.Itoa(requests), "-c", strconv.Itoa(clients), "-P", strconv.Itoa(pipeline),
		"-d", strconv.Itoa(c.size), "-r", strconv.Itoa(c.keys),
	}
}

// leastRequests is enough for every client to fill its pipeline twice.
func (c benchCase) leastRequests() int { return 2 * c.clients * c.pipeline }
