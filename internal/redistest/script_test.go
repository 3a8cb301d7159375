package redistest

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// talk sends text and returns what comes back until n bytes are there or the connection ends.
func talk(t *testing.T, addr, text string, n int) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(2*stepTimeout))) // a conversation that hangs fails
	_, err = io.WriteString(conn, text)
	must(t, err)
	got, _ := io.ReadAll(io.LimitReader(bufio.NewReader(conn), int64(n)))
	return string(got)
}

func TestScriptFollowsItsSteps(t *testing.T) {
	reached, goOn := make(chan struct{}), make(chan struct{})
	n := StartScript(t, Script{
		Conns: [][]Step{
			{Expect("get", "k"), Do(func() { close(reached) }), Await(goOn), Reply("+v\r\n", "+more\r\n"), AwaitClose()},
			{Expect("SET", "k", Any), ReplyBytewise("+OK\r\n"), Close()},
			{ExpectN(1), CloseAfter(4)},
		},
		Aside: Handshake,
	})
	go relay(reached, goOn)
	if got := talk(t, n.Addr, "HELLO 3\r\nCLIENT SETNAME x\r\nGET k\r\n", 20); got != "%0\r\n+OK\r\n+v\r\n+more\r\n" {
		t.Errorf("first connection: %q", got)
	}
	if got := talk(t, n.Addr, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n", 100); got != "+OK\r\n" {
		t.Errorf("second connection: %q", got)
	}
	if got := talk(t, n.Addr, "PING\r\nPING\r\n", 100); got != "" {
		t.Errorf("third connection: %q", got)
	}
	if got := talk(t, n.Addr, "PING\r\n", 100); got != "" {
		t.Errorf("a connection too many: %q", got)
	}
	must(t, n.Wait(testContext(t)))
}

// relay closes to when from is closed.
func relay(from <-chan struct{}, to chan<- struct{}) {
	<-from
	close(to)
}

func TestScriptSaysWhatWentWrong(t *testing.T) {
	for _, tc := range []struct {
		name, sent, want string
		script           Script
	}{
		{"another command", "GET other\r\n", `step 1 (expect ["GET" "k"]): got ["GET" "other"]`, Conversation(Expect("GET", "k"))},
		{"an early end", "GET k\r\n", "step 2 (expect", Conversation(Expect("GET", "k"), Expect("GET", "k"))},
		{"no connection", "", "1 of 1 conversations were never begun", Conversation(Expect("GET", "k"))},
		{"too much", "GET k\r\nGET k\r\n", `after the last step came ["GET" "k"]`, Conversation(Expect("GET", "k"), Reply("+v\r\n"))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n, err := LaunchScript(tc.script)
			must(t, err)
			if tc.sent != "" {
				conn, err := net.Dial("tcp", n.Addr)
				must(t, err)
				_, err = io.WriteString(conn, tc.sent)
				must(t, err)
				must(t, conn.(*net.TCPConn).CloseWrite())
				_, _ = io.ReadAll(conn)
				conn.Close()
			}
			if err := n.Close(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Close says %v, want %q", err, tc.want)
			}
		})
	}
}
