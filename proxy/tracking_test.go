package proxy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

const (
	nullPush = ">2\r\n$10\r\ninvalidate\r\n_\r\n"
	okReply  = "+OK\r\n"
)

// invalidation is the push about keys.
func invalidation(keys ...string) string {
	b := resp.AppendPushHeader(nil, resp.RESP3, 2)
	b = resp.AppendBulkString(b, "invalidate")
	b = resp.AppendArrayHeader(b, len(keys))
	for _, k := range keys {
		b = resp.AppendBulkString(b, k)
	}
	return string(b)
}

// wantHear waits for this and nothing before it.
func wantHear(t *testing.T, d *proxytest.Dialog, want string) {
	t.Helper()
	if got := d.Hear(); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// tracker connects a client that tracks, in RESP3.
func tracker(t *testing.T, p *proxytest.Proxy, options ...string) *proxytest.Dialog {
	t.Helper()
	d := proxytest.Connect(t, p.Addr)
	d.Do("HELLO", "3")
	if v := d.Do(append([]string{"CLIENT", "TRACKING", "ON"}, options...)...); v.Str != "OK" {
		t.Fatalf("CLIENT TRACKING ON %q: %+v", options, v)
	}
	return d
}

// trackingPair starts a proxy and connects a client that does not track. key is one that nobody else uses.
func trackingPair(t *testing.T) (p *proxytest.Proxy, other *proxytest.Dialog, key string) {
	t.Helper()
	p = start(t, proxytest.Config{})
	other = proxytest.Connect(t, p.Addr)
	return p, other, unused(t, other)
}

// TestTrackingByACL: what the nodes do not allow the user is refused when it is asked for, and not found out later, when a
// change is not told.
func TestTrackingByACL(t *testing.T) {
	p, admin, key := trackingPair(t)
	const may = " on >x ~* +@all"
	for user, rules := range map[string]string{
		"tracks": may, "never": may + " -client|tracking", "plainly": may + " -client|caching", "alone": may + " -client|id",
	} {
		if v := admin.Do(strings.Fields("ACL SETUSER " + user + rules)...); v.Str != "OK" {
			t.Fatalf("ACL SETUSER: %+v", v)
		}
	}
	t.Cleanup(func() { proxytest.Connect(t, p.Addr).Do("ACL", "DELUSER", "tracks", "never", "plainly", "alone") })
	ear := admin.Do("CLIENT", "ID").Int
	for _, c := range []struct {
		user, hello, options string
		refused              string // what it is
	}{
		{"tracks", "3", "", ""}, {"tracks", "3", "OPTIN", ""}, {"tracks", "3", "BCAST", ""},
		{"tracks", "2", fmt.Sprint("REDIRECT ", ear), ""},
		{"never", "3", "", "client|tracking"}, {"never", "3", "BCAST", "client|tracking"}, {"never", "2", "", "client|tracking"},
		{"plainly", "3", "OPTIN", "client|caching"}, {"plainly", "3", "OPTOUT", "client|caching"}, {"plainly", "3", "", ""},
		{"alone", "2", fmt.Sprint("REDIRECT ", ear), "client|id"}, {"alone", "3", "", ""},
	} {
		for range 2 { // the second time the proxy knows
			d := proxytest.Connect(t, p.Addr)
			d.Do("HELLO", c.hello, "AUTH", c.user, "x")
			v := d.Do(strings.Fields("CLIENT TRACKING ON " + c.options)...)
			info := fmt.Sprintf("%+v", d.Do("CLIENT", "TRACKINGINFO").Elems)
			switch {
			case c.refused == "" && (v.Str != "OK" || !strings.Contains(info, "Str:on ")):
				t.Errorf("%+v: %+v, then %s", c, v, info)
			case c.refused != "" && (!strings.HasPrefix(v.Str, "NOPERM ") || !strings.Contains(v.Str, c.refused) || !strings.Contains(info, "Str:off ")):
				t.Errorf("%+v: %+v, then %s", c, v, info)
			}
			if got := d.Do("GET", key); got.Kind == '-' {
				t.Errorf("%+v: GET: %+v", c, got)
			}
			d.Close()
		}
	}
}

// TestTrackingGoesOnUnderAnotherProfile: what a node has told another connection it does not tell this one, so that
// everything is in doubt.
func TestTrackingGoesOnUnderAnotherProfile(t *testing.T) {
	p, other, key := trackingPair(t)
	for _, change := range []string{"AUTH default any", "CLIENT TRACKING ON OPTOUT", "HELLO 3 AUTH default any"} {
		d := tracker(t, p)
		d.Do("GET", key)
		d.Say(change + "\r\n")
		heard := map[bool]int{}
		for range 2 { // in either order
			heard[d.Hear() == nullPush]++
		}
		if heard[true] != 1 {
			t.Fatalf("%s: everything is invalidated %d times", change, heard[true])
		}
		d.Do("GET", key)
		other.Do("SET", key, change)
		wantHear(t, d, invalidation(key))
	}
	d := tracker(t, p)
	d.Do("HELLO", "2")
	d.Do("GET", key)
	other.Do("SET", key, "1") // nobody is told
	d.Say("HELLO 3\r\n")
	wantHear(t, d, nullPush)
	d.Hear()
	d.Do("GET", key)
	other.Do("SET", key, "2")
	wantHear(t, d, invalidation(key))
}

// TestTrackingOfWhatIsReadElsewhere: a guarded EXEC and a command that waits do not travel over the session's own lanes, so
// that nobody would tell. What they read is invalidated behind the reply.
func TestTrackingOfWhatIsReadElsewhere(t *testing.T) {
	p, other, key := trackingPair(t)
	d := tracker(t, p)
	for _, line := range []string{"WATCH " + key, "MULTI", "GET " + key, "STRLEN " + key + "2", "SET " + key + "2 v"} {
		if got := d.Ask(line + "\r\n"); got[0] == '-' {
			t.Fatalf("%s: %q", line, got)
		}
	}
	wantHearAfter(t, d, "EXEC", "*3\r\n_\r\n:0\r\n+OK\r\n")
	wantHear(t, d, invalidation(key, key+"2"))

	other.Do("DEL", key)
	d.Say("XREAD BLOCK 0 STREAMS " + key + " 0\r\n") // not $: the node may hear of XADD first
	awaitBlocked(t, other, 1)
	other.Do("XADD", key, "1-1", "f", "v")
	if got := d.Hear(); got[0] != '%' {
		t.Fatalf("XREAD: %q", got)
	}
	wantHear(t, d, invalidation(key))
	wantHearAfter(t, d, "ECHO end", "$3\r\nend\r\n")
}

// TestTrackingIsSeen by others: in CLIENT LIST and INFO.
func TestTrackingIsSeen(t *testing.T) {
	p, other, key := trackingPair(t)
	to := proxytest.Connect(t, p.Addr)
	id := fmt.Sprint(to.Do("CLIENT", "ID").Int)
	d := tracker(t, p, "REDIRECT", id)
	mine := fmt.Sprint(d.Do("CLIENT", "ID").Int)
	line := func() string { return other.Do("CLIENT", "LIST", "ID", mine).Str }
	if got := line(); !strings.Contains(got, " flags=t ") || !strings.Contains(got, " redir="+id+" ") {
		t.Errorf("%s", got)
	}
	if got := other.Do("INFO", "clients").Str; !strings.Contains(got, "\r\ntracking_clients:1\r\n") {
		t.Errorf("%s", got)
	}
	d.Do("GET", key)
	other.Do("CLIENT", "KILL", "ID", id)
	to.WantClosed()
	other.Do("SET", key, "1")
	wantHear(t, d, ">2\r\n$21\r\ntracking-redir-broken\r\n:"+id+"\r\n")
	if got := line(); !strings.Contains(got, " flags=tR ") {
		t.Errorf("%s", got)
	}
	for _, c := range [][2]string{{"OFF", "N"}, {"ON BCAST", "tB"}, {"OFF", "N"}} {
		wantHearAfter(t, d, "CLIENT TRACKING "+c[0], okReply)
		if got := line(); !strings.Contains(got, " flags="+c[1]+" ") {
			t.Errorf("%s: %s", c[0], got)
		}
	}
	if got := line(); !strings.Contains(got, " redir=-1 ") {
		t.Errorf("%s", got)
	}
	if got := other.Do("INFO", "clients").Str; !strings.Contains(got, "\r\ntracking_clients:0\r\n") {
		t.Errorf("%s", got)
	}
}

func wantHearAfter(t *testing.T, d *proxytest.Dialog, line, want string) {
	t.Helper()
	d.Say(line + "\r\n")
	wantHear(t, d, want)
}

// TestTrackingOverlappingPrefixes is answered once, where Redis 7.0 says an error and OK if they are not the first.
func TestTrackingOverlappingPrefixes(t *testing.T) {
	_, other, _ := trackingPair(t)
	other.Do("HELLO", "3")
	const fault = "-ERR Prefix 'foo' overlaps with another provided prefix 'fo'. Prefixes for a single client must not overlap.\r\n"
	wantHearAfter(t, other, "CLIENT TRACKING ON BCAST PREFIX a PREFIX foo PREFIX fo", fault)
	wantHearAfter(t, other, "CLIENT TRACKING ON BCAST PREFIX a PREFIX b", okReply)
}

// TestTrackingInMulti begins between two commands of one unit. What is read behind it is taken for changed.
func TestTrackingInMulti(t *testing.T) {
	_, other, _ := trackingPair(t)
	other.Do("HELLO", "3")
	talk(other, "MULTI", "GET {t}before", "CLIENT TRACKING ON", "GET {t}behind", "CLIENT TRACKINGINFO")
	wantHearAfter(t, other, "EXEC", "*4\r\n_\r\n+OK\r\n_\r\n%3\r\n$5\r\nflags\r\n~1\r\n$2\r\non\r\n$8\r\nredirect\r\n:0\r\n$8\r\nprefixes\r\n*0\r\n")
	wantHear(t, other, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$9\r\n{t}behind\r\n")
	wantHearAfter(t, other, "GET {t}before", "_\r\n")
	wantHearAfter(t, other, "SET {t}before v", okReply)
	wantHear(t, other, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$9\r\n{t}before\r\n")
}

// TestTrackingOfNodeThatIsCutOff: a node that stands still keeps its connections, as one does that something in between has cut off.
// Clients are told that what they have read may have changed, whether they listen over connections that are asked things or not.
func TestTrackingOfNodeThatIsCutOff(t *testing.T) {
	c := redistest.StartCluster(t, redistest.Primaries(1), redistest.Replicas(0))
	cfg := proxytest.Config{Seeds: c.Addrs()}
	cfg.Backend.Pulse = 100 * time.Millisecond
	p := proxytest.Start(t, cfg)
	reads, ear, redirects := tracker(t, p), proxytest.Connect(t, p.Addr), proxytest.Connect(t, p.Addr)
	ear.Do("HELLO", "3")
	if v := redirects.Do("CLIENT", "TRACKING", "ON", "REDIRECT", fmt.Sprint(ear.Do("CLIENT", "ID").Int)); v.Str != "OK" {
		t.Fatalf("CLIENT TRACKING: %+v", v)
	}
	get := func() {
		t.Helper()
		redirects.Do("GET", "k")
		reads.Say(commands("GET k"))
		for reads.Hear() == nullPush { // it comes twice
		}
	}
	get()
	if err := c.Node(0).Stop(); err != nil {
		t.Fatal(err)
	}
	wantHear(t, reads, nullPush)
	wantHear(t, ear, nullPush)
	if err := c.Node(0).Cont(); err != nil {
		t.Fatal(err)
	}
	get()
}
