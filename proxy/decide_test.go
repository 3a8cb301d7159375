package proxy

import (
	"strings"
	"testing"

	"redis-cluster-proxy/command"
)

// TestHotPathIsWhatDecideSays: handle forwards a plain command of one key without asking decide, which has to say the same,
// or PROXY EXPLAIN and docs/commands.md would tell of something else.
func TestHotPathIsWhatDecideSays(t *testing.T) {
	hot := 0
	for _, cfg := range []Config{{}, {NoClusterEmulation: true}, {AdminCommands: []string{"all"}}} {
		s := &Server{cfg: cfg, allowed: newAllowance(cfg.AdminCommands)}
		for row := range command.Builtin().Rows() {
			if !onHotPath(row) {
				continue
			}
			hot++
			var args [][]byte
			for _, word := range strings.Split(row.Name, "|") {
				args = append(args, []byte(word))
			}
			for len(args) < max(row.Arity, -row.Arity) {
				args = append(args, []byte("1"))
			}
			if d := s.decide(row, args); d.way != wayForward {
				t.Errorf("%s is forwarded on the hot path, and decide says %+v", row.Name, d)
			}
		}
	}
	if hot < 3*100 {
		t.Errorf("only %d commands are on the hot path", hot)
	}
}

// TestDenialsAreOfRows: each name in the tables about denied commands is a command's.
func TestDenialsAreOfRows(t *testing.T) {
	for _, table := range []map[string]string{denials, localNotes} {
		for name := range table {
			if command.Builtin().Row(name) == nil {
				t.Errorf("no command is called %q", name)
			}
		}
	}
	for _, table := range []map[string]bool{harmlessAdmin, unpassable} {
		for name := range table {
			if command.Builtin().Row(name) == nil {
				t.Errorf("no command is called %q", name)
			}
		}
	}
	for name := range localNotes {
		if localCommands[name] == nil {
			t.Errorf("%s has a note and no handler", name)
		}
	}
}
