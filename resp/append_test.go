package resp

import (
	"math"
	"testing"
)

func TestAppend(t *testing.T) {
	type appender func(p Proto) []byte
	same := func(b []byte) appender { return func(Proto) []byte { return b } }
	x := []byte("x") // what is there already stays
	tests := []struct {
		name         string
		write        appender
		resp2, resp3 string
	}{
		{"simple", same(AppendSimple(x, "OK")), "+OK\r\n", "+OK\r\n"},
		{"simple with line ends", same(AppendSimple(x, "a\r\nb")), "+a  b\r\n", "+a  b\r\n"},
		{"error", same(AppendError(x, "ERR no")), "-ERR no\r\n", "-ERR no\r\n"},
		{"error with line ends", same(AppendError(x, "\nERR a\r\nb\n")), "-ERR a  b\r\n", "-ERR a  b\r\n"},
		{"int", same(AppendInt(x, 7)), ":7\r\n", ":7\r\n"},
		{"int 10", same(AppendInt(x, 10)), ":10\r\n", ":10\r\n"},
		{"least int", same(AppendInt(x, math.MinInt64)), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"},
		{"bulk", same(AppendBulk(x, []byte("a\r\n"))), "$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n"},
		{"nil bulk", same(AppendBulk(x, nil)), "$0\r\n\r\n", "$0\r\n\r\n"},
		{"bulk string", same(AppendBulkString(x, "0123456789")), "$10\r\n0123456789\r\n", "$10\r\n0123456789\r\n"},
		{"array", same(AppendArrayHeader(x, 12)), "*12\r\n", "*12\r\n"},
		{"null", func(p Proto) []byte { return AppendNull(x, p) }, "$-1\r\n", "_\r\n"},
		{"null array", func(p Proto) []byte { return AppendNullArray(x, p) }, "*-1\r\n", "_\r\n"},
		{"map", func(p Proto) []byte { return AppendMapHeader(x, p, 6) }, "*12\r\n", "%6\r\n"},
		{"set", func(p Proto) []byte { return AppendSetHeader(x, p, 6) }, "*6\r\n", "~6\r\n"},
		{"push", func(p Proto) []byte { return AppendPushHeader(x, p, 3) }, "*3\r\n", ">3\r\n"},
		{"true", func(p Proto) []byte { return AppendBool(x, p, true) }, ":1\r\n", "#t\r\n"},
		{"false", func(p Proto) []byte { return AppendBool(x, p, false) }, ":0\r\n", "#f\r\n"},
		{"verbatim", func(p Proto) []byte { return AppendVerbatim(x, p, "txt", "a\nb") }, "$3\r\na\nb\r\n", "=7\r\ntxt:a\nb\r\n"},
		{"big number", func(p Proto) []byte { return AppendBigNumber(x, p, "-123") }, "$4\r\n-123\r\n", "(-123\r\n"},
		{"double", func(p Proto) []byte { return AppendDouble(x, p, 3.1) }, "$3\r\n3.1\r\n", ",3.1\r\n"},
		{"command", same(AppendCommand(x, "GET", "")), "*2\r\n$3\r\nGET\r\n$0\r\n\r\n", "*2\r\n$3\r\nGET\r\n$0\r\n\r\n"},
		{"command bytes", same(AppendCommandBytes(x, [][]byte{[]byte("GET"), nil})), "*2\r\n$3\r\nGET\r\n$0\r\n\r\n", "*2\r\n$3\r\nGET\r\n$0\r\n\r\n"},
	}
	for _, tt := range tests {
		for p, want := range map[Proto]string{RESP2: tt.resp2, RESP3: tt.resp3} {
			if got := string(tt.write(p)); got != "x"+want {
				t.Errorf("%s, RESP%d: got %q, want %q", tt.name, p, got, "x"+want)
			}
		}
	}
}

func TestAppendDouble(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", 1: "1", -1.5: "-1.5", 0.1: "0.1", 1234567: "1234567", 1e16: "10000000000000000",
		1e17: "1e+17", 1e-4: "0.0001", 1e-5: "1e-05", 1.5e300: "1.5e+300",
		math.Inf(1): "inf", math.Inf(-1): "-inf",
	} {
		if got := string(AppendDouble(nil, RESP3, f)); got != ","+want+"\r\n" {
			t.Errorf("AppendDouble(%v) = %q, want %s", f, got, want)
		}
	}
	if got := string(AppendDouble(nil, RESP3, math.NaN())); got != ",nan\r\n" {
		t.Errorf("AppendDouble(NaN) = %q", got)
	}
	if got := string(AppendDouble(nil, RESP3, math.Copysign(0, -1))); got != ",-0\r\n" {
		t.Errorf("AppendDouble(-0) = %q", got)
	}
}
