package differ

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// differencesFile is the one file that has all justified differences.
const differencesFile = "differences.txt"

// difference is an entry of differences.txt, one of four kinds:
//
//	answer id       what the proxy answers in the place of what Redis does; a step refers to it by @differs=id
//	    proxy: ^a regular expression of the whole reply as it is on the wire, with \r\n as the escapes they are$
//	    why: the reason
//
//	failing a b|c   commands that have no success to compare
//	    why: the reason
//
//	absent a b|c    commands that no script calls, for they are not for clients, or it would end the server
//	    why: the reason
//
//	pending a b|c   commands that no script calls yet
//	    why: the reason
//
// An indented line that begins with none of these words goes on with the line above it.
type difference struct {
	kind  string
	names []string
	proxy *regexp.Regexp
	why   string

	used bool
}

// differences are all entries.
type differences struct {
	answers  map[string]*difference
	excused  map[string]*difference // by command
	unlisted []*difference          // in the order of the file
}

func loadDifferences(t *testing.T) *differences {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", differencesFile))
	if err != nil {
		t.Fatal(err)
	}
	d, err := parseDifferences(string(text))
	if err != nil {
		t.Fatalf("%s: %v", differencesFile, err)
	}
	return d
}

func parseDifferences(text string) (*differences, error) {
	d := &differences{answers: map[string]*difference{}, excused: map[string]*difference{}}
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		var err error
		if line[0] != ' ' {
			err = d.begin(strings.Fields(line))
		} else if len(d.unlisted) == 0 {
			err = fmt.Errorf("an indented line before the first entry")
		} else {
			err = d.goOn(d.unlisted[len(d.unlisted)-1], trimmed)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	for _, e := range d.unlisted {
		if e.why == "" || (e.kind == "answer") != (e.proxy != nil) {
			return nil, fmt.Errorf("%s %v: every entry has a why, and an answer has a proxy", e.kind, e.names)
		}
	}
	return d, nil
}

// begin starts an entry.
func (d *differences) begin(words []string) error {
	e := &difference{kind: words[0], names: words[1:]}
	switch {
	case e.kind == "answer" && len(e.names) == 1:
	case e.kind == "failing" || e.kind == "absent" || e.kind == "pending":
	default:
		return fmt.Errorf("an entry is answer, failing, absent or pending, with names: %q", words)
	}
	d.unlisted = append(d.unlisted, e)
	return d.enter(e, e.names)
}

// enter makes the entry known by these names.
func (d *differences) enter(e *difference, names []string) error {
	into := d.excused
	if e.kind == "answer" {
		into = d.answers
	}
	for _, name := range names {
		if into[name] != nil {
			return fmt.Errorf("%s is there twice", name)
		}
		into[name] = e
	}
	return nil
}

// goOn takes an indented line of the entry.
func (d *differences) goOn(e *difference, line string) (err error) {
	switch name, value, _ := strings.Cut(line, ": "); {
	case name == "proxy":
		e.proxy, err = regexp.Compile("(?s)" + value)
	case name == "why":
		e.why = value
	case e.why != "":
		e.why += " " + line
	default:
		names := strings.Fields(line)
		e.names = append(e.names, names...)
		err = d.enter(e, names)
	}
	return err
}

// judge returns what is wrong with replies that have to differ so, or may; "" if nothing is.
func (e *difference) judge(proxy, redis []byte, must bool) string {
	e.used = true
	switch {
	case string(proxy) == string(redis) && !must:
		return ""
	case string(proxy) == string(redis):
		return "they do not differ any more: take @differs away"
	case !e.proxy.Match(proxy):
		return "the proxy does not answer as " + differencesFile + " has it: " + e.proxy.String()
	}
	return ""
}
