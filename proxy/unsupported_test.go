package proxy_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// TestUnsupportedCommandsAnswerAnError: not one of them hangs, closes the connection, or reaches a node.
func TestUnsupportedCommandsAnswerAnError(t *testing.T) {
	p := start(t, proxytest.Config{})
	for _, hello := range []string{"2", "3"} {
		d := proxytest.Connect(t, p.Addr)
		d.Do("HELLO", hello)
		for _, line := range []string{
			"SHUTDOWN", "SHUTDOWN NOSAVE", "DEBUG SLEEP 100", "DEBUG SEGFAULT", "SYNC", "PSYNC ? -1", "REPLCONF ACK 1",
			"REPLICAOF NO ONE", "SLAVEOF NO ONE", "FAILOVER", "SAVE", "BGSAVE", "BGREWRITEAOF",
			"CLUSTER RESET HARD", "CLUSTER FLUSHSLOTS", "CLUSTER FAILOVER", "ACL LOAD",
			"CLIENT CACHING YES", "SCRIPT DEBUG YES",
		} {
			if v := d.Do(strings.Fields(line)...); v.Kind != '-' || !strings.HasPrefix(v.Str, "ERR ") {
				t.Errorf("%s: %+v", line, v)
			}
		}
		if v := d.Do("PING"); v.Str != "PONG" {
			t.Errorf("PING afterwards: %+v", v)
		}
	}
}

// requests are requests for the command or sub-command of a row that words name: with as few arguments as it takes, and with
// none, each with several fillings.
func requests(words []string, arity int) [][]string {
	if arity < 0 {
		arity = -arity
	}
	all := [][]string{words, words[:1]}
	for _, filling := range []string{"1", "x1", "0", ""} {
		for extra := range 3 {
			args := append([]string{}, words...)
			for len(args) < arity+extra {
				args = append(args, filling)
			}
			all = append(all, args)
		}
	}
	return all
}

// errNoReply says that a request was answered by something else than one reply.
var errNoReply = errors.New("not one reply")

// answered sends a request and a marker behind it and reads the reply: one, and then the marker's.
func answered(c *proxytest.Client, marker string, args []string) error {
	if err := c.SendCommand(args...); err != nil {
		return err
	}
	if err := c.SendCommand("ECHO", marker); err != nil {
		return err
	}
	v, err := c.Read()
	if err != nil {
		return err
	}
	if v.Kind == '$' && v.Str == marker {
		return fmt.Errorf("%w: the next request's instead", errNoReply)
	}
	next, err := c.Read()
	if err == nil && next.Str != marker {
		err = fmt.Errorf("%w: %+v and then %+v", errNoReply, v, next)
	}
	return err
}

// TestEveryCommandIsAnsweredOnce calls whatever the cluster has, and whatever the built-in table has besides.
func TestEveryCommandIsAnsweredOnce(t *testing.T) {
	p := start(t, proxytest.Config{})
	for _, hello := range []string{"2", "3"} {
		d := proxytest.Connect(t, p.Addr)
		d.Do("HELLO", hello)
		asked := 0
		ask := func(words []string, arity int) {
			for _, args := range requests(words, arity) {
				if name := strings.ToLower(args[0]); slices.Contains([]string{"quit", "reset", "multi", "monitor"}, name) || strings.HasSuffix(name, "subscribe") {
					continue // these end what the test is about, or queue it, or have a reply for each argument
				}
				asked++
				hasten(args)
				if err := answered(d.Client, "marker "+strconv.Itoa(asked), args); err != nil {
					t.Errorf("RESP%s %q: %v", hello, args, err)
				}
				if t.Failed() { // out of step
					return
				}
			}
		}
		for _, row := range clusterRows(t, d) {
			ask(row.words, row.arity)
		}
		if asked < 2000 {
			t.Errorf("only %d requests: the cluster named few commands", asked)
		}
		for row := range command.Builtin().Rows() {
			ask(strings.Split(row.Name, "|"), row.Arity)
		}
	}
	for _, n := range cluster.Get(t).Nodes() {
		if err := n.Client().Ping(t.Context()).Err(); err != nil {
			t.Errorf("node %s afterwards: %v", n.Addr, err)
		}
	}
}

// hasten lets a request that would wait for ever, or a second, do it for 10 ms.
func hasten(args []string) {
	raw := make([][]byte, len(args))
	for i, arg := range args {
		raw[i] = []byte(arg)
	}
	row, err := command.Builtin().Lookup(raw)
	if err != nil {
		return
	}
	at, unit := row.TimeoutArg(raw)
	if at == 0 || args[at] != "0" && args[at] != "1" {
		return
	}
	args[at] = "10"
	if unit == time.Second {
		args[at] = "0.01"
	}
}

// commandRow is a row of COMMAND.
type commandRow struct {
	words []string // the name, and a sub-command's
	arity int
}

// clusterRows asks for COMMAND.
func clusterRows(t *testing.T, d *proxytest.Dialog) (rows []commandRow) {
	t.Helper()
	var read func(resp.Value)
	read = func(v resp.Value) {
		rows = append(rows, commandRow{strings.Split(v.Elems[0].Str, "|"), int(v.Elems[1].Int)})
		if len(v.Elems) > 9 {
			for _, sub := range v.Elems[9].Elems {
				read(sub)
			}
		}
	}
	reply := d.Do("COMMAND")
	if reply.Kind != '*' || len(reply.Elems) < 200 {
		t.Fatalf("COMMAND says %.300v", reply)
	}
	for _, v := range reply.Elems {
		read(v)
	}
	return rows
}

// TestResetAndQuitInAnyForm are the commands left out above.
func TestResetAndQuitInAnyForm(t *testing.T) {
	p := start(t, proxytest.Config{})
	for _, args := range [][]string{{"QUIT"}, {"quit", "x"}} {
		d := proxytest.Connect(t, p.Addr)
		if v := d.Do(args...); v.Str != "OK" {
			t.Errorf("%q: %+v", args, v)
		}
		if _, err := d.Read(); !errors.Is(err, io.EOF) {
			t.Errorf("%q: the connection ends with %v", args, err)
		}
	}
	d := proxytest.Connect(t, p.Addr)
	for _, args := range [][]string{{"RESET"}, {"reset", "x"}, {"RESET"}} {
		if err := answered(d.Client, "marker", args); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
}
