package e2e

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
)

// runTool runs a program of Redis's own against the proxy and returns what it says. The test fails if it is not installed.
func runTool(t *testing.T, addr, stdin, tool string, args ...string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(testContext(t), tool, append([]string{"-h", host, "-p", port}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", tool, args, err, out)
	}
	return string(out)
}

func TestRedisCLI(t *testing.T) {
	p := start(t, cluster.Get(t), proxytest.Config{})
	for _, tt := range []struct {
		args        []string
		stdin, want string
	}{
		{[]string{"ping"}, "", "PONG\n"},
		{[]string{"set", "cli:a", "1"}, "", "OK\n"},
		{[]string{"--no-raw", "get", "cli:a"}, "", "\"1\"\n"},
		{[]string{"-x", "set", "cli:b"}, "from stdin", "OK\n"},
		{[]string{"mget", "cli:a", "cli:b", "cli:none"}, "", "1\nfrom stdin\n\n"},
		{nil, "set cli:c 3\nget cli:c\nincr cli:c\nnosuch\nmset cli:a 2 cli:c 9\nmget cli:a cli:c\n",
			"OK\n3\n4\nERR unknown command 'nosuch', with args beginning with: \n\nOK\n2\n9\n"},
		{[]string{"-3", "--no-raw", "hset", "cli:h", "f", "v"}, "", "(integer) 1\n"},
		{[]string{"-3", "--no-raw", "hgetall", "cli:h"}, "", "1# \"f\" => \"v\"\n"},
		{[]string{"-n", "0", "get", "cli:a"}, "", "2\n"},
		{[]string{"--user", "default", "--pass", "any", "--no-auth-warning", "get", "cli:a"}, "", "2\n"},
		{[]string{"-r", "3", "incr", "cli:n"}, "", "1\n2\n3\n"},
		{[]string{"eval", "return {KEYS[1],ARGV[1]}", "1", "cli:a", "x"}, "", "cli:a\nx\n"},
		{[]string{"del", "cli:a", "cli:b", "cli:c", "cli:h", "cli:n"}, "", "5\n"},
	} {
		if got := runTool(t, p.Addr, tt.stdin, "redis-cli", tt.args...); got != tt.want {
			t.Errorf("redis-cli %q says %q, want %q", tt.args, got, tt.want)
		}
	}
	// Mass insertion: the stream of commands ends with an ECHO that the tool waits for.
	var pipe script
	for i := range 5000 {
		pipe.add("", "SET cli:pipe:%d %d", i, i)
	}
	if out := runTool(t, p.Addr, string(pipe.send), "redis-cli", "--pipe"); !strings.Contains(out, "errors: 0, replies: 5000") {
		t.Errorf("redis-cli --pipe says %s", out)
	}
}

func TestRedisBenchmark(t *testing.T) {
	p := start(t, cluster.Get(t), proxytest.Config{})
	for _, args := range [][]string{
		{"-n", "4000", "-c", "10", "-P", "16", "-r", "1000", "-t", "ping_inline,ping_mbulk,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,mset"},
		{"-n", "2000", "-c", "20", "-t", "set,get"},
		{"-n", "2000", "-c", "10", "-P", "4", "-3", "-d", "20000", "-r", "100", "-t", "set,get"},
	} {
		out := runTool(t, p.Addr, "", "redis-benchmark", append([]string{"-q", "--csv"}, args...)...)
		want := strings.Count(args[len(args)-1], ",") + 1
		if lines := strings.Count(strings.TrimSpace(out), "\n"); lines < want || strings.Contains(strings.ToLower(out), "err") {
			t.Errorf("redis-benchmark %q: %d lines, want %d tests\n%s", args, lines, want, out)
		}
	}
}
