package dispatcher

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// asked returns the row and the arguments of a request.
func asked(t *testing.T, line string) (*command.Row, [][]byte) {
	t.Helper()
	var args [][]byte
	for word := range strings.FieldsSeq(line) {
		args = append(args, []byte(word))
	}
	row, err := command.Builtin().Lookup(args)
	if err != nil {
		t.Fatal(err)
	}
	return row, args
}

// TestTimeLimit: what is left of a command's time takes the place of what it asked for.
func TestTimeLimit(t *testing.T) {
	const took = 1500 * time.Millisecond
	for line, want := range map[string]string{
		"BLPOP k 10":                            "BLPOP k 8.5",
		"BRPOP a b 20.25":                       "BRPOP a b 18.75",
		"BLMOVE a b LEFT LEFT 10":               "BLMOVE a b LEFT LEFT 8.5",
		"BRPOPLPUSH a b 20":                     "BRPOPLPUSH a b 18.5",
		"BLMPOP 30 1 k LEFT":                    "BLMPOP 28.5 1 k LEFT",
		"BZMPOP 30 1 k MIN":                     "BZMPOP 28.5 1 k MIN",
		"BZPOPMAX k 30":                         "BZPOPMAX k 28.5",
		"XREAD COUNT 1 BLOCK 20000 STREAMS k $": "XREAD COUNT 1 BLOCK 18500 STREAMS k $",
		"XREADGROUP GROUP block c BLOCK 9999 STREAMS k >": "XREADGROUP GROUP block c BLOCK 8499 STREAMS k >",
		"WAIT 1 30000":              "WAIT 1 28500",
		"BLPOP k 0":                 "BLPOP k 0",
		"BLPOP k 1":                 "over",
		"BLPOP k -1":                "BLPOP k -1",
		"BLPOP k never":             "BLPOP k never",
		"XREAD BLOCK 0 STREAMS k 0": "XREAD BLOCK 0 STREAMS k 0",
		"BLPOP k 1e300":             "BLPOP k 1e300",
	} {
		row, args := asked(t, line)
		l := limitOf(row, args)
		if l.end != 0 {
			l.end -= int64(took)
		}
		if l.over() {
			if want != "over" {
				t.Errorf("%s is over", line)
			}
			continue
		}
		l.shorten(args)
		wanted := strings.Fields(want)
		for i, a := range args {
			if i == l.at && l.end != 0 { // some of it has gone since
				got, err := strconv.ParseFloat(string(a), 64)
				was, _ := strconv.ParseFloat(wanted[i], 64)
				if slack := float64(5*time.Second) / float64(l.unit); err != nil || got > was+1 || got < was-slack {
					t.Errorf("%s: %s is left, want %s", line, a, wanted[i])
				}
			} else if string(a) != wanted[i] {
				t.Errorf("%s became %q", line, args)
			}
		}
	}
}

// TestLastIDs: '$' is asked for where it stands, and replaced by what is known.
func TestLastIDs(t *testing.T) {
	for _, line := range []string{"XREAD STREAMS a b 0 0", "XREAD BLOCK 0 STREAMS a $ 1", "XREADGROUP GROUP g $ BLOCK 0 STREAMS a $", "BLPOP $ 0"} {
		row, args := asked(t, line)
		if ids := lastIDsOf(row, args); ids != nil {
			t.Errorf("%s: %+v", line, ids.streams)
		}
	}
	row, args := asked(t, "XREAD BLOCK 0 STREAMS $ b c d $ 7-7 $ $")
	ids := lastIDsOf(row, args)
	tasks := ids.questions(leg{asking: true})
	var got []string
	for i, reply := range []string{"*1\r\n*2\r\n$3\r\n5-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n", "*0\r\n", "-NOPERM no\r\n"} {
		var parser resp.CommandParser
		cmd, _, err := parser.Next(tasks[i].Wire)
		if err != nil || !tasks[i].Asking {
			t.Fatalf("%q, %v", tasks[i].Wire, err)
		}
		got = append(got, string(cmd.Args[1]))
		tasks[i].Handler.Replied([]backend.Reply{{Task: tasks[i], Bytes: []byte(reply)}}, nil)
	}
	if strings.Join(got, " ") != "$ c d" || len(tasks) != 3 {
		t.Errorf("%d questions, about %q", len(tasks), got)
	}
	ids.fill(args)
	if got := string(args[8]) + " " + string(args[9]) + " " + string(args[10]) + " " + string(args[11]); got != "5-1 7-7 0-0 $" {
		t.Errorf("%s", got)
	}
	if left := ids.questions(leg{}); len(left) != 1 {
		t.Errorf("%d questions are left", len(left))
	}
}

// TestWroteTo remembers each node once.
func TestWroteTo(t *testing.T) {
	a, b := &backend.Node{Addr: "a"}, &backend.Node{Addr: "b"}
	var w wroteTo
	for _, n := range []*backend.Node{a, a, b, a, b, b} {
		w.note(n)
	}
	if len(w.nodes) != 2 || w.nodes[0] != a || w.nodes[1] != b {
		t.Errorf("%v", w.nodes)
	}
}
