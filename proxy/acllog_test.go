package proxy

import (
	"fmt"
	"testing"

	"redis-cluster-proxy/resp"
)

// TestGatherACLLog joins what is alike and of the same minute, and sorts by age, in both protocols.
func TestGatherACLLog(t *testing.T) {
	entry := func(proto resp.Proto, count int, object string, age float64) resp.Value {
		b := resp.AppendMapHeader(nil, proto, 6)
		b = resp.AppendBulkString(b, "count")
		b = resp.AppendInt(b, int64(count))
		for _, field := range []string{"reason", "command", "context", "toplevel", "object", object, "username", "u", "age-seconds"} {
			b = resp.AppendBulkString(b, field)
		}
		b = resp.AppendDouble(b, proto, age)
		b = resp.AppendBulkString(b, "client-info")
		b = resp.AppendBulkString(b, "id=1")
		v, _, err := resp.ReadValue(b)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, proto := range []resp.Proto{resp.RESP2, resp.RESP3} {
		for count, want := range map[int64]string{
			10: "[8 set 0.5][9 get 1.5][1 del 70][1 get 100]",
			2:  "[8 set 0.5][9 get 1.5]",
			0:  "", -1: "",
		} {
			one := resp.Value{Kind: '*', Elems: []resp.Value{entry(proto, 2, "get", 1.5), entry(proto, 3, "set", 8.25), entry(proto, 1, "get", 100)}}
			two := resp.Value{Kind: '*', Elems: []resp.Value{entry(proto, 5, "set", 0.5), entry(proto, 7, "get", 61), entry(proto, 1, "del", 70)}}
			values := []nodeValue{{"a:1", one}, {"b:2", two}}
			v, _, err := resp.ReadValue(gatherACLLog(values, count))
			got := ""
			for _, e := range v.Elems {
				n := nodeValue{Value: e}
				age := n.entry("age-seconds")
				got += fmt.Sprintf("[%d %s %s]", n.entry("count").Int, n.entry("object").Str, age.Str)
				if proto == resp.RESP3 && (e.Kind != '%' || age.Kind != ',') {
					t.Errorf("the kinds are %q and %q", e.Kind, age.Kind)
				}
			}
			if err != nil || got != want {
				t.Errorf("RESP%d, %d entries: %s, %v; want %s", proto, count, got, err, want)
			}
		}
	}
}
