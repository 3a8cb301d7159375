package command_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server is a connection to a redis-server of its own, which ends with the test.
type server struct {
	tb   testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// launch is one redis-server process.
type launch struct {
	cmd   *exec.Cmd
	ready chan error // one value: nil when the server accepts connections, else why it never did
	ended chan struct{}
}

// startServer starts a redis-server without persistence and connects to it. It fails the test if there is none: a
// test against the real server that is skipped proves nothing.
func startServer(tb testing.TB) *server {
	tb.Helper()
	dir := tb.TempDir()
	socket := filepath.Join(dir, "s")
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir)
	// The server must not outlive a test that was killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	l := &launch{cmd: cmd, ready: make(chan error, 1), ended: make(chan struct{})}
	go l.run()
	tb.Cleanup(l.stop)
	if err := <-l.ready; err != nil {
		tb.Fatalf("redis-server is needed for this test: %v", err)
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		tb.Fatal(err)
	}
	return &server{tb: tb, conn: conn, r: bufio.NewReader(conn)}
}

// run keeps its thread for as long as the process lives, as Pdeathsig is about the thread that started it.
func (l *launch) run() {
	runtime.LockOSThread()
	defer close(l.ended)
	out, err := l.cmd.StdoutPipe()
	if err == nil {
		err = l.cmd.Start()
	}
	if err != nil {
		l.ready <- err
		return
	}
	told := false
	var log bytes.Buffer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Fprintln(&log, lines.Text())
		if !told && strings.Contains(lines.Text(), "eady to accept connections") {
			l.ready <- nil
			told = true
		}
	}
	err = l.cmd.Wait()
	if !told {
		l.ready <- fmt.Errorf("it ended (%v) and wrote:\n%s", err, &log)
	}
}

func (l *launch) stop() {
	if l.cmd.Process != nil {
		l.cmd.Process.Kill()
	}
	<-l.ended
}

// send writes commands without waiting for replies. read reads as many.
func (s *server) send(commands ...[][]byte) {
	s.tb.Helper()
	var b bytes.Buffer
	for _, args := range commands {
		fmt.Fprintf(&b, "*%d\r\n", len(args))
		for _, arg := range args {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
		}
	}
	if _, err := s.conn.Write(b.Bytes()); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *server) do(args ...string) any {
	s.tb.Helper()
	s.send(argsOf(args...))
	return s.read()
}

// read decodes one reply as go-redis does: string, int64, float64, bool, nil, []any, map[any]any, and error.
func (s *server) read() any {
	s.tb.Helper()
	v, err := readReply(s.r)
	if err != nil {
		s.tb.Fatalf("reading a reply: %v", err)
	}
	return v
}

func readReply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	kind, line := line[0], strings.TrimSuffix(line[1:], "\r\n")
	switch kind {
	case '+':
		return line, nil
	case '-':
		return fmt.Errorf("%s", line), nil
	case '_':
		return nil, nil
	case '#':
		return line == "t", nil
	case ',':
		return strconv.ParseFloat(line, 64)
	}
	n, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		return nil, err
	}
	switch {
	case kind == ':':
		return n, nil
	case n < 0:
		return nil, nil
	case kind == '$', kind == '=':
		b := make([]byte, n+2)
		_, err := io.ReadFull(r, b)
		return string(b[:n]), err
	case kind == '%':
		m := make(map[any]any, n)
		for range n {
			k, err := readReply(r)
			if err != nil {
				return nil, err
			}
			if m[k], err = readReply(r); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
	elements := make([]any, n)
	for i := range elements {
		if elements[i], err = readReply(r); err != nil {
			return nil, err
		}
	}
	return elements, nil
}

func argsOf(args ...string) [][]byte {
	b := make([][]byte, len(args))
	for i, arg := range args {
		b[i] = []byte(arg)
	}
	return b
}
