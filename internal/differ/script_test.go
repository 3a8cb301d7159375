package differ

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"redis-cluster-proxy/resp"
)

// script is a conversation that begins with an empty server. In a file of testdata it begins with a line
//
//	== what it is about @steps @resp3
//
// where @steps keeps it from being played as a pipeline, as does a step that needs an earlier reply, @resp2 or @resp3
// confine it to that protocol, and @from and its kin below to those servers. A line that begins with '#' is a comment. Every other one is a command, with directives
// before it that say how the two replies are compared, if not byte by byte:
//
//	@sorted      the order of the elements, and of the entries of a map, is not the server's promise
//	@pairs       likewise, of what RESP2 has as a flat array of names and values
//	@deep        @sorted, in all arrays within as well
//	@set         @sorted, and doubles count once
//	@shape       types and numbers of elements are the same, and the signs of numbers; errors are the same
//	@kind        the replies are of the same type; errors are the same
//	@near=5      numbers differ by that much at most
//	@mask=/re/   what matches is left out, in every text
//	@differs=id  the replies differ, as differences.txt has it under this name
//
// and some that change what is done:
//
//	@resp2 @resp3  only in this protocol
//	@before=7.2    only with servers before Redis 7.2, of which Valkey is none
//	@from=7.2      only with Redis 7.2 and later, and Valkey
//	@redis @valkey only with servers of that name
//	@replies=n     n replies come, not one
//	@closes        the server closes the connection behind its replies
//	@on=name       on another connection of that name
//	@waits         no reply comes yet: the server blocks the client, which is awaited
//	@hear=n        nothing is sent, so there is no command; n replies come
//	@soon          the proxy is asked again until it answers as Redis does, for what it learns from another node
//	@save=name     keeps the reply for ${name} in later commands; each server has its own
//	@scan          calls again with the cursor of each reply until that is 0, and compares all elements as a set
type script struct {
	file  string
	line  int
	name  string
	proto resp.Proto // only this one; 0: both
	only  serverRange
	steps []*step
	whole bool // never as a pipeline
}

// step is a line of a script.
type step struct {
	line    int
	proto   resp.Proto  // only in this one; 0: both
	servers serverRange // only with these
	words   []word
	on      string
	replies int
	closes  bool
	waits   bool
	silent  bool // nothing is sent
	save    string
	scan    bool
	soon    bool
	differs string
	how     comparison
}

// alone reports whether what comes later depends on the reply.
func (st *step) alone() bool {
	return st.on != "" || st.save != "" || st.scan || st.soon || st.waits || st.silent
}

// pipelined reports whether the script can be sent in one piece.
func (s *script) pipelined() bool {
	for _, st := range s.steps {
		if st.alone() {
			return false
		}
	}
	return !s.whole
}

// names are the first one or two arguments of all steps, which say what command each is.
func (st *step) names() (args [][]byte) {
	for _, w := range st.words {
		if w.name != "" || w.series != nil || len(args) == 2 {
			break
		}
		args = append(args, []byte(w.text))
	}
	return args
}

// loadScripts reads all files of testdata that have scripts.
func loadScripts(t *testing.T) (scripts []*script) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Base(file) == differencesFile {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		some, err := parseScripts(file, string(text))
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, some...)
	}
	if len(scripts) == 0 {
		t.Fatal("no scripts in testdata")
	}
	return scripts
}

// parseScripts reads the text of a file.
func parseScripts(file, text string) (scripts []*script, err error) {
	for i, line := range strings.Split(text, "\n") {
		switch line = strings.TrimSpace(line); {
		case line == "" || line[0] == '#':
			continue
		case strings.HasPrefix(line, "== "):
			var sc *script
			if sc, err = parseHead(line[3:]); err == nil {
				sc.file, sc.line = file, i+1
				scripts = append(scripts, sc)
			}
		case len(scripts) == 0:
			err = fmt.Errorf("a command before the first script")
		default:
			var st *step
			if st, err = parseStep(line); err == nil {
				st.line = i + 1
				last := scripts[len(scripts)-1]
				last.steps = append(last.steps, st)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
		}
	}
	return scripts, nil
}

func parseHead(line string) (*script, error) {
	sc := &script{}
	for _, w := range strings.Fields(line) {
		switch {
		case w == "@steps":
			sc.whole = true
		case w == "@resp2" || w == "@resp3":
			sc.proto = resp.Proto(w[5] - '0')
		case w[0] == '@':
			if known, err := sc.only.direct(w[1:]); err != nil || !known {
				return nil, fmt.Errorf("no such directive for a script: %s", w)
			}
		default:
			sc.name = strings.TrimSpace(sc.name + " " + w)
		}
	}
	return sc, nil
}

func parseStep(line string) (*step, error) {
	st := &step{replies: 1}
	for strings.HasPrefix(line, "@") {
		directive, rest, _ := strings.Cut(line, " ")
		if err := st.direct(directive); err != nil {
			return nil, err
		}
		line = strings.TrimLeft(rest, " \t")
	}
	var err error
	if st.words, err = splitWords(line); err == nil && (len(st.words) == 0) != st.silent {
		err = fmt.Errorf("no command, or one that is not sent")
	}
	return st, err
}

// direct takes one directive of a step.
func (st *step) direct(directive string) (err error) {
	name, value, _ := strings.Cut(directive[1:], "=")
	switch name {
	case "resp2", "resp3":
		st.proto = resp.Proto(name[4] - '0')
	case "replies":
		st.replies, err = strconv.Atoi(value)
	case "closes":
		st.closes = true
	case "waits":
		st.waits, st.replies = true, 0
	case "hear":
		st.silent = true
		st.replies, err = strconv.Atoi(value)
	case "on":
		st.on = value
	case "soon":
		st.soon = true
	case "save":
		st.save = value
	case "scan":
		st.scan, st.how.unordered, st.how.once = true, orderNone, true
	case "differs":
		st.differs = value
	case "sorted":
		st.how.unordered = orderTop
	case "pairs":
		st.how.unordered = orderPairs
	case "deep":
		st.how.unordered = orderNone
	case "set":
		st.how.unordered, st.how.once = orderTop, true
	case "shape":
		st.how.shape = true
	case "kind":
		st.how.kind = true
	case "near":
		st.how.near, err = strconv.ParseFloat(value, 64)
	case "mask":
		value, ok := strings.CutPrefix(value, "/")
		value, closed := strings.CutSuffix(value, "/")
		if !ok || !closed {
			return fmt.Errorf("@mask wants a regular expression between slashes")
		}
		var mask *regexp.Regexp
		mask, err = regexp.Compile(value)
		st.how.masks = append(st.how.masks, mask)
	default:
		var known bool
		if known, err = st.servers.direct(directive[1:]); !known {
			return fmt.Errorf("no such directive: @%s", name)
		}
	}
	return err
}
