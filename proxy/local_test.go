package proxy_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
)

// TestLocalAnswersAreThoseOfRedis compares what a session itself answers, wherever a plain server's answer is always the
// same bytes.
func TestLocalAnswersAreThoseOfRedis(t *testing.T) {
	startTwins(t).inBothProtocols(t, []string{
		"PING", "ping", "PING hello", `PING ""`, "PING a b", "PING \x00\xff\r",
		"ECHO hello", `ECHO ""`, "ECHO", "ECHO a b",
		"SELECT 0", "SELECT 1", "SELECT -1", "SELECT x", `SELECT ""`, "SELECT 01", "SELECT +0", "SELECT 00", "SELECT 2147483648",
		"SELECT -2147483649", "SELECT 9223372036854775808", "SELECT", "SELECT 0 0", "SELECT -0",
		"TIME x",
		"RESET x",
		"INFO nosuch", "INFO nosuch another",
		"CONFIG", "CONFIG GET", "CONFIG GET nosuch", "CONFIG GET databases", "CONFIG GET DATABASES", "CONFIG GET save",
		"CONFIG GET appendonly", "CONFIG GET timeout", "CONFIG GET appendonl? no*such", "CONFIG GET a[p]pendonly",
		"CONFIG GET databases databases data*s", "CONFIG GET proto-max-bulk-len", "CONFIG NOSUCH x",
		"CLIENT", "CLIENT NOSUCH", "CLIENT nosuch x y",
		"CLIENT GETNAME", "CLIENT GETNAME x", "CLIENT SETNAME", "CLIENT SETNAME a b", `CLIENT SETNAME ""`, "CLIENT SETNAME good",
		"CLIENT SETNAME bad\nname", "CLIENT SETNAME b\xe4d", "CLIENT SETNAME \x7f", "CLIENT SETNAME a\x00",
		"CLIENT ID x", "CLIENT INFO x",
		"CLIENT NO-EVICT", "CLIENT NO-EVICT ON", "CLIENT NO-EVICT off", "CLIENT NO-EVICT maybe", "CLIENT NO-EVICT ON x",
		"CLIENT REPLY", "CLIENT REPLY MAYBE", "CLIENT REPLY ON", "CLIENT REPLY ON x",
		"CLIENT HELP",
		"COMMAND COUNT", "COMMAND COUNT x", "COMMAND NOSUCH", "COMMAND INFO get", "COMMAND INFO GET nosuch mget",
		"COMMAND DOCS get", "COMMAND DOCS nosuch", "COMMAND GETKEYS", "COMMAND GETKEYS SET a b", "COMMAND GETKEYS MSET a b c d",
		"COMMAND GETKEYS PING", "COMMAND GETKEYS NOSUCH a", "COMMAND GETKEYS GET", "COMMAND GETKEYS EVAL x 2 a b c",
		"COMMAND GETKEYSANDFLAGS SET a b", "COMMAND LIST FILTERBY PATTERN xrev*", "COMMAND HELP",
		"NOSUCH", "NOSUCH a b c", `NOSUCH ""`, "no\rsuch x\ny", strings.Repeat("x", 200) + " " + strings.Repeat("y ", 100),
		"GET", "GET a b", "SET a", "MGET", "MSET a", "XINFO", "XINFO NOSUCH x", "OBJECT", "OBJECT ENCODING",
	})
}

func TestQuit(t *testing.T) {
	tw := startTwins(t)
	for _, lines := range [][]string{
		{"QUIT"}, {"quit", "PING"}, {"QUIT now", "PING"}, {"SET quit 1", "GET quit", "QUIT", "SET quit 2"}, {"GET quit"},
		{"MSET quit:a 1 quit:b 2", "MGET quit:a quit:b quit:c", "QUIT", "ECHO never"},
	} {
		tw.alike(t, commands(lines...))
	}
	d := proxytest.Connect(t, tw.proxy.Addr)
	d.Say("QUIT\r\n")
	if got := d.Rest(); got != "+OK\r\n" {
		t.Errorf("QUIT says %q before it closes", got)
	}
}

func TestTime(t *testing.T) {
	d := connect(t)
	for _, hello := range []string{"2", "3"} {
		d.Do("HELLO", hello)
		v := d.Do("TIME")
		if v.Kind != '*' || len(v.Elems) != 2 || v.Elems[0].Kind != '$' || v.Elems[1].Kind != '$' {
			t.Fatalf("TIME says %+v", v)
		}
		seconds, err1 := strconv.ParseInt(v.Elems[0].Str, 10, 64)
		micros, err2 := strconv.ParseInt(v.Elems[1].Str, 10, 64)
		if off := time.Since(time.Unix(seconds, micros*1000)).Abs(); err1 != nil || err2 != nil || micros > 999_999 || off > time.Minute {
			t.Errorf("TIME says %+v, %v off", v, off)
		}
	}
}

func TestConfigGetTellsTheProxysOwn(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.MaxClients, cfg.Proxy.MaxBulkBytes = 77, 2<<20
	d := proxytest.Connect(t, start(t, cfg).Addr)
	for name, want := range map[string]string{"maxclients": "77", "proto-max-bulk-len": "2097152", "databases": "1"} {
		if v := d.Do("CONFIG", "GET", name); v.Kind != '*' || len(v.Elems) != 2 || v.Elems[0].Str != name || v.Elems[1].Str != want {
			t.Errorf("CONFIG GET %s says %+v", name, v)
		}
	}
	d.Do("HELLO", "3")
	if v := d.Do("CONFIG", "GET", "*"); v.Kind != '%' || len(v.Elems) < 2*5 {
		t.Errorf("CONFIG GET * says %+v", v)
	}
	if v := d.Do("CONFIG", "GET", "max*"); v.Kind != '%' || len(v.Elems) < 2*2 {
		t.Errorf("CONFIG GET max* says %+v", v)
	}
}

// TestStrictNumbers: what only Go reads as a number is none.
func TestStrictNumbers(t *testing.T) {
	tw := startTwins(t)
	for _, n := range []string{"3", "03", "+3", "3.0", "0x3", "1_0", "-3", "", "9223372036854775807", "9223372036854775808", strconv.Itoa(math.MinInt64)} {
		if n == "" {
			n = `""`
		}
		tw.alike(t, commands("HELLO "+n, "ECHO marker"))
	}
}
