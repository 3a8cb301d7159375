package dispatcher

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/slots"
)

func TestParseRedirect(t *testing.T) {
	for _, tc := range []struct {
		text string
		slot uint16
		addr string // "" if it is none
	}{
		{"MOVED 3999 127.0.0.1:6381", 3999, "127.0.0.1:6381"},
		{"ASK 0 10.1.2.3:1", 0, "10.1.2.3:1"},
		{"MOVED 16383 node-7.example.com:65535", 16383, "node-7.example.com:65535"},
		{"MOVED 1 ::1:7001", 1, "[::1]:7001"},
		{"MOVED 1 [::1]:7001", 1, "[::1]:7001"},
		{"MOVED 1 2001:db8::7:7001", 1, "[2001:db8::7]:7001"},
		{"MOVED 1 :7001", 1, "asked.example:7001"},
		{"MOVED 1 ?:7001", 1, "asked.example:7001"},
		{"MOVED 3999 127.0.0.1:6381 what newer servers add", 3999, "127.0.0.1:6381"},
		{"MOVED", 0, ""},
		{"MOVED 1", 0, ""},
		{"MOVED x 127.0.0.1:6381", 0, ""},
		{"MOVED -1 127.0.0.1:6381", 0, ""},
		{"MOVED 16384 127.0.0.1:6381", 0, ""},
		{"MOVED 99999 127.0.0.1:6381", 0, ""},
		{"MOVED 1 127.0.0.1", 0, ""},
		{"MOVED 1 127.0.0.1:0", 0, ""},
		{"MOVED 1 127.0.0.1:x", 0, ""},
		{"MOVED 1 127.0.0.1:70000", 0, ""},
	} {
		slot, addr, ok := parseRedirect(tc.text, "asked.example:1234")
		if ok != (tc.addr != "") || ok && (slot != tc.slot || addr != tc.addr) {
			t.Errorf("%q: slot %d at %q, %t; want %d at %q", tc.text, slot, addr, ok, tc.slot, tc.addr)
		}
	}
	if _, addr, ok := parseRedirect("ASK 1 :7001", "[::1]:7000"); !ok || addr != "[::1]:7001" {
		t.Errorf("without a host, of an IPv6 node: %q, %t", addr, ok)
	}
}

// FuzzParseRedirect checks that what is taken for a redirect can be acted on.
func FuzzParseRedirect(f *testing.F) {
	for _, text := range []string{"MOVED 3999 127.0.0.1:6381", "ASK 1 ::1:7001", "MOVED 1 :7001", "MOVED 1 ?:7001", "MOVED 16384 a:1", "MOVED", "ASK 1 [::1]:1 x"} {
		f.Add(text, "127.0.0.1:7000")
	}
	f.Add("MOVED 1 :1", "")
	f.Fuzz(func(t *testing.T, text, from string) {
		slot, addr, ok := parseRedirect(text, from)
		if !ok {
			return
		}
		if slot >= slots.NumSlots {
			t.Errorf("%q: slot %d", text, slot)
		}
		host, port, err := net.SplitHostPort(addr)
		if err != nil || host == "" {
			t.Fatalf("%q from %q: address %q: %v", text, from, addr, err)
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			t.Errorf("%q: port %q", text, port)
		}
	})
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]bounce{
		"-MOVED 1 a:1\r\n": bounceMoved, "-ASK 1 a:1\r\n": bounceAsk, "-TRYAGAIN x\r\n": bounceTryAgain, "-CLUSTERDOWN x\r\n": bounceDown,
		"-LOADING x\r\n": bounceLoading, "-MASTERDOWN x\r\n": bounceMaster, "-READONLY x\r\n": bounceReadOnly,
		"-ERR MOVED 1 a:1\r\n": bounceNone, "-MOVEDX 1 a:1\r\n": bounceNone, "-moved 1 a:1\r\n": bounceNone, "-MOVED\r\n": bounceNone, "-\r\n": bounceNone,
	} {
		if got := classify([]byte(text)); got != want {
			t.Errorf("%q: %s, want %s", text, bounceNames[got], bounceNames[want])
		}
	}
	for b := bounceNone; b < numBounces; b++ {
		if bounceNames[b] == "" {
			t.Errorf("bounce %d has no name", b)
		}
	}
}

// TestWaits checks what each attempt waits for, and that a node is not hammered.
func TestWaits(t *testing.T) {
	for b := bounceMoved; b < numBounces; b++ {
		var first [3]time.Duration
		total := time.Duration(0)
		for attempt := 1; attempt <= 40; attempt++ {
			wait := waitAfter(b, attempt)
			if wait < 0 || wait > maxBackoff {
				t.Errorf("%s, attempt %d: %s", bounceNames[b], attempt, wait)
			}
			if attempt <= len(first) {
				first[attempt-1] = wait
			}
			total += wait
		}
		if total < 20*maxBackoff/2 {
			t.Errorf("%s: 40 attempts in %s", bounceNames[b], total)
		}
		at := strings.Join([]string{zero(first[0]), zero(first[1]), zero(first[2])}, " ")
		want := map[bounce]string{
			bounceMoved: "now now later", bounceAsk: "now now later", bounceTryAgain: "later now later", bounceLost: "now later later",
			bounceNoScript: "now now later",
		}[b]
		if want == "" {
			want = "later later later"
		}
		if at != want {
			t.Errorf("%s: %s, want %s", bounceNames[b], at, want)
		}
	}
}

func zero(d time.Duration) string {
	if d == 0 {
		return "now"
	}
	return "later"
}
