package scan

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// scripted is a cluster of one node that is asked as lines say and answers as they say.
type scripted struct {
	t     *testing.T
	runID string
	lines []string // "SCAN ...", then what it answers: the cursor and keys
	asked int
}

const wholeView = "aaaa 10.0.0.1:7000@17000 myself,master - 0 0 3 connected 0-16383\n"

func (s *scripted) Layout() Layout           { return s }
func (s *scripted) Owner(uint16) string      { return "10.0.0.1:7000" }
func (s *scripted) Addr(string) string       { return "" }
func (s *scripted) SlotOf(key []byte) uint16 { return redistest.Slot(string(key)) }

func (s *scripted) AskSlot(context.Context, uint16, ...[]byte) ([]byte, error) {
	s.t.Error("the owner is looked for")
	return []byte(":0\r\n"), nil
}

func (s *scripted) Ask(_ context.Context, addr string, commands ...[][]byte) (replies [][]byte, err error) {
	if addr != "10.0.0.1:7000" {
		return nil, fmt.Errorf("ERR %s is asked", addr)
	}
	results := [][]byte(nil)
	for _, command := range commands {
		reply, line := []byte("+QUEUED\r\n"), string(bytes.Join(command, []byte(" ")))
		switch {
		case line == "INFO server":
			reply = resp.AppendBulkString(nil, "# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\nrun_id:"+s.runID+"\r\n")
		case line == "MULTI":
			reply = []byte("+OK\r\n")
		case line == "CLUSTER NODES":
			results = append(results, resp.AppendBulkString(nil, wholeView))
		case line == "EXEC":
			reply = append(resp.AppendArrayHeader(nil, len(results)), bytes.Join(results, nil)...)
		case strings.HasPrefix(line, "MEMORY USAGE "):
			reply = []byte("$-1\r\n")
		case s.asked < len(s.lines) && line == s.lines[s.asked]:
			words := strings.Fields(s.lines[s.asked+1])
			b := resp.AppendBulkString(resp.AppendArrayHeader(nil, 2), words[0])
			results = append(results, appendStrings(b, words[1:]))
			s.asked += 2
		default:
			return nil, fmt.Errorf("ERR %q is asked, line %d", line, s.asked)
		}
		replies = append(replies, reply)
	}
	return replies, nil
}

// TestCursorOfSlottedServers: its slot is ours, and its place is kept with the process that it belongs to.
func TestCursorOfSlottedServers(t *testing.T) {
	a, b := "{a}1", "{b}1" // slots 15495 and 3300
	one := uint64(5)<<slotBits | 3300
	c := &scripted{t: t, runID: "first", lines: []string{
		"SCAN 0 COUNT 10", fmt.Sprint(one, " ", b), // stands in the middle of slot 3300
		fmt.Sprint("SCAN ", one, " COUNT 10"), "15495 " + b, // at the begin of slot 15495
		"SCAN 15495 COUNT 20 MATCH {*", "0 " + a,
		fmt.Sprint("SCAN ", one, " COUNT 10"), "0", // another process has that place elsewhere
		"SCAN 3300 COUNT 10", "15495 " + b,
	}}
	var w Walker
	step := func(line string, wantSlot int, wantKeys string) uint64 {
		t.Helper()
		req, ok := Parse(words(line))
		if !ok {
			t.Fatalf("%s: not parsed", line)
		}
		r, err := w.Scan(context.Background(), c, &req)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := string(bytes.Join(r.Keys, []byte(" "))); int(r.Cursor%numSlots) != wantSlot || got != wantKeys {
			t.Fatalf("%s: cursor %d in slot %d, keys %q", line, r.Cursor, r.Cursor%numSlots, got)
		}
		return r.Cursor
	}
	middle := step("SCAN 0", 3300, b)
	if place := middle >> slotBits & placeMask; place != 5 {
		t.Errorf("the cursor has place %d", place)
	}
	begin := step(fmt.Sprint("SCAN ", middle), 15495, b)
	if begin != 15495 {
		t.Errorf("the cursor at the begin of a slot is %d", begin)
	}
	step(fmt.Sprint("SCAN ", begin, " COUNT 20 MATCH {*"), 0, a)
	c.runID = "second"
	step(fmt.Sprint("SCAN ", middle), 15495, b)
	if c.asked != len(c.lines) {
		t.Errorf("not asked: %q", c.lines[c.asked:])
	}
}
