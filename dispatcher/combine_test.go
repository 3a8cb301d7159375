package dispatcher

import (
	"fmt"
	"strings"
	"testing"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// combined merges replies of nodes a:1, b:2, ... and writes line ends as spaces.
func combined(policy command.ResponsePolicy, proto resp.Proto, replies ...string) string {
	var all []NodeReply
	for i, r := range replies {
		all = append(all, NodeReply{Addr: fmt.Sprintf("%c:%d", 'a'+i, i+1), Bytes: []byte(strings.ReplaceAll(r, " | ", "\r\n") + "\r\n")})
	}
	reply := Combine(&command.Row{Name: "x", Response: policy}, proto, all)
	return strings.TrimSuffix(strings.ReplaceAll(string(reply), "\r\n", " | "), " | ")
}

func TestCombine(t *testing.T) {
	for _, c := range []struct {
		name    string
		policy  command.ResponsePolicy
		proto   resp.Proto
		replies []string
		want    string
	}{
		{"sum", command.AggSum, 2, []string{":1", ":2", ":40"}, ":43"},
		{"sum of one", command.AggSum, 2, []string{":7"}, ":7"},
		{"negative sum", command.AggSum, 2, []string{":-1", ":-2"}, ":-3"},
		{"sum of arrays", command.AggSum, 2, []string{"*2 | :1 | :2", "*2 | :10 | :20"}, "*2 | :11 | :22"},
		{"min", command.AggMin, 2, []string{":3", ":1", ":2"}, ":1"},
		{"max", command.AggMax, 2, []string{":3", ":5", ":2"}, ":5"},
		{"and", command.LogicalAnd, 2, []string{":1", ":0"}, ":0"},
		{"and of all", command.LogicalAnd, 2, []string{":1", ":1"}, ":1"},
		{"and by element", command.LogicalAnd, 2, []string{"*3 | :1 | :0 | :1", "*3 | :1 | :1 | :0"}, "*3 | :1 | :0 | :0"},
		{"and of nothing", command.LogicalAnd, 2, []string{"*0", "*0"}, "*0"},
		{"or", command.LogicalOr, 2, []string{":0", ":1"}, ":1"},
		{"or by element", command.LogicalOr, 3, []string{"*2 | :0 | :0", "*2 | :0 | :1"}, "*2 | :0 | :1"},
		{"sum of other lengths", command.AggSum, 2, []string{"*1 | :1", "*2 | :1 | :1"}, "-ERR node b:2: cannot merge replies of 'x' that begin with \"*\""},
		{"sum of text", command.AggSum, 2, []string{":1", "+OK"}, "-ERR node b:2: cannot merge replies of 'x' that begin with \"+\""},

		{"all succeeded", command.AllSucceeded, 2, []string{"+OK", "+OK"}, "+OK"},
		{"all failed alike", command.AllSucceeded, 2, []string{"-ERR no", "-ERR no"}, "-ERR no"},
		{"one failed", command.AllSucceeded, 2, []string{"+OK", "-OOM no memory"}, "-OOM node b:2: no memory"},
		{"failed differently", command.AllSucceeded, 2, []string{"-ERR a", "-ERR b"}, "-ERR node a:1: a"},
		{"long error of RESP3", command.AllSucceeded, 3, []string{"+OK", "!6 | ERR no"}, "-ERR node b:2: no"},
		{"error without text", command.AggSum, 2, []string{":1", "-ERR"}, "-ERR node b:2: ERR"},

		{"one succeeded", command.OneSucceeded, 2, []string{"-NOTBUSY no", "+OK", "-NOTBUSY no"}, "+OK"},
		{"none succeeded", command.OneSucceeded, 2, []string{"-NOTBUSY no", "-NOTBUSY no"}, "-NOTBUSY no"},
		{"the rarest failure", command.OneSucceeded, 2, []string{"-NOTBUSY no", "-NOTBUSY no", "-UNKILLABLE wrote"}, "-UNKILLABLE node c:3: wrote"},

		{"arrays", command.ResponseDefault, 2, []string{"*1 | $1 | a", "*0", "*2 | $1 | b | *1 | :1"}, "*3 | $1 | a | $1 | b | *1 | :1"},
		{"no elements", command.ResponseDefault, 2, []string{"*0", "*0"}, "*0"},
		{"sets", command.ResponseDefault, 3, []string{"~1 | +a", "~1 | +b"}, "~2 | +a | +b"},
		{"maps", command.ResponseDefault, 3, []string{"%1 | +a | :1", "%2 | +b | :2 | +c | :3"}, "%3 | +a | :1 | +b | :2 | +c | :3"},
		{"equal strings", command.ResponseDefault, 2, []string{"$1 | a", "$1 | a"}, "$1 | a"},
		{"equal nulls", command.ResponseDefault, 3, []string{"_", "_"}, "_"},
		{"other strings", command.ResponseDefault, 2, []string{"$1 | a", "$1 | b"}, "-ERR node a:1: cannot merge replies of 'x' that begin with \"$\""},
		{"array and map", command.ResponseDefault, 3, []string{"*0", "%0"}, "-ERR node a:1: cannot merge replies of 'x' that begin with \"*\""},
		{"array and error", command.ResponseDefault, 2, []string{"*0", "-NOPERM no"}, "-NOPERM node b:2: no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := combined(c.policy, c.proto, c.replies...); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// FuzzCombine merges two replies by each policy: the result is one whole reply.
func FuzzCombine(f *testing.F) {
	for _, seed := range []string{":1\r\n", "*1\r\n:1\r\n", "-ERR x\r\n", "!5\r\nERR x\r\n", "%1\r\n+a\r\n*0\r\n", "~0\r\n", "_\r\n", "*-1\r\n", "$-1\r\n",
		"|1\r\n+a\r\n+b\r\n:1\r\n", "=5\r\ntxt:x\r\n", "(12\r\n", ",1.5\r\n", "#t\r\n", ">1\r\n+a\r\n", ":99999999999999999999\r\n", "-\r\n", "!0\r\n\r\n"} {
		f.Add([]byte(seed), []byte(":1\r\n"))
		f.Add([]byte("*2\r\n:1\r\n:0\r\n"), []byte(seed))
		f.Add([]byte(seed), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, raw := range [][]byte{a, b} {
			if n, err := resp.ReplyLen(raw); err != nil || n != len(raw) || n == 0 {
				return
			}
		}
		for policy := command.ResponseDefault; policy < command.ResponseSpecial; policy++ {
			for _, proto := range []resp.Proto{resp.RESP2, resp.RESP3} {
				got := Combine(&command.Row{Name: "x", Response: policy}, proto, []NodeReply{{Addr: "a:1", Bytes: a}, {Addr: "b:2", Bytes: b}})
				if n, err := resp.ReplyLen(got); err != nil || n != len(got) || n == 0 {
					t.Fatalf("%s of %q and %q: %q", policy, a, b, got)
				}
			}
		}
	})
}
