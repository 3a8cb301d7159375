package dispatcher

import (
	"bytes"
	"strings"
	"testing"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// asLine is arguments as a line; an empty one is "".
func asLine(args [][]byte) string {
	words := make([]string, len(args))
	for i, a := range args {
		if words[i] = string(a); len(a) == 0 {
			words[i] = `""`
		}
	}
	return strings.Join(words, " ")
}

// TestSeekers: what is asked for one key in the place of the client's command, and what words its error.
func TestSeekers(t *testing.T) {
	for _, c := range []struct{ request, take, alone, wrong, head string }{
		{"BLPOP a b 0", "lpop a", "BLPOP a 0.001", "", "*2\r\n$1\r\na\r\n"},
		{"brpop a b c 1.5", "rpop a", "brpop a 0.001", "", "*2\r\n$1\r\na\r\n"},
		{"BZPOPMIN a b 1e3", "zpopmin a", "BZPOPMIN a 0.001", "", "*3\r\n$1\r\na\r\n"},
		{"BZPOPMAX a b 0", "zpopmax a", "BZPOPMAX a 0.001", "", "*3\r\n$1\r\na\r\n"},
		{"BLMPOP 0 2 a b LEFT COUNT 3", "lmpop 1 a LEFT COUNT 3", "BLMPOP 0.001 1 a LEFT COUNT 3", "", ""},
		{"BZMPOP 0 2 a b MAX", "zmpop 1 a MAX", "BZMPOP 0.001 1 a MAX", "", ""},
		{"BLPOP a b x", "", "", "BLPOP a x", ""},
		{"BLPOP a b -1", "", "", "BLPOP a -1", ""},
		{"BLPOP a b nan", "", "", "BLPOP a nan", ""},
		{"BLPOP a b 1e300", "", "", "BLPOP a 1e300", ""},
		{"BLMPOP x 2 a b LEFT", "", "", "BLMPOP x 1 a LEFT", ""},
		{"BLMPOP 0 2 a b", "", "", `BLMPOP 0 1 a ""`, ""},
		{"XREAD BLOCK 0.5 STREAMS a b 0 1", "", "", "XREAD BLOCK 0.5 STREAMS a 0", ""},
		{"XREAD BLOCK +1 STREAMS a b 0 1", "", "", "XREAD BLOCK +1 STREAMS a 0", ""},
	} {
		args := words(c.request)
		row, err := command.Builtin().Lookup(args)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := row.AppendKeys(nil, args)
		if err != nil {
			t.Fatal(err)
		}
		seek, wrong := seekerOf(row, args, keys)
		if got := asLine(wrong); got != c.wrong {
			t.Errorf("%s: worded by %q, want %q", c.request, got, c.wrong)
		}
		if c.wrong != "" {
			continue
		}
		p := seek.(*popping)
		if got := asLine(p.take([]byte("a"))); got != c.take {
			t.Errorf("%s: %q, want %q", c.request, got, c.take)
		}
		if got := asLine(p.alone([]byte("a"))); got != c.alone {
			t.Errorf("%s: alone %q, want %q", c.request, got, c.alone)
		}
		head := ""
		if p.head != nil {
			head = string(p.head([]byte("a")))
		}
		if head != c.head {
			t.Errorf("%s: begins with %q, want %q", c.request, head, c.head)
		}
	}
}

// TestReadingInPieces: the command for some streams, without BLOCK.
func TestReadingInPieces(t *testing.T) {
	for request, want := range map[string]string{
		"XREAD COUNT 2 BLOCK 0 STREAMS a b c 1 $ 3":                  "XREAD COUNT 2 STREAMS a c 1 3",
		"XREAD BLOCK 1 BLOCK 2 STREAMS a b c 1 2 3":                  "XREAD STREAMS a c 1 3",
		"xreadgroup GROUP block c NOACK block 0 STREAMS a b c > > >": "xreadgroup GROUP block c NOACK STREAMS a c > >",
	} {
		args := words(request)
		row, err := command.Builtin().Lookup(args)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := row.AppendKeys(nil, args)
		if err != nil {
			t.Fatal(err)
		}
		seek, wrong := seekerOf(row, args, keys)
		r := seek.(*reading)
		if got := asLine(r.command([]int{0, 2}, r.ids)); got != want || wrong != nil {
			t.Errorf("%s: %q, want %q; %q", request, got, want, wrong)
		}
	}
}

func TestJudge(t *testing.T) {
	for reply, want := range map[string]taking{
		"$-1\r\n": takeNothing, "*-1\r\n": takeNothing, "_\r\n": takeNothing, "*0\r\n": takeNothing, "%0\r\n": takeNothing,
		"$0\r\n\r\n": takeGot, "$1\r\n0\r\n": takeGot, "*1\r\n:0\r\n": takeGot, "%1\r\n+a\r\n*0\r\n": takeGot, "*10\r\n": takeGot,
		"-WRONGTYPE x\r\n": takeFailed, "-ERR x\r\n": takeFailed, "!5\r\nERR x\r\n": takeFailed,
		"-MOVED 1 a:1\r\n": takeLater, "-LOADING x\r\n": takeLater, "-CLUSTERDOWN x\r\n": takeLater,
	} {
		if got := judge([]byte(reply)); got != want {
			t.Errorf("%q: %d, want %d", reply, got, want)
		}
	}
}

// TestStreamsInOrder puts the streams of a reply to some of the keys in their places.
func TestStreamsInOrder(t *testing.T) {
	r := &reading{keys: [][]byte{[]byte("a"), []byte("b"), []byte("c"), []byte("a")}}
	for _, proto := range []resp.Proto{resp.RESP2, resp.RESP3} {
		entry := func(key, text string) []byte {
			b := resp.AppendBulkString(nil, key)
			b = resp.AppendBulkString(resp.AppendArrayHeader(b, 1), text)
			if proto == resp.RESP2 {
				return append(resp.AppendArrayHeader(nil, 2), b...)
			}
			return b
		}
		reply := resp.AppendArrayHeader(nil, 3)
		if proto == resp.RESP3 {
			reply = resp.AppendMapHeader(nil, proto, 3)
		}
		for _, e := range [][]byte{entry("a", "1"), entry("c", "2"), entry("a", "3")} {
			reply = append(reply, e...)
		}
		found := make([][]byte, 4)
		r.place(found, []int{0, 2, 3}, reply)
		for i, want := range [][]byte{entry("a", "1"), nil, entry("c", "2"), entry("a", "3")} {
			if !bytes.Equal(found[i], want) {
				t.Errorf("RESP%d, stream %d: %q, want %q", proto, i, found[i], want)
			}
		}
	}
}

// FuzzStreamsInOrder: of whatever a node says, a stream's part is whole and begins with its key.
func FuzzStreamsInOrder(f *testing.F) {
	f.Add([]byte("*1\r\n*2\r\n$1\r\na\r\n*0\r\n"))
	f.Add([]byte("%2\r\n$1\r\na\r\n*0\r\n+c\r\n*1\r\n$1\r\nx\r\n"))
	f.Add([]byte("*2\r\n*2\r\n:1\r\n*0\r\n$-1\r\n"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		if n, err := resp.ReplyLen(reply); err != nil || n != len(reply) || n == 0 {
			return // the lane has cut it as a whole
		}
		r := &reading{keys: [][]byte{[]byte("a"), []byte("b"), []byte("c")}}
		found := make([][]byte, 3)
		r.place(found, []int{0, 2}, reply)
		if found[1] != nil {
			t.Fatalf("%q: a stream that was not asked for: %q", reply, found[1])
		}
		for i, b := range found {
			if b != nil && !bytes.Contains(b, r.keys[i]) {
				t.Errorf("%q: stream %d is %q", reply, i, b)
			}
		}
	})
}
