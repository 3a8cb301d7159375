package main

import (
	"errors"
	"flag"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func mustParse(t *testing.T, args ...string) options {
	t.Helper()
	o, err := parse(args, io.Discard)
	if err != nil {
		t.Fatalf("parse(%q): %v", args, err)
	}
	return o
}

// defaults is what README promises.
func defaults() options {
	return options{
		Listen:                  []listenAddr{{"tcp", "0.0.0.0:8088"}},
		MaxClients:              10000,
		ClientOutputBufferLimit: 1 << 30,
		ProtoMaxBulkLen:         512 << 20,
		MaxMergedBytes:          512 << 20,
		SlowerThan:              10 * time.Millisecond,
		SlowlogMaxLen:           128,
		ShutdownTimeout:         10 * time.Second,
		StartupNodes:            []string{"127.0.0.1:7001"},
		ConnectTimeout:          3 * time.Second,
		SlotsReloadInterval:     3 * time.Second,
		BackendIdleConnections:  5,
		BackendMaxLeases:        8000,
		ReadYourWrites:          time.Second,
		MaxRedirects:            8,
		RedirectTimeout:         5 * time.Second,
		ClusterEmulation:        true,
	}
}

func TestDefaults(t *testing.T) {
	if got := mustParse(t); !reflect.DeepEqual(got, defaults()) {
		t.Errorf("parse() =\n%+v, want\n%+v", got, defaults())
	}
}

func TestRightValues(t *testing.T) {
	tcp := func(addrs ...string) (list []listenAddr) {
		for _, a := range addrs {
			list = append(list, listenAddr{"tcp", a})
		}
		return list
	}
	tests := []struct {
		args   string
		change func(*options)
	}{
		{"-addr 127.0.0.1:1", func(o *options) { o.Listen = tcp("127.0.0.1:1") }},
		{"-addr :8088", func(o *options) { o.Listen = tcp(":8088") }},
		{"-addr=localhost:0,[::1]:8088", func(o *options) { o.Listen = tcp("localhost:0", "[::1]:8088") }},
		{"-addr 1.2.3.4:5,1.2.3.4:05", func(o *options) { o.Listen = tcp("1.2.3.4:5") }},
		{"-addr unix:/run/r.sock,:9", func(o *options) {
			o.Listen = append([]listenAddr{{"unix", "/run/r.sock"}}, tcp(":9")...)
		}},
		{"--startup-nodes a.example:1,[fe80::1%eth0]:2,10.0.0.1:3,a.example:1", func(o *options) {
			o.StartupNodes = []string{"a.example:1", "[fe80::1%eth0]:2", "10.0.0.1:3"}
		}},
		{"-user u -password p,w", func(o *options) { o.User, o.Password = "u", "p,w" }},
		{"-connect-timeout 250ms -request-timeout 1m", func(o *options) {
			o.ConnectTimeout, o.RequestTimeout = 250*time.Millisecond, time.Minute
		}},
		{"-slots-reload-interval 1h -shutdown-timeout 0", func(o *options) {
			o.SlotsReloadInterval, o.ShutdownTimeout = time.Hour, 0
		}},
		{"-backend-connections 4 -backend-idle-connections 0 -backend-max-leases 7 -max-procs 3", func(o *options) {
			o.BackendConnections, o.BackendIdleConnections, o.BackendMaxLeases, o.MaxProcs = 4, 0, 7, 3
		}},
		{"-max-clients 0 -require-auth", func(o *options) { o.MaxClients, o.RequireAuth = 0, true }},
		{"-require-auth=false", func(*options) {}},
		{"-client-output-buffer-limit 0 -proto-max-bulk-len 1mb", func(o *options) {
			o.ClientOutputBufferLimit, o.ProtoMaxBulkLen = 0, 1<<20
		}},
		{"-client-timeout 5m -slowlog-log-slower-than 0 -slowlog-max-len 0", func(o *options) {
			o.ClientTimeout, o.SlowerThan, o.SlowlogMaxLen = 5*time.Minute, 0, 0
		}},
		{"-slowlog-log-slower-than OFF", func(o *options) { o.SlowerThan = -1 }},
		{"-read-your-writes 0s -max-redirects 0 -redirect-timeout 0", func(o *options) {
			o.ReadYourWrites, o.MaxRedirects, o.RedirectTimeout = 0, 0, 0
		}},
		{"-idc 10.1.2.3/16,192.168.0.7,fd00::/8", func(o *options) {
			o.IDC = []netip.Prefix{
				netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("192.168.0.7/32"), netip.MustParsePrefix("fd00::/8"),
			}
		}},
		{"-cross-slot split", func(*options) {}},
		{"-cross-slot REJECT", func(o *options) { o.CrossSlot = crossSlotReject }},
		{"-cross-slot all", func(o *options) { o.CrossSlot = crossSlotAll }},
		{"-retry-writes off", func(*options) {}},
		{"-retry-writes idempotent", func(o *options) { o.RetryWrites = retryWritesIdempotent }},
		{"-debug-addr 127.0.0.1:8089", func(o *options) { o.DebugAddr = "127.0.0.1:8089" }},
		{"-debug-addr :0", func(o *options) { o.DebugAddr = ":0" }},
		{"-check :8089", func(o *options) { o.Check = ":8089" }},
		{"-cluster-emulation off", func(o *options) { o.ClusterEmulation = false }},
		{"-cluster-emulation On", func(*options) {}},
		{"-announce-addr redis.example:6379", func(o *options) { o.AnnounceAddr = "redis.example:6379" }},
		{"-announce-addr [2001:db8::1]:06379", func(o *options) { o.AnnounceAddr = "[2001:db8::1]:6379" }},
		{"-admin-commands debug,BGSAVE,cluster|reset,_ft.debug", func(o *options) {
			o.AdminCommands = []string{"debug", "bgsave", "cluster|reset", "_ft.debug"}
		}},
		{"-admin-commands all", func(o *options) { o.AdminCommands = []string{"all"} }},
		{"-admin-commands debug|sleep,debug|object", func(o *options) { o.AdminCommands = []string{"debug|sleep", "debug|object"} }},
		{"-version", func(o *options) { o.Version = true }},
	}
	for _, tt := range tests {
		want := defaults()
		tt.change(&want)
		if got := mustParse(t, strings.Fields(tt.args)...); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, want\n%+v", tt.args, got, want)
		}
	}
}

