package clients

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
)

// families are what a program for a library's commands asserts, by the lines it prints.
var families = []string{
	"strings", "hashes", "lists", "sets", "sortedsets", "streams", "scripts", "scan", "pipelines", "server",
}

// runProgram runs a program of testdata, which must end well and have printed that it asserted these families.
func runProgram(t *testing.T, families []string, program ...string) {
	t.Helper()
	cmd := exec.CommandContext(testContext(t), program[0], program[1:]...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+nodeModules(t), "PYTHONDONTWRITEBYTECODE=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// Its children are in its group, and end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = proxytest.Patience // for the last of its output: what had not been read by then would be an error
	err := cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what is left of them
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &out)
	}
	var did []string
	for line := range strings.Lines(out.String()) {
		if family, ok := strings.CutPrefix(strings.TrimSpace(line), "family "); ok {
			did = append(did, family)
		}
	}
	if !slices.Equal(did, families) {
		t.Errorf("%s asserted %q, want %q\n%s", cmd, did, families, &out)
	}
}

// runNode runs a program of Node.js.
func runNode(t *testing.T, at target, families []string, program, mode string, protocol int) {
	t.Helper()
	runProgram(t, families, "node", "testdata/node/"+program, mode, at.addr, fmt.Sprint(protocol), prefix(t), at.name())
}

// perMode runs f as both does, and before that for clients for clusters, which a plain server does not serve, with a proxy
// only. Not at once: some programs forget all scripts of the cluster.
func perMode(t *testing.T, f func(t *testing.T, at target, mode string)) {
	t.Run("cluster", func(t *testing.T) { f(t, viaProxy(t, false), "cluster") })
	t.Run("standalone", func(t *testing.T) {
		both(t, false, func(t *testing.T, at target) { f(t, at, "standalone") })
	})
}

func TestRedisPy(t *testing.T) {
	python, major := pythonWith(t, "redis")
	for protocol := 2; protocol <= 3; protocol++ {
		if protocol == 3 && major < 5 {
			continue // redis-py speaks RESP3 since 5.0; Debian 12 has 4.3
		}
		t.Run(fmt.Sprint(protocol), func(t *testing.T) {
			perMode(t, func(t *testing.T, at target, mode string) {
				runProgram(t, families, python, "testdata/python/redispy.py", mode, at.addr, fmt.Sprint(protocol), prefix(t))
			})
		})
	}
}

func TestIORedis(t *testing.T) {
	perMode(t, func(t *testing.T, at target, mode string) { runNode(t, at, families, "ioredis.js", mode, 2) })
}

func TestNodeRedis(t *testing.T) {
	for protocol := 2; protocol <= 3; protocol++ {
		t.Run(fmt.Sprint(protocol), func(t *testing.T) {
			perMode(t, func(t *testing.T, at target, mode string) { runNode(t, at, families, "noderedis.js", mode, protocol) })
		})
	}
}

// pythonWith returns an interpreter that has the libraries, and the first library's major version. The distribution's
// libraries are the distribution's interpreter's, which need not be the first in the PATH.
func pythonWith(t *testing.T, libraries ...string) (python string, major int) {
	t.Helper()
	look := fmt.Sprintf("import %s; print(%s.__version__)", strings.Join(libraries, ", "), libraries[0])
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		out, err := exec.CommandContext(testContext(t), python, "-c", look).Output()
		if err != nil {
			continue
		}
		if _, err := fmt.Sscanf(string(out), "%d.", &major); err != nil {
			t.Fatalf("the version of %s is %q: %v", libraries[0], out, err)
		}
		return python, major
	}
	t.Fatalf(`no python3 has %q: run "make clients"`, libraries)
	return "", 0
}

// nodeModules returns the directory into which "make clients" installs the libraries of Node.js.
func nodeModules(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../bin/clients/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	for _, library := range []string{"ioredis", "redis", "bullmq"} {
		if _, err := os.Stat(filepath.Join(dir, library)); err != nil {
			t.Fatalf("the library %s is not installed (%v): run \"make clients\"", library, err)
		}
	}
	return dir
}
