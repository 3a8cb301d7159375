package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
)

// families are what each program asserts, by the lines it prints.
var families = []string{
	"strings", "hashes", "lists", "sets", "sortedsets", "streams", "scripts", "scan", "pipelines", "server",
}

// runFamilies runs a program of testdata, which is given the client's mode, the proxy's address, the protocol and the prefix
// of its keys. It must end well and have asserted all families.
func runFamilies(t *testing.T, p *proxytest.Proxy, mode string, protocol int, program ...string) {
	t.Helper()
	args := append(program[1:], mode, p.Addr, fmt.Sprint(protocol), prefix(t))
	cmd := exec.CommandContext(testContext(t), program[0], args...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+nodeModules(t))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	var did []string
	for line := range strings.Lines(string(out)) {
		if family, ok := strings.CutPrefix(strings.TrimSpace(line), "family "); ok {
			did = append(did, family)
		}
	}
	if !slices.Equal(did, families) {
		t.Errorf("%s asserted %q, want %q\n%s", cmd, did, families, out)
	}
}

func TestRedisPy(t *testing.T) {
	python, major := pythonWithRedis(t)
	p := start(t)
	for _, mode := range []string{"standalone", "cluster"} {
		for _, protocol := range []int{2, 3} {
			if protocol == 3 && major < 5 {
				continue // redis-py speaks RESP3 since 5.0; Debian 12 has 4.3
			}
			t.Run(fmt.Sprintf("%s,%d", mode, protocol), func(t *testing.T) {
				runFamilies(t, p, mode, protocol, python, "testdata/python/redispy.py")
			})
		}
	}
}

func TestIORedis(t *testing.T) {
	p := start(t)
	for _, mode := range []string{"standalone", "cluster"} {
		t.Run(mode, func(t *testing.T) { runFamilies(t, p, mode, 2, "node", "testdata/node/ioredis.js") })
	}
}

func TestNodeRedis(t *testing.T) {
	p := start(t)
	for _, mode := range []string{"standalone", "cluster"} {
		for _, protocol := range []int{2, 3} {
			t.Run(fmt.Sprintf("%s,%d", mode, protocol), func(t *testing.T) {
				runFamilies(t, p, mode, protocol, "node", "testdata/node/noderedis.js")
			})
		}
	}
}

// pythonWithRedis returns an interpreter that has redis-py, and the library's major version. The distribution's library is
// the distribution's interpreter's, which need not be the first in the PATH.
func pythonWithRedis(t *testing.T) (python string, major int) {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		out, err := exec.CommandContext(testContext(t), python, "-c", "import redis; print(redis.__version__)").Output()
		if err != nil {
			continue
		}
		if _, err := fmt.Sscanf(string(out), "%d.", &major); err != nil {
			t.Fatalf("the version of redis-py is %q: %v", out, err)
		}
		return python, major
	}
	t.Fatal(`no python3 has redis-py: run "make clients"`)
	return "", 0
}

// nodeModules returns the directory into which "make clients" installs the libraries of Node.js.
func nodeModules(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../bin/clients/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	for _, library := range []string{"ioredis", "redis"} {
		if _, err := os.Stat(filepath.Join(dir, library)); err != nil {
			t.Fatalf("the library %s is not installed (%v): run \"make clients\"", library, err)
		}
	}
	return dir
}
