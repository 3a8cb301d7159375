package proxy_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
)

// monitorLine is a line of MONITOR: the client's address and what it did.
var monitorLine = regexp.MustCompile(`^\+(\d+\.\d{6}) \[0 (\S+)\] (.*)\r\n$`)

// watcher connects a client in MONITOR.
func watcher(t *testing.T, p *proxytest.Proxy) *proxytest.Dialog {
	t.Helper()
	d := proxytest.Connect(t, p.Addr)
	if v := d.Do("MONITOR"); v.Str != "OK" {
		t.Fatalf("MONITOR: %+v", v)
	}
	return d
}

// heard reads a line of MONITOR.
func heard(t *testing.T, d *proxytest.Dialog) (at float64, who, what string) {
	t.Helper()
	line := d.Hear()
	m := monitorLine.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("%q is no line of MONITOR", line)
	}
	at, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return at, m[2], m[3]
}

// TestMonitorsSeeEverythingOnce: each of them, in the same order, with the times in order, and the commands of one client in
// its order.
func TestMonitorsSeeEverythingOnce(t *testing.T) {
	p := start(t, proxytest.Config{})
	const clients, batches, batch = 8, 30, 10
	monitors := []*proxytest.Dialog{watcher(t, p), watcher(t, p), watcher(t, p)}
	var busy sync.WaitGroup
	for c := range clients {
		d := proxytest.Connect(t, p.Addr)
		busy.Add(1)
		go sendCounted(t, d, &busy, c, batches, batch)
	}
	var want []string
	for i, m := range monitors {
		next, last := map[string]int{}, 0.0
		var lines []string
		for range clients * batches * batch {
			at, who, what := heard(t, m)
			if at < last {
				t.Fatalf("%s of %s was at %f, after %f", what, who, at, last)
			}
			last = at
			var c, n int
			if _, err := fmt.Sscanf(what, `"SET" "monitored:%d" "%d"`, &c, &n); err != nil || n != next[who] {
				t.Fatalf("%s did %s, want its command %d (%v)", who, what, next[who], err)
			}
			next[who]++
			lines = append(lines, who+what)
		}
		if len(next) != clients {
			t.Errorf("lines of %d clients", len(next))
		}
		if i == 0 {
			want = lines
		}
		for k := range lines {
			if lines[k] != want[k] {
				t.Fatalf("line %d is %s, and to another monitor %s", k, lines[k], want[k])
			}
		}
	}
	busy.Wait()
}

// sendCounted sends numbered commands in batches.
func sendCounted(t *testing.T, d *proxytest.Dialog, busy *sync.WaitGroup, client, batches, batch int) {
	defer busy.Done()
	for b := range batches {
		var lines []string
		for i := range batch {
			lines = append(lines, fmt.Sprintf("SET monitored:%d %d", client, b*batch+i))
		}
		if err := d.Send([]byte(commands(lines...))); err != nil {
			t.Error(err)
			return
		}
		for range batch {
			if raw, err := d.ReadRaw(); err != nil || string(raw) != "+OK\r\n" {
				t.Errorf("%q, %v", raw, err)
				return
			}
		}
	}
}

// TestMonitorMissesNothingBehindItsOK, not even what is sent at once.
func TestMonitorMissesNothingBehindItsOK(t *testing.T) {
	p := start(t, proxytest.Config{})
	other := proxytest.Connect(t, p.Addr)
	for i := range 50 {
		m := watcher(t, p)
		other.Do("ECHO", strconv.Itoa(i))
		if _, who, what := heard(t, m); who != other.NetConn().LocalAddr().String() || what != fmt.Sprintf(`"ECHO" "%d"`, i) {
			t.Fatalf("%s did %s", who, what)
		}
		m.Close()
	}
}

// TestNothingComesBehindResetOrOff: a line would be taken for the reply to what is asked next.
func TestNothingComesBehindResetOrOff(t *testing.T) {
	p := start(t, proxytest.Config{})
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for range 4 {
		d := proxytest.Connect(t, p.Addr)
		busy.Add(1)
		go chatter(t, d, &busy, stop)
	}
	for i := range 100 {
		m := watcher(t, p)
		heard(t, m)
		lines, want := []string{"RESET"}, "+RESET\r\n"
		if i%2 == 1 {
			lines = []string{"CLIENT REPLY OFF", "PING", "RESET"}
		}
		marker := fmt.Sprintf("$8\r\nmark%04d\r\n", i)
		m.Say(commands(append(lines, fmt.Sprintf("ECHO mark%04d", i))...))
		var got string
		for !strings.HasSuffix(got, marker) {
			if line := m.Hear(); !monitorLine.MatchString(line) || got != "" {
				got += line
			}
		}
		if got != want+marker {
			t.Fatalf("behind %s: %q", lines, got)
		}
		m.Close()
	}
	close(stop)
	busy.Wait()
}

// chatter sends commands until stop is closed.
func chatter(t *testing.T, d *proxytest.Dialog, busy *sync.WaitGroup, stop <-chan struct{}) {
	defer busy.Done()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if v, err := d.Client.Do("GET", "monitored"); err != nil || v.Kind == '-' {
			t.Errorf("GET: %+v, %v", v, err)
			return
		}
	}
}

