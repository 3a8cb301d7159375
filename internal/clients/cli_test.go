package clients

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// cliTargets are servers of their own, for programs that look at all keys, or remove them.
func cliTargets(t *testing.T) map[string]target {
	t.Helper()
	const lfu = "maxmemory-policy allkeys-lfu" // for --hotkeys
	c := redistest.StartCluster(t, redistest.Replicas(0), redistest.Conf(lfu))
	p := proxytest.Start(t, proxytest.Config{Seeds: c.Addrs()})
	return map[string]target{
		"plain": {addr: redistest.StartServer(t, "databases 1", lfu, "repl-diskless-sync-delay 0").Addr},
		"proxy": {addr: p.Addr, proxy: p},
	}
}

// command is redis-cli or redis-benchmark with these arguments.
func (at target) command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	host, port, _ := strings.Cut(at.addr, ":")
	return exec.CommandContext(testContext(t), program, append([]string{"-h", host, "-p", port}, args...)...)
}

// cliCall is a call of redis-cli and what it prints: regular expressions of all its output, with && between them.
type cliCall struct {
	args  string // separated by |
	input string
	want  string
	proxy string // what it prints through the proxy, if that is something else
	fails bool
}

const (
	bigKeys = `(?s).*Biggest +string found '?"big"'? has 5000 bytes.*&&(?s).*Biggest +list found '?"list"'? has 40 items.*` +
		`&&(?s).*\n301 strings with .* bytes .*&&(?s).*\n1 lists with 40 items .*&&(?s).*\n0 hashs with 0 fields .*`
	memKeys = `(?s).*Biggest +string found '?"big"'? has [1-9]\d* bytes.*&&(?s).*\n301 strings with .*&&(?s).*\n1 lists with .*`
	hotKeys = `(?s).*hot key found with counter: \d+\s+keyname: "?hot"?.*`
	latency = `0 [1-9]\d* \d+\.\d+ [1-9]\d*\n|\d+ \d+ \d+\.\d+ [1-9]\d*\n`
	denied  = `(?s).*REPLCONF \S+ error: ERR 'replconf' command not allowed: it makes its connection a replica's, which a proxy cannot pass on\n.*`
)

// cliCalls are made in this order.
var cliCalls = []cliCall{
	{args: "PING", want: "PONG\n"},
	{args: "FLUSHALL", want: "OK\n"},
	{args: "--pipe", input: massInsertion(), want: `(?s).*errors: 0, replies: 340\n`},
	{args: "SET|big|" + strings.Repeat("x", 5000), want: "OK\n"},
	{args: "DBSIZE", want: "302\n"},
	{args: "--scan", want: `(\S+\n){302,}`},
	{args: "--scan|--pattern|key:1?", want: `(key:1\d\n){10,}`},
	{args: "--scan|--pattern|none*", want: ``},
	{args: "--bigkeys", want: bigKeys},
	{args: "--memkeys", want: memKeys},
	{args: "-r|300|GET|hot", want: `(\n){300}`},
	{args: "SET|hot|1", want: "OK\n"},
	{args: "-r|500|GET|hot", want: `(1\n){500}`},
	{args: "--hotkeys", want: hotKeys},
	{args: "DEL|hot", want: "1\n"},
	{args: "-r|3|-i|0.01|INCR|counter", want: "1\n2\n3\n"},
	{args: "DEL|counter", want: "1\n"},
	{args: "--latency|-i|0.2", want: latency},
	{args: "--eval|testdata/cli.lua|key:1|,|a|b", want: "key:1\na b\n1\n"},
	{args: "--csv|MGET|key:1|none|key:2", want: "\"1\",NULL,\"2\"\n"},
	{args: "--json|LRANGE|list|0|1", want: `\["0","1"\]` + "\n"},
	{args: "-3|HGETALL|none", want: "\n"},
	{args: "--raw|EVAL|return {1, 'two', {3}}|0", want: "1\ntwo\n3\n"},
	{args: "-x|SET|key:1", input: "1", want: "OK\n"},
	{args: "-c|GET|key:2", want: "2\n"},
	{args: "-n|0|GET|key:3", want: "3\n"},
	{args: "-n|5|PING", want: "(?s).*SELECT 5 failed: ERR DB index is out of range.*"},
	{args: "", input: "MULTI\nSET {t}a 1\nINCR {t}a\nEXEC\nWATCH {t}a\nDEL {t}a\n", want: "OK\nQUEUED\nQUEUED\nOK\n2\nOK\n1\n"},
	{args: "", input: "GET\nNOSUCHCOMMAND\nSET \"spaced key\" 'v'\nDEL \"spaced key\"\n",
		want: "ERR wrong number of arguments for 'get' command\n\nERR unknown command 'NOSUCHCOMMAND', with args beginning with: \n\nOK\n1\n"},
	{args: "--rdb|DIR/dump.rdb", want: `(?s).*Transfer finished with success.*`, proxy: denied, fails: true},
	{args: "--functions-rdb|DIR/functions.rdb", want: `(?s).*Transfer finished with success.*`, proxy: denied, fails: true},
	{args: "FLUSHALL", want: "OK\n"},
	{args: "--scan", want: ""},
}

// massInsertion is 340 commands: 300 keys and a list of 40 elements.
func massInsertion() string {
	var b strings.Builder
	for i := range 300 {
		n := fmt.Sprint(i)
		fmt.Fprintf(&b, "*3\r\n$3\r\nSET\r\n$%d\r\nkey:%s\r\n$%d\r\n%s\r\n", 4+len(n), n, len(n), n)
	}
	for i := range 40 {
		fmt.Fprintf(&b, "RPUSH list %d\r\n", i)
	}
	return b.String()
}

