//go:build linux

package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// parentEnv makes TestServerDiesWithParent the parent that is to be killed.
const parentEnv = "REDISTEST_PARENT"

// TestServerDiesWithParent kills a process that has launched a server: the server must go, too.
func TestServerDiesWithParent(t *testing.T) {
	ctx := testContext(t)
	if os.Getenv(parentEnv) != "" {
		s, err := LaunchServer(ctx, Config{Dir: os.Getenv(parentEnv)})
		must(t, err)
		fmt.Printf("addr %s\n", s.Addr)
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
		return
	}
	parent := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestServerDiesWithParent$")
	parent.Env = append(os.Environ(), parentEnv+"="+t.TempDir())
	stdin, err := parent.StdinPipe()
	must(t, err)
	defer stdin.Close()
	stdout, err := parent.StdoutPipe()
	must(t, err)
	must(t, parent.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "addr ")
	if !ok {
		t.Fatalf("the parent says %q, %v", line, err)
	}
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	conn.Close()
	must(t, parent.Process.Kill())
	_ = parent.Wait()
	must(t, poll(ctx, "the end of "+addr, func() error {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return nil
		}
		conn.Close()
		return errors.New("it still listens")
	}))
}