func TestReadPreferNames(t *testing.T) {
	for want, names := range map[readPrefer]string{
		readPrimary:    "0 primary master READ_PREFER_MASTER Master",
		readReplica:    "1 replica slave READ_PREFER_SLAVE",
		readReplicaIDC: "2 replica-idc slave-idc READ_PREFER_SLAVE_IDC",
	} {
		for name := range strings.FieldsSeq(names) {
			if got := mustParse(t, "-read-prefer", name).ReadPrefer; got != want {
				t.Errorf("-read-prefer %s = %v, want %v", name, got, want)
			}
		}
	}
}

// TestWrongValues checks that each mistake is told in one line that names the flag.
func TestWrongValues(t *testing.T) {
	tests := map[string]string{ // flag: wrong values, separated by |
		"addr":                       "|8088|host|1.2.3.4:|1.2.3.4:x|1.2.3.4:70000|::1:80|a,|:1,,:2|unix:|a b:1|1.2.3.4:-1|tcp:/x:1:2",
		"startup-nodes":              "|10.0.0.1|:7001|h:0|h:99999|h:http|h:1,|,h:1|::1:7001|unix:/x",
		"debug-addr":                 "8089|h:x|unix:/x",
		"connect-timeout":            "|3|0s|-1s|soon|100us",
		"request-timeout":            "-1s|5",
		"shutdown-timeout":           "-1ns|x",
		"slots-reload-interval":      "0|-3s|3",
		"read-your-writes":           "-1s|yes",
		"redirect-timeout":           "-1s|1",
		"max-procs":                  "|-1|x|1.5|99999999999",
		"max-clients":                "-1|many|10k",
		"max-redirects":              "-1|0x8",
		"backend-connections":        "-1|auto",
		"backend-idle-connections":   "-1|x",
		"backend-max-leases":         "-1|x",
		"client-output-buffer-limit": "|-1|64 mb|mb|1tb|1.5mb|9223372036854775807kb",
		"proto-max-bulk-len":         "0|1023kb|-1|x",
		"max-merged-bytes":           "0|1023kb|-1|x",
		"client-timeout":             "-1s|5|x",
		"slowlog-log-slower-than":    "-1s|5|x|on",
		"slowlog-max-len":            "-1|x",
		"read-prefer":                "|3|-1|replicas|READ_PREFER",
		"cross-slot":                 "|no|0",
		"retry-writes":               "|on|all|true",
		"idc":                        "10.0|10.0.0.0/33|home|10.0.0.0/8,|10.0.0.1:80",
		"require-auth":               "2|x",
		"cluster-emulation":          "|yes|1|x",
		"announce-addr":              "6379|:6379|h:0|h:x|h:70000|unix:/x|h:1,h:2",
		"admin-commands":             "nosuch|debug,|debug,,save|everything",
		"check":                      "8089|h:x|unix:/x",
		"password-file":              "/no/such/file|/dev/null|/",
		"version":                    "x",
		"v":                          "x",
		"vmodule":                    "a|a=b",
		"logtostderr":                "x",
	}
	for name, values := range tests {
		for value := range strings.SplitSeq(values, "|") {
			arg := "-" + name + "=" + value
			_, err := parse([]string{arg}, io.Discard)
			if err == nil {
				t.Errorf("%s was accepted", arg)
				continue
			}
			if text := err.Error(); !strings.Contains(text, "-"+name) || strings.Contains(text, "\n") {
				t.Errorf("%s: %q is not one line that names the flag", arg, text)
			}
		}
	}
}

