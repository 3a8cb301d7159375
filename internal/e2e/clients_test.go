package e2e

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-cluster-proxy/internal/proxytest"
)

// TestGoRedis is the library as it comes: RESP3, its handshake, its pool. And once in RESP2.
func TestGoRedis(t *testing.T) {
	p := start(t, cluster.Get(t), proxytest.Config{})
	for _, protocol := range []int{0, 2, 3} {
		t.Run(fmt.Sprintf("protocol %d", protocol), func(t *testing.T) {
			client := redis.NewClient(&redis.Options{Addr: p.Addr, Protocol: protocol, ClientName: "go-redis-test"})
			defer client.Close()
			t.Run("types", func(t *testing.T) { goRedisTypes(t, client) })
			t.Run("pipelines", func(t *testing.T) { goRedisPipelines(t, client) })
			t.Run("connection", func(t *testing.T) { goRedisConnection(t, client) })
		})
	}
}

func goRedisTypes(t *testing.T, client *redis.Client) {
	ctx := testContext(t)
	keys := []string{"go:s", "go:h", "go:z", "go:l", "go:set", "go:x", "go:f"}
	client.Del(ctx, keys...)
	check := func(what string, got any, err error, want any) {
		t.Helper()
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, %v, want %v", what, got, err, want)
		}
	}
	ok, err := client.Set(ctx, "go:s", "v", time.Hour).Result()
	check("SET", ok, err, "OK")
	s, err := client.Get(ctx, "go:s").Result()
	check("GET", s, err, "v")
	if _, err = client.Get(ctx, "go:none").Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("GET of nothing: %v", err)
	}
	n, err := client.HSet(ctx, "go:h", "a", 1, "b", 2).Result()
	check("HSET", n, err, 2)
	h, err := client.HGetAll(ctx, "go:h").Result()
	check("HGETALL", h, err, map[string]string{"a": "1", "b": "2"})
	n, err = client.ZAdd(ctx, "go:z", redis.Z{Score: 1.5, Member: "m"}, redis.Z{Score: -1, Member: "n"}).Result()
	check("ZADD", n, err, 2)
	z, err := client.ZRangeWithScores(ctx, "go:z", 0, -1).Result()
	check("ZRANGE", z, err, []redis.Z{{Score: -1, Member: "n"}, {Score: 1.5, Member: "m"}})
	n, err = client.RPush(ctx, "go:l", "a", "b").Result()
	check("RPUSH", n, err, 2)
	l, err := client.LRange(ctx, "go:l", 0, -1).Result()
	check("LRANGE", l, err, []string{"a", "b"})
	n, err = client.SAdd(ctx, "go:set", "a").Result()
	check("SADD", n, err, 1)
	set, err := client.SMembersMap(ctx, "go:set").Result()
	check("SMEMBERS", set, err, map[string]struct{}{"a": {}})
	id, err := client.XAdd(ctx, &redis.XAddArgs{Stream: "go:x", ID: "1-1", Values: []string{"f", "v"}}).Result()
	check("XADD", id, err, "1-1")
	info, err := client.XInfoStream(ctx, "go:x").Result()
	check("XINFO", info.Length, err, 1)
	f, err := client.IncrByFloat(ctx, "go:f", 1.25).Result()
	check("INCRBYFLOAT", f, err, 1.25)
	some, err := client.MGet(ctx, "go:s", "go:none", "go:f").Result()
	check("MGET", some, err, []any{"v", nil, "1.25"})
	v, err := redis.NewScript("return {KEYS[1], ARGV[1]}").Eval(ctx, client, []string{"go:s"}, "arg").Result()
	check("EVAL", v, err, []any{"go:s", "arg"})
	n, err = client.Del(ctx, keys...).Result()
	check("DEL", n, err, len(keys))
}

func goRedisPipelines(t *testing.T, client *redis.Client) {
	ctx := testContext(t)
	const workers, rounds, depth = 8, 5, 200
	var running sync.WaitGroup
	for w := range workers {
		running.Add(1)
		go func() {
			defer running.Done()
			for round := range rounds {
				pipe := client.Pipeline()
				for i := range depth {
					key, value := fmt.Sprintf("go:p:%d:%d", w, i), fmt.Sprintf("%d.%d", round, i)
					pipe.Set(ctx, key, value, 0)
					pipe.Get(ctx, key)
					pipe.HGetAll(ctx, "go:none")
				}
				cmds, err := pipe.Exec(ctx)
				if err != nil || len(cmds) != 3*depth {
					t.Errorf("pipeline: %d replies, %v", len(cmds), err)
					return
				}
				for i := range depth {
					if got, want := cmds[3*i+1].(*redis.StringCmd).Val(), fmt.Sprintf("%d.%d", round, i); got != want {
						t.Errorf("reply %d is %q, want %q", i, got, want)
					}
				}
			}
		}()
	}
	running.Wait()
}

func goRedisConnection(t *testing.T, client *redis.Client) {
	ctx := testContext(t)
	conn := client.Conn()
	defer conn.Close()
	if name, err := conn.ClientGetName(ctx).Result(); err != nil || name != "go-redis-test" {
		t.Errorf("CLIENT GETNAME: %q, %v", name, err)
	}
	info, err := conn.ClientInfo(ctx).Result()
	if err != nil || info.Name != "go-redis-test" || !strings.HasPrefix(info.LibName, "go-redis") {
		t.Errorf("CLIENT INFO: %+v, %v", info, err)
	}
	if commands, err := conn.Command(ctx).Result(); err != nil || len(commands) < 200 || commands["get"] == nil {
		t.Errorf("COMMAND: %d commands, %v", len(commands), err)
	}
	if server, err := conn.Info(ctx, "server").Result(); err != nil || !strings.Contains(server, "redis_version:7.") {
		t.Errorf("INFO: %q, %v", server, err)
	}
	if keys, err := conn.Keys(ctx, "go:no*such").Result(); err != nil || len(keys) != 0 {
		t.Errorf("KEYS: %q, %v", keys, err)
	}
	if now, err := conn.Time(ctx).Result(); err != nil || time.Since(now).Abs() > time.Minute {
		t.Errorf("TIME: %v, %v", now, err)
	}
}

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