// TestSlowMonitorsAreClosed by the limit for unread output, and hold nobody up.
func TestSlowMonitorsAreClosed(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.MaxOutputBytes = 1 << 20
	p := start(t, cfg)
	slow, quick, d := watcher(t, p), watcher(t, p), proxytest.Connect(t, p.Addr)
	value := strings.Repeat("x", 10000)
	d.Do("PING")
	heard(t, quick)
	for i := 0; p.Server.Clients() == 3; i++ {
		if i == 5000 {
			t.Fatal("a monitor that has read nothing of 50 MB is still there")
		}
		if v := d.Do("SET", "monitored", value); v.Str != "OK" {
			t.Fatalf("SET: %+v", v)
		}
		if _, _, what := heard(t, quick); len(what) < len(value) {
			t.Fatalf("%q", what)
		}
	}
	if rest, _ := slow.ReadRest(); len(rest) == 0 {
		t.Error("the slow monitor was told nothing")
	}
	if v := d.Do("GET", "monitored"); v.Str != value {
		t.Errorf("GET says %d bytes", len(v.Str))
	}
	if _, _, what := heard(t, quick); what != `"GET" "monitored"` {
		t.Errorf("%s", what)
	}
}

// TestMonitorsThatAreGone cost nothing more: killed, or gone by themselves.
func TestMonitorsThatAreGone(t *testing.T) {
	p := start(t, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	killed, gone := watcher(t, p), watcher(t, p)
	_, lines := clientLines(t, d.Do("CLIENT", "LIST", "TYPE", "normal"))
	if len(lines) != 3 || lines[1]["flags"] != "O" || lines[2]["flags"] != "O" || lines[1]["cmd"] != "monitor" {
		t.Errorf("%v", lines)
	}
	if v := d.Do("CLIENT", "KILL", "ADDR", killed.NetConn().LocalAddr().String()); v.Int != 1 {
		t.Errorf("CLIENT KILL: %+v", v)
	}
	killed.WantClosed()
	gone.Reset()
	eventually(t, "both are gone", func() bool { return p.Server.Clients() == 1 })
	m := watcher(t, p)
	if v := d.Do("GET", "none"); !v.Null {
		t.Errorf("GET: %+v", v)
	}
	if _, _, what := heard(t, m); what != `"GET" "none"` {
		t.Errorf("%s", what)
	}
}

// TestMonitorsAreNotPaused, as replicas are not in Redis.
func TestMonitorsAreNotPaused(t *testing.T) {
	p := start(t, proxytest.Config{})
	m, d, held := watcher(t, p), proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	d.Do("CLIENT", "PAUSE", "100000", "ALL")
	held.Say(commands("PING"))
	if got := m.Ask(commands("ECHO x")); got != "$1\r\nx\r\n" {
		t.Errorf("%q", got)
	}
	if _, who, what := heard(t, m); what != `"ECHO" "x"` || who != m.NetConn().LocalAddr().String() {
		t.Errorf("%s did %s", who, what)
	}
	m.Say(commands("CLIENT UNPAUSE"))
	ok, line := m.Hear(), m.Hear()
	if ok != "+OK\r\n" { // who was held is not waiting for the reply
		ok, line = line, ok
	}
	if did := monitorLine.FindStringSubmatch(line); ok != "+OK\r\n" || did == nil || did[3] != `"PING"` || did[2] != held.NetConn().LocalAddr().String() {
		t.Errorf("%q and %q", ok, line)
	}
	if got := held.Hear(); got != "+PONG\r\n" {
		t.Errorf("%q", got)
	}
}

// TestMonitorNeedsThePermission of the session's user.
func TestMonitorNeedsThePermission(t *testing.T) {
	p := start(t, proxytest.Config{})
	admin := proxytest.Connect(t, p.Addr)
	for user, rules := range map[string]string{"mayread": "+@read", "maywatch": "+monitor"} {
		if v := admin.Do("ACL", "SETUSER", user, "on", ">pw", "-@all", rules, "~*"); v.Str != "OK" {
			t.Fatalf("ACL SETUSER: %+v", v)
		}
		defer admin.Do("ACL", "DELUSER", user)
	}
	d := proxytest.Connect(t, p.Addr)
	d.Do("AUTH", "mayread", "pw")
	if v := d.Do("MONITOR"); v.Kind != '-' || !strings.HasPrefix(v.Str, "NOPERM ") {
		t.Errorf("MONITOR: %+v", v)
	}
	admin.Do("PING")
	if v := d.Do("GET", "none"); !v.Null {
		t.Errorf("GET: %+v", v)
	}
	d.Do("AUTH", "maywatch", "pw")
	if v := d.Do("MONITOR"); v.Str != "OK" {
		t.Errorf("MONITOR: %+v", v)
	}
	admin.Do("PING")
	if _, _, what := heard(t, d); what != `"PING"` {
		t.Errorf("%s", what)
	}
}

// TestMonitorsAreNeverIdle: they wait for what others do.
func TestMonitorsAreNeverIdle(t *testing.T) {
	p := start(t, proxytest.Config{})
	m := watcher(t, p)
	closeIdle(t, p)
	if got := m.Ask(commands("PING")); got != "+PONG\r\n" {
		t.Errorf("%q", got)
	}
}
