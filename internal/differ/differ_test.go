package differ

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

func lower(name []byte) string { return strings.ToLower(string(name)) }

// TestProxyAnswersAsRedis plays all scripts, and then counts what they had.
func TestProxyAnswersAsRedis(t *testing.T) {
	d, scripts := newDuel(t), loadScripts(t)
	for _, proto := range []resp.Proto{resp.RESP2, resp.RESP3} {
		for _, pipelined := range []bool{false, true} {
			for _, sc := range scripts {
				if sc.proto != 0 && sc.proto != proto || pipelined && !sc.pipelined() || !sc.only.has(d.kind) {
					continue
				}
				name := fmt.Sprintf("%s:%d/RESP%d", filepath.Base(sc.file), sc.line, proto)
				if pipelined {
					name += "-pipelined"
				}
				t.Run(name, func(t *testing.T) { d.play(t, sc, proto, pipelined) })
			}
		}
	}
	if d.kind.number == scriptedFor {
		t.Run("coverage", d.coverage)
	}
}

// coverage fails for a command that was not played though it is not excused, and for an excuse that is of no use.
func (d *duel) coverage(t *testing.T) {
	known, played := map[string]bool{}, 0
	var missing []string
	for row := range d.table.Rows() {
		known[row.Name] = true
		if row.IsContainer() && row.Arity < -1 { // of no use without a sub-command
			continue
		}
		excuse, called, answered := "", d.called[row.Name], d.answered[row.Name]
		if entry := d.diff.excused[row.Name]; entry != nil {
			excuse = entry.kind
		}
		switch {
		case excuse == "" && !called:
			missing = append(missing, row.Name)
		case excuse == "" && !answered:
			t.Errorf("no script calls %s without an error", row.Name)
		case excuse == "failing" && (!called || answered):
			t.Errorf("%s is called failing in %s; in a script: %t, with success: %t", row.Name, differencesFile, called, answered)
		case excuse != "failing" && excuse != "" && called:
			t.Errorf("%s is in a script, but %s in %s", row.Name, excuse, differencesFile)
		case called:
			played++
		}
	}
	if missing != nil {
		t.Errorf("no script calls these, and %s does not say why: %s", differencesFile, strings.Join(missing, " "))
	}
	for _, name := range slices.Sorted(maps.Keys(d.diff.excused)) {
		if !known[name] {
			t.Errorf("%s has %s, which the server does not know", differencesFile, name)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.diff.answers)) {
		if !d.diff.answers[id].used {
			t.Errorf("%s has the answer %s, which no script refers to", differencesFile, id)
		}
	}
	t.Logf("%d commands and sub-commands of %d were played", played, len(known))
}

// TestArityErrors calls every command with one argument too few, and with one too many if there is such a thing, and every
// container with a sub-command that does not exist. None of these is executed.
func TestArityErrors(t *testing.T) {
	d := newDuel(t)
	sc := &script{file: "COMMAND", name: "arity"}
	for row := range d.table.Rows() {
		words := strings.Split(row.Name, "|")
		if row.IsContainer() {
			sc.steps = append(sc.steps, callOf(words, 2, "nosuch"), callOf(words, 4, "HELPX"))
		}
		least := max(row.Arity, -row.Arity)
		for n := len(words); n < least; n++ {
			sc.steps = append(sc.steps, callOf(words, n, "x"))
		}
		if row.Arity > 0 {
			sc.steps = append(sc.steps, callOf(words, least+1, "x"), callOf(words, least+3, ""))
		}
	}
	if len(sc.steps) < 500 {
		t.Errorf("only %d calls: the server named few commands", len(sc.steps))
	}
	for _, proto := range []resp.Proto{resp.RESP2, resp.RESP3} {
		d.play(t, sc, proto, false)
		d.play(t, sc, proto, true)
	}
}

// TestCommandsOfNewerServers calls what the proxy's own table has and the server has not, with enough arguments.
func TestCommandsOfNewerServers(t *testing.T) {
	d := newDuel(t)
	sc := &script{file: "Builtin", name: "not in COMMAND"}
	for row := range command.Builtin().Rows() {
		if d.table.Row(row.Name) == nil && row.Name != "client|setinfo" { // which the proxy answers for all servers
			words := strings.Split(row.Name, "|")
			least := max(row.Arity, -row.Arity)
			sc.steps = append(sc.steps, callOf(words, len(words), ""), callOf(words, least, "1"), callOf(words, least+1, "x"))
		}
	}
	if len(sc.steps) < 30 && d.kind.number == scriptedFor {
		t.Errorf("only %d calls: the built-in table has little", len(sc.steps))
	}
	for _, proto := range []resp.Proto{resp.RESP2, resp.RESP3} {
		d.play(t, sc, proto, false)
		d.play(t, sc, proto, true)
	}
}

// callOf is a call with n arguments, those behind the name all the same.
func callOf(name []string, n int, filling string) *step {
	st := &step{replies: 1}
	for i := range n {
		text := filling
		if i < len(name) {
			text = name[i]
		}
		st.words = append(st.words, word{text: text})
	}
	return st
}