// TestRedisCLI is what redis-cli can do besides sending commands.
func TestRedisCLI(t *testing.T) {
	t.Parallel()
	for name, at := range cliTargets(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, call := range cliCalls {
				var args []string
				if call.args != "" {
					args = strings.Split(strings.ReplaceAll(call.args, "DIR", dir), "|")
				}
				cmd := at.command(t, "redis-cli", args...)
				cmd.Stdin = strings.NewReader(call.input)
				out, err := cmd.CombinedOutput()
				want, fails := call.want, false
				if at.proxy != nil && call.proxy != "" {
					want, fails = call.proxy, call.fails
				}
				ok := (err != nil) == fails
				for all := range strings.SplitSeq(want, "&&") {
					ok = ok && regexp.MustCompile("^(?:"+all+")$").Match(out)
				}
				if !ok {
					t.Errorf("redis-cli %.200q: %v\n%.2000s\nwant %s", args, err, out, want)
				}
			}
			cliStreams(t, at)
			wantNoDump(t, at, dir)
		})
	}
}

// wantNoDump asserts that no file pretends to be a backup.
func wantNoDump(t *testing.T, at target, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || at.proxy == nil && len(files) != 2 {
		t.Errorf("files %q, %v", files, err)
	}
}

// cliStreams are the calls that end only when they are interrupted: what they print is awaited.
func cliStreams(t *testing.T, at target) {
	t.Helper()
	at.stream(t, []string{"--stat", "-i", "0.05"}, `keys +mem +clients`, `^0 +\d+\.\d+[KM] +\d+ +0 +\d+ \(\+`)
	at.stream(t, []string{"--latency-history", "-i", "0.1"}, `^.* -- 0\.1\d seconds range$`, `^.* -- 0\.1\d seconds range$`)
	at.stream(t, []string{"MONITOR"}, `^OK$`, `^\d+\.\d+ \[0 127\.0\.0\.1:\d+\] "SET" "seen" "1"$`, "SET", "seen", "1")
	at.stream(t, []string{"SUBSCRIBE", "channel", "other"}, `^other$`, `^hello$`, "PUBLISH", "channel", "hello")
	at.stream(t, []string{"PSUBSCRIBE", "chan*"}, `^1$`, `^hello again$`, "PUBLISH", "channel", "hello again")
	at.stream(t, []string{"-3", "SUBSCRIBE", "channel"}, `subscribe`, `hello three`, "PUBLISH", "channel", "hello three")
	at.stream(t, []string{"BLPOP", "list", "0"}, ``, `^element$`, "RPUSH", "list", "element")
}

// stream runs redis-cli until it has printed a line like ready, then another one with what meanwhile, and then until the first
// has printed a line like want.
func (at target) stream(t *testing.T, args []string, ready, want string, meanwhile ...string) {
	t.Helper()
	cmd := at.command(t, "redis-cli", args...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	lines := bufio.NewScanner(out)
	if ready != "" {
		awaitLine(t, cmd, lines, ready)
	}
	if len(meanwhile) > 0 {
		if out, err := at.command(t, "redis-cli", meanwhile...).CombinedOutput(); err != nil {
			t.Fatalf("redis-cli %q: %v\n%s", meanwhile, err, out)
		}
	}
	awaitLine(t, cmd, lines, want)
}

// awaitLine reads until a line is like that.
func awaitLine(t *testing.T, cmd *exec.Cmd, lines *bufio.Scanner, like string) {
	t.Helper()
	var read []string
	for lines.Scan() {
		if regexp.MustCompile(like).MatchString(lines.Text()) {
			return
		}
		read = append(read, lines.Text())
	}
	t.Fatalf("%s printed no line like %s, but %q (%v)", cmd, like, read, lines.Err())
}

// TestRedisBenchmark runs all its default tests, as it does by itself, with pipelines, threads and RESP3.
func TestRedisBenchmark(t *testing.T) {
	t.Parallel()
	targets := cliTargets(t)
	tests := map[string][]string{}
	for _, name := range []string{"plain", "proxy"} {
		for _, args := range []string{
			"-n 1000 -c 20 --csv", "-n 2000 -P 16 -c 20 -r 1000 --csv", "-n 1000 -c 10 --threads 2 -3 -r 100 --csv -t set,get,lrange,mset,zadd",
			"-n 500 -c 10 -r 100 --csv eval return{redis.call('incr',KEYS[1]),ARGV[1]} 1 n:__rand_int__ a", "-n 500 -k 0 --csv -t ping,set",
		} {
			cmd := targets[name].command(t, "redis-benchmark", strings.Fields(args)...)
			out, err := cmd.CombinedOutput()
			if err != nil || bytes.Contains(bytes.ToLower(out), []byte("error")) {
				t.Errorf("%s, %s: %v\n%s", name, cmd, err, out)
			}
			var did []string
			for line := range strings.Lines(string(out)) {
				test, _, _ := strings.Cut(line, ",")
				did = append(did, test)
			}
			if len(did) < 2 {
				t.Errorf("%s, %s: %s", name, cmd, out)
			}
			if name == "plain" {
				tests[args] = did
			} else if got, want := fmt.Sprint(did), fmt.Sprint(tests[args]); got != want {
				t.Errorf("%s: tests %s, want %s", cmd, got, want)
			}
		}
	}
}
