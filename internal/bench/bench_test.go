package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
)

func TestBenchMeasuresTargetsInTurn(t *testing.T) {
	a, b := redistest.StartServer(t), redistest.StartServer(t)
	var out strings.Builder
	args := []string{"-rounds", "2", "-duration", "50ms", "-idle-clients", "100", "-subscribers", "20", "-cases", "idle,=SET c=50 P=16,MGET,PUBLISH"}
	err := run(testContext(t), args, "ours="+a.Addr+" other="+b.Addr, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	number := `\d+(\.\d+)?`
	for _, row := range []string{
		`\| case +\| target +\| CPU µs/request +\| / other +\| requests/s +\| / other +\| p50 ms +\| / other +\| p99 ms +\| / other +\|`,
		`\| SET c=50 P=16 +\| ours +\| ` + number + ` \(` + number + `-` + number + `\) +\| [0-9.-]+ +\| [1-9]\d* `,
		`\| SET c=50 P=16 +\| other +\| .*\| 1\.00 `,
		`\| MGET 10 c=50 P=1 +\| ours +\| `,
		`\| case +\| target +\| CPU µs/message +\| / other +\| messages/s +\| / other +\| published +\| / other +\|`,
		`\| PUBLISH P=16 +\| ours +\| ` + number + ` \(` + number + `-` + number + `\) +\| [0-9.-]+ +\| [1-9]\d* `,
		`\| PUBLISH P=1 100/s +\| other +\| .*\| 1\.00 `,
		`\| idle +\| other +\| -?` + number + ` +\|`,
	} {
		if !regexp.MustCompile(row).MatchString(out.String()) {
			t.Errorf("no row matches %s in:\n%s", row, out.String())
		}
	}
}

func TestErrorRepliesEndTheRun(t *testing.T) {
	noMGet := redistest.StartServer(t, `rename-command MGET ""`)
	locked := redistest.StartServer(t)
	if err := locked.Client().ConfigSet(testContext(t), "requirepass", "secret").Err(); err != nil {
		t.Fatal(err)
	}
	gone := redistest.StartServer(t)
	gone.Kill()
	for addr, want := range map[string]string{
		noMGet.Addr: "unknown command",
		locked.Addr: "NOAUTH",
		gone.Addr:   "refused",
	} {
		var out strings.Builder
		err := run(testContext(t), []string{"-rounds", "1", "-duration", "10ms", "-cases", "MGET"}, "x="+addr, &out, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 {
			t.Errorf("run = %v and %q, want an error with %q and no figures", err, out.String(), want)
		}
	}
}

// TestTurnWithoutTime publishes all the same, or there would be no figures.
func TestTurnWithoutTime(t *testing.T) {
	server := redistest.StartServer(t)
	publisher, err := target{name: "x", addr: server.Addr}.dial(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	defer publisher.Close()
	if n, err := publishFor(publisher, benchCase{pipeline: 3}, 0); err != nil || n != 3 {
		t.Errorf("%d messages, %v, want 3", n, err)
	}
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestParse(t *testing.T) {
	opts, err := parse([]string{"-targets", "a=h:1 b=[::1]:2", "-cases", "GET"}, "c=h:3", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if want := []target{{"a", "h:1"}, {"b", "[::1]:2"}}; !slices.Equal(opts.targets, want) {
		t.Errorf("targets %v, want %v", opts.targets, want)
	}
	for want, args := range map[string][]string{
		"not name=host:port":   {"-targets", "h:1"},
		"=h is not":            {"-targets", "a=h"},
		"twice":                {"-targets", "a=h:1 a=h:2"},
		"is there twice":       {"-targets", "a=h:1 b=h:1"},
		`no case is called "x`: {"-cases", "GET,x"},
		`no case is called ""`: {"-cases", "GET,"},
		"must be above 0":      {"-rounds", "0"},
	} {
		if _, err := parse(args, "", io.Discard); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), `"a=h" `, "=h "), want) {
			t.Errorf("parse(%q) = %v, want %q", args, err, want)
		}
	}
	var list strings.Builder
	if _, err := parse([]string{"-list"}, "", &list); !errors.Is(err, flag.ErrHelp) || strings.Count(list.String(), "\n") != 23 {
		t.Errorf("-list = %v and\n%s", err, list.String())
	}
}

func TestBaseline(t *testing.T) {
	one := options{targets: []target{{name: "ours"}}}
	three := options{targets: []target{{name: "ours"}, {name: "x"}, {name: "y"}}}
	named := three
	named.baseline = "y"
	for want, opts := range map[string]options{"ours": one, "x": three, "y": named} {
		if r, err := newRunner(opts, io.Discard); err != nil || r.baseline != want {
			t.Errorf("newRunner = %+v, %v, want the baseline %s", r, err, want)
		}
	}
	three.baseline = "z"
	if _, err := newRunner(three, io.Discard); err == nil {
		t.Error("a baseline that is no target was accepted")
	}
}

func TestCases(t *testing.T) {
	for words, want := range map[string]int{"": 23, "idle": 1, "GET": 8, "c=1": 3, "PUBLISH": 4, "c=50": 12, "c=50 P": 8, "=GET c=1 P=1": 1, "MGET, idle": 2} {
		if got, err := chooseCases(words); err != nil || len(got) != want {
			t.Errorf("chooseCases(%q) = %d cases, %v, want %d", words, len(got), err, want)
		}
	}
	mset, err := chooseCases("MSET")
	if err != nil {
		t.Fatal(err)
	}
	want := "--csv -n 7 -c 50 -P 1 -d 3 -r 100000 MSET" + strings.Repeat(" key:__rand_int__ xxx", 10)
	if got := strings.Join(mset[0].args(7), " "); got != want {
		t.Errorf("args %q, want %q", got, want)
	}
	for _, c := range allCases() {
		if !c.idle && c.keys*c.size > 64<<20 {
			t.Errorf("%s fills %d MiB", c.name, c.keys*c.size>>20)
		}
	}
}

// cancelOn cancels when what is written has text in it.
type cancelOn struct {
	text   string
	cancel context.CancelFunc
	seen   strings.Builder
}

func (c *cancelOn) Write(p []byte) (int, error) {
	c.seen.Write(p)
	if strings.Contains(c.seen.String(), c.text) {
		c.cancel()
	}
	return len(p), nil
}

func TestServeSaysWhatIsWhere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	// One Redis answers in the proxy's place; $2 is the value of -addr.
	binary := filepath.Join(t.TempDir(), "proxy")
	script := "#!/bin/sh\nexec redis-server --port \"${2##*:}\" --bind 127.0.0.1 --save '' --dir " + t.TempDir() + "\n"
	if err := os.WriteFile(binary, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	out := &cancelOn{text: "Ctrl-C", cancel: cancel}
	if err := run(ctx, []string{"-serve", "-binary", binary, "-addr", addr}, "", out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if said := out.seen.String(); !strings.Contains(said, "ours="+addr) || strings.Count(said, "127.0.0.1:") != 6+2 {
		t.Errorf("-serve says:\n%s\nwant six nodes and the proxy at %s", said, addr)
	}
}
