package proxy_test

import (
	"errors"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// twins are a proxy and a plain server that have to say the same.
type twins struct {
	proxy *proxytest.Proxy
	plain *redistest.Server
}

// startTwins starts a proxy of default settings beside the shared plain server. Both have no keys.
func startTwins(t *testing.T) twins {
	t.Helper()
	tw := twins{start(t, proxytest.Config{}), plain.Get(t)}
	tw.flush(t)
	return tw
}

// flush removes all keys of both.
func (tw twins) flush(t *testing.T) {
	t.Helper()
	servers := []*redistest.Server{tw.plain}
	for _, n := range cluster.Get(t).Primaries() {
		servers = append(servers, n.Server)
	}
	for _, s := range servers {
		if err := s.Client().FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// alike sends the same bytes to both, each over a connection of its own that has said no more then, and compares all that
// comes back until the end.
func (tw twins) alike(t *testing.T, input string) {
	t.Helper()
	got, want := converse(t, tw.proxy.Addr, input), converse(t, tw.plain.Addr, input)
	if got != want {
		same := 0
		for same < min(len(got), len(want)) && got[same] == want[same] {
			same++
		}
		t.Errorf("%.300q\nafter %d like bytes\n proxy says %.300q\n redis says %.300q", input, same, got[same:], want[same:])
	}
	if want == "" {
		t.Logf("%.300q: both say nothing", input)
	}
}

// converse sends input and FIN and returns all replies, with client ids, which differ, made alike.
func converse(t *testing.T, addr, input string) string {
	t.Helper()
	d := proxytest.Connect(t, addr)
	d.Say(input)
	if err := d.CloseWrite(); err != nil && !errors.Is(err, syscall.ENOTCONN) { // closed by the peer already
		t.Fatal(err)
	}
	replies, err := d.ReadRest()
	if err != nil && !errors.Is(err, syscall.ECONNRESET) { // closed before it had read all
		t.Fatalf("%.300q: %v", input, err)
	}
	d.Close()
	return clientID.ReplaceAllString(string(replies), "${1}:ID\r\n")
}

// clientID is the id in the reply of HELLO.
var clientID = regexp.MustCompile(`(\$2\r\nid\r\n):\d+\r\n`)

// commands encodes commands, each a line of words with one blank between them; two quotes stand for an empty word.
func commands(lines ...string) string {
	var b []byte
	for _, line := range lines {
		words := strings.Split(strings.TrimSuffix(line, " "), " ")
		for i, w := range words {
			if w == `""` {
				words[i] = ""
			}
		}
		b = resp.AppendCommand(b, words...)
	}
	return string(b)
}

// inBothProtocols runs the test with input that begins with nothing, and with HELLO 3.
func (tw twins) inBothProtocols(t *testing.T, lines []string) {
	t.Helper()
	for _, hello := range []string{"", commands("HELLO 3")} {
		for _, line := range lines {
			tw.alike(t, hello+commands(line, "ECHO marker"))
		}
	}
}
