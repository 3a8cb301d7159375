package stack

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// helperEnv makes the test's program start a child and wait to be killed.
const helperEnv = "STACK_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) != "" {
		p, err := startProgram("sleep", []string{"1000"}, nil)
		if err != nil {
			panic(err)
		}
		fmt.Println(p.cmd.Process.Pid)
		<-p.done
		return
	}
	goleak.VerifyTestMain(m)
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

// fakeProxy writes a program that is called like the proxy: a shell script.
func fakeProxy(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proxy")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestStackServesAndLeavesNothing(t *testing.T) {
	// One Redis answers in the proxy's place; $2 is the value of -addr.
	binary := fakeProxy(t, `echo "flags: $*"; exec redis-server --port "${2##*:}" --bind 127.0.0.1 --save '' --dir `+t.TempDir())
	addr := freeAddr(t)
	s, err := Start(testContext(t), Config{Binary: binary, Addr: addr, Args: []string{"-max-clients", "0"}})
	if err != nil {
		t.Fatal(err)
	}
	nodes := s.Nodes()
	if len(nodes) != 6 {
		t.Errorf("%d nodes, want 6", len(nodes))
	}
	want := "flags: -addr " + addr + " -startup-nodes " + strings.Join(nodes, ",") + " -max-clients 0"
	if log := s.LogTail(); !strings.Contains(log, want) {
		t.Errorf("the proxy's log:\n%s\nwant it to have %q", log, want)
	}
	s.Close()
	select {
	case <-s.Done():
	default:
		t.Error("the proxy runs after Close")
	}
	for _, a := range append(nodes, addr) {
		if err := checkFree(a); err != nil {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestProxyThatEndsIsExplained(t *testing.T) {
	_, err := Start(testContext(t), Config{Binary: fakeProxy(t, "echo it cannot; exit 2"), Addr: freeAddr(t)})
	if err == nil || !strings.Contains(err.Error(), "it cannot") {
		t.Errorf("Start = %v, want the end of the proxy's log in it", err)
	}
}

func TestStartRefusesBeforeItLaunches(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	for want, cfg := range map[string]Config{
		taken:            {Binary: "true", Addr: taken},
		taken + " is no": {Binary: "true", Addr: freeAddr(t), DebugAddr: taken},
		"build it first": {Binary: "/no/such/program", Addr: freeAddr(t)},
	} {
		if _, err := Start(testContext(t), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Start(%+v) = %v, want %q", cfg, err, want)
		}
	}
}

func TestProgramIsKilledWhenItDoesNotEnd(t *testing.T) {
	p, err := startProgram(fakeProxy(t, `trap "" TERM; echo deaf; while :; do sleep 0.05; done`), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the trap", func() bool { return p.log.tail() == "deaf" })
	p.end(time.Millisecond)
	if p.cmd.ProcessState.Success() {
		t.Error("it ended by itself")
	}
}

func TestChildDiesWithItsKilledParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), helperEnv+"=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if !alive(pid) {
		t.Fatal("the child does not run")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	waitFor(t, "the child's end", func() bool { return !alive(pid) })
}

// alive reports whether the process runs; one that only waits to be reaped does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