func TestWrongArguments(t *testing.T) {
	tests := []struct {
		args     []string
		contains string
	}{
		{[]string{"-no-such-flag"}, "-no-such-flag"},
		{[]string{"stray"}, `"stray"`},
		{[]string{"-require-auth", "false"}, `"false"`},
		{[]string{"-max-clients", "5", "stray", "-version"}, `"stray"`},
		{[]string{"--", "-version"}, `"-version"`},
		{[]string{"-addr"}, "-addr"},
		{[]string{"-user"}, "-user"},
		{[]string{"-addr=a\nb"}, "-addr"},
		{[]string{"-user", "alice"}, "-user needs -password"},
		{[]string{"-password", "x", "-password-file", "/dev/null"}, "-password-file"},
	}
	for _, tt := range tests {
		_, err := parse(tt.args, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.contains) || strings.Contains(err.Error(), "\n") {
			t.Errorf("parse(%q) = %v, want one line with %s", tt.args, err, tt.contains)
		}
	}
}

func TestHelpListsEveryFlag(t *testing.T) {
	var out strings.Builder
	if _, err := parse([]string{"-help"}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("parse(-help) = %v", err)
	}
	for name := range strings.FieldsSeq(`addr startup-nodes password password-file check user connect-timeout slots-reload-interval
		backend-idle-connections backend-max-leases read-prefer debug-addr max-procs backend-connections max-redirects redirect-timeout
		cross-slot retry-writes read-your-writes idc shutdown-timeout require-auth request-timeout
		client-output-buffer-limit client-timeout cluster-emulation announce-addr admin-commands max-clients max-merged-bytes proto-max-bulk-len version
		slowlog-log-slower-than slowlog-max-len
		v vmodule logtostderr alsologtostderr stderrthreshold log_dir log_backtrace_at`) {
		if !strings.Contains(out.String(), "\n  -"+name+" ") && !strings.Contains(out.String(), "\n  -"+name+"\n") {
			t.Errorf("-help does not list -%s", name)
		}
	}
	if strings.Contains(out.String(), "-test.") {
		t.Error("-help lists the flags of package testing")
	}
}

func TestLanes(t *testing.T) {
	for _, tt := range []struct{ connections, procs, want int }{
		{0, 1, 1}, {0, 2, 1}, {0, 3, 1}, {0, 4, 2}, {0, 32, 16}, {7, 2, 7},
	} {
		o := options{BackendConnections: tt.connections}
		if got := o.lanes(tt.procs); got != tt.want {
			t.Errorf("lanes(%d) with -backend-connections %d = %d, want %d", tt.procs, tt.connections, got, tt.want)
		}
	}
}

func TestChoicesSayWhatTheyParse(t *testing.T) {
	for _, c := range []readPrefer{readPrimary, readReplica, readReplicaIDC} {
		if got, err := parseReadPrefer(c.String()); err != nil || got != c {
			t.Errorf("parseReadPrefer(%q) = %v, %v", c.String(), got, err)
		}
	}
	for _, a := range []string{"unix:/run/x", "[::1]:80"} {
		if l, err := parseListenAddrs(a); err != nil || l[0].String() != a {
			t.Errorf("parseListenAddrs(%q) = %v, %v", a, l, err)
		}
	}
}
