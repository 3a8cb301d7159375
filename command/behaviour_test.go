package command_test

import (
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/command"
)

// lookup is the row of a request of words.
func lookup(t *testing.T, request string) (*command.Row, [][]byte) {
	t.Helper()
	args := argsOf(strings.Fields(request)...)
	row, err := command.Builtin().Lookup(args)
	if err != nil {
		t.Fatal(err)
	}
	return row, args
}

func TestBlocking(t *testing.T) {
	for _, c := range []struct {
		request  string
		blocking bool
		timeout  string
		unit     time.Duration
	}{
		{"get k", false, "", 0},
		{"blpop a b 1.5", true, "1.5", time.Second},
		{"brpop a 1", true, "1", time.Second},
		{"bzpopmin a 2", true, "2", time.Second},
		{"blmove a b LEFT RIGHT 3", true, "3", time.Second},
		{"brpoplpush a b 4", true, "4", time.Second},
		{"blmpop 5 1 a LEFT", true, "5", time.Second},
		{"bzmpop 6 1 a MIN", true, "6", time.Second},
		{"wait 1 700", true, "700", time.Millisecond},
		{"waitaof 1 1 800", true, "800", time.Millisecond},
		{"xread STREAMS k 0", false, "", 0},
		{"xread STREAMS block 0", false, "", 0},
		{"xread COUNT 1 BLOCK 900 STREAMS k 0", true, "900", time.Millisecond},
		{"xread block 900 STREAMS k 0", true, "900", time.Millisecond},
		{"xreadgroup GROUP block block STREAMS k >", false, "", 0},
		{"xreadgroup GROUP g c NOACK BLOCK 10 STREAMS k >", true, "10", time.Millisecond},
		{"xreadgroup GROUP g c BLOCK 10 BLOCK 11 STREAMS k >", true, "11", time.Millisecond},
	} {
		row, args := lookup(t, c.request)
		if got := row.Blocking(args); got != c.blocking {
			t.Errorf("%s: Blocking %v", c.request, got)
		}
		index, unit := row.TimeoutArg(args)
		got := ""
		if index != 0 {
			got = string(args[index])
		}
		if got != c.timeout || unit != c.unit {
			t.Errorf("%s: timeout %q in %v, want %q in %v", c.request, got, unit, c.timeout, c.unit)
		}
	}
}

func TestIdempotent(t *testing.T) {
	for request, want := range map[string]bool{
		"get k": true, "set k v": true, "set k v EX 10": true, "set k v PXAT 10 KEEPTTL": true, "SET k GET": true,
		"set k v NX": false, "set k v xx": false, "set k v EX 1 GET": false, "set k v IFEQ old": false,
		"del a b": true, "unlink a": true, "mset a 1": true, "msetnx a 1": false, "setnx a 1": false,
		"hset k f v": true, "hsetnx k f v": false, "hincrby k f 1": false, "hdel k f": true,
		"sadd k m": true, "srem k m": true, "spop k": false, "smove a b m": false, "sunionstore a a b": true,
		"expire k 1": true, "expire k 1 NX": false, "expireat k 1": true, "pexpireat k 1 GT": false, "persist k": true,
		"zadd k 1 m": true, "zadd k CH 1 m": true, "zadd k CH NX 1 m": false, "zadd k INCR 1 m": false, "zadd k 1 nx": true,
		"zincrby k 1 m": false, "zrem k m": true, "zpopmin k": false, "zremrangebyrank k 0 1": false,
		"zunionstore a 2 a b": false, "incr k": false, "append k v": false, "lpush k v": false, "lset k 0 v": false,
		"ltrim k 1 2": false, "rename a b": false, "getset k v": false, "getdel k": false, "setbit k 1 1": false,
		"eval s 0": false, "xadd k * f v": false, "xack k g 1-1": true, "publish c m": false, "flushall": false,
		"xreadgroup GROUP g c STREAMS k >": false, "bitop NOT k k": false, "copy a b": false, "geoadd k 1 2 m": true,
	} {
		row, args := lookup(t, request)
		if got := row.Idempotent(args); got != want {
			t.Errorf("%s: Idempotent %v", request, got)
		}
	}
}

func TestMayWrite(t *testing.T) {
	for request, want := range map[string]bool{
		"get k": false, "set k v": true, "eval s 0": true, "fcall f 0": true, "evalsha_ro s 0": false, "ping": false,
	} {
		if row, _ := lookup(t, request); row.MayWrite() != want {
			t.Errorf("%s: MayWrite %v", request, row.MayWrite())
		}
	}
}
