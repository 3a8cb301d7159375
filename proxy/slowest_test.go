package proxy

import (
	"fmt"
	"strings"
	"testing"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

func TestLatestSlow(t *testing.T) {
	list := resp.AppendArrayHeader(nil, 12)
	for _, at := range []int{50, 30, 10, 90, 40, 20, 60, 55, 54, 53, 52, 51} {
		list = resp.AppendArrayHeader(list, 3)
		list = resp.AppendInt(list, 7)
		list = resp.AppendInt(list, int64(at))
		list = resp.AppendBulkString(list, "x")
	}
	for line, want := range map[string]string{
		"SLOWLOG GET":    "[90 60 55 54 53 52 51 50 40 30]",
		"SLOWLOG GET 3":  "[90 60 55]",
		"SLOWLOG GET 0":  "[]",
		"SLOWLOG GET -1": "[90 60 55 54 53 52 51 50 40 30 20 10]",
		"SLOWLOG GET 99": "[90 60 55 54 53 52 51 50 40 30 20 10]",
	} {
		var args [][]byte
		for _, w := range strings.Fields(line) {
			args = append(args, []byte(w))
		}
		v, _, err := resp.ReadValue(latestSlow(nil, args, dispatcher.Whole(list)).Bytes())
		if err != nil {
			t.Fatal(err)
		}
		times := []int64{}
		for _, e := range v.Elems {
			times = append(times, e.Elems[1].Int)
		}
		if got := fmt.Sprint(times); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	for _, strange := range []string{"-ERR no\r\n", "*1\r\n:1\r\n", "*0\r\n"} {
		if got := latestSlow(nil, [][]byte{[]byte("SLOWLOG"), []byte("GET")}, dispatcher.Whole([]byte(strange))).Bytes(); string(got) != strange {
			t.Errorf("%q: %q", strange, got)
		}
	}
}
