package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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

// fakeProxy writes a program that takes the proxy's flags, the value of -addr second.
func fakeProxy(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proxy")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestRunUntilCancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	out := &cancelOn{text: "Ctrl-C", cancel: cancel}
	addr, debug := freeAddr(t), freeAddr(t)
	binary := fakeProxy(t, `exec redis-server --port "${2##*:}" --bind 127.0.0.1 --save '' --dir `+t.TempDir())
	if err := run(ctx, []string{"-binary", binary, "-addr", addr, "-debug-addr", debug}, out); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	for _, want := range []string{"ready at " + addr, "redis-cli -h 127.0.0.1 -p " + port, "redis-benchmark ", "http://" + debug + "/metrics", "Stopping"} {
		if !strings.Contains(out.seen.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.seen.String())
		}
	}
}

func TestRunFails(t *testing.T) {
	for want, args := range map[string][]string{
		"build it first": {"-binary", "/no/such/program", "-addr", freeAddr(t), "-debug-addr", ""},
		"not defined":    {"-no-such-flag"},
	} {
		if err := run(context.Background(), args, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("run(%q) = %v, want %q", args, err, want)
		}
	}
}
