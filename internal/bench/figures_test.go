package main

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const csvHead = `"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"` + "\n"

func TestParseFigures(t *testing.T) {
	got, err := parseFigures("WARNING: Could not fetch server CONFIG\n"+csvHead+`"MGET a, b","152671.77","0.041","0.016","0.039","0.071","0.103","0.823"`+"\n", "")
	want := figures{perSecond: 152671.77, p50: 39 * time.Microsecond, p99: 103 * time.Microsecond}
	if err != nil || got != want {
		t.Errorf("parseFigures = %+v, %v, want %+v", got, err, want)
	}
	row := `"GET","1","1","1","1","1","1","1"` + "\n"
	for name, outputs := range map[string][2]string{
		"nothing":         {"", ""},
		"head only":       {csvHead, ""},
		"two rows":        {csvHead + row + row, ""},
		"no number":       {csvHead + strings.Replace(row, `"1"`, `"x"`, 1), ""},
		"zero":            {csvHead + strings.Replace(row, `"1"`, `"0"`, 1), ""},
		"error reply":     {csvHead + row, "Error from server: MOVED 1 127.0.0.1:7001\n"},
		"error in stdout": {"Error from server: ERR\n" + csvHead + row, ""},
		"other columns":   {strings.ReplaceAll(csvHead, "p99", "p98") + row, ""},
	} {
		if got, err := parseFigures(outputs[0], outputs[1]); err == nil {
			t.Errorf("%s: %+v, want an error", name, got)
		}
	}
}

func TestListeners(t *testing.T) {
	// 127.0.0.1:8088, 0.0.0.0:8089, 10.0.0.1:8088, an established connection, and in the second table [::]:8090, [::1]:8088
	// and ::ffff:127.0.0.1:8088.
	const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F98 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0 100 0 0 10 0
   1: 00000000:1F99 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 102 1 0 100 0 0 10 0
   2: 0100000A:1F98 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 103 1 0 100 0 0 10 0
   3: 0100007F:1F98 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 104 1 0 100 0 0 10 0
`
	const tcp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F9A 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 201 1 0 100 0 0 10 0
   1: 00000000000000000000000001000000:1F98 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 202 1 0 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:1F98 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 203 1 0 100 0 0 10 0
`
	for _, tt := range []struct {
		ip   string
		port uint16
		want string
	}{
		{"127.0.0.1", 8088, "101 203"}, {"127.0.0.1", 8089, "102"}, {"10.0.0.1", 8088, "103"},
		{"127.0.0.1", 8090, "201"}, {"::1", 8088, "202"}, {"127.0.0.1", 8091, ""}, {"10.0.0.2", 8088, ""},
	} {
		ips := []net.IP{net.ParseIP(tt.ip)}
		got := append(listeners(tcp, ips, tt.port), listeners(tcp6, ips, tt.port)...)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("listeners(%s, %d) = %v, want %s", tt.ip, tt.port, got, tt.want)
		}
	}
}

func TestFindProcesses(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", ":0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		pids, err := findProcesses("localhost:" + port)
		if err != nil || !slices.Contains(pids, os.Getpid()) {
			t.Errorf("findProcesses of %s = %v, %v, want %d", l.Addr(), pids, err, os.Getpid())
		}
		l.Close()
		if pids, err := findProcesses("127.0.0.1:" + port); err == nil {
			t.Errorf("findProcesses of a closed port = %v", pids)
		}
	}
}

func TestParseStat(t *testing.T) {
	const stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 700 50 7 7 20 0 1 0 100 1000 100 18446744073709551615 0\n"
	if got, err := parseStat(stat); err != nil || got != 7500*time.Millisecond {
		t.Errorf("parseStat = %v, %v, want 7.5s", got, err)
	}
	for _, wrong := range []string{"", "42 (a) S 1", strings.Replace(stat, "700", "x", 1)} {
		if _, err := parseStat(wrong); err == nil {
			t.Errorf("parseStat(%q) succeeded", wrong)
		}
	}
}

func TestOwnFigures(t *testing.T) {
	pids := []int{os.Getpid()}
	before, err := cpuTime(pids)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		now, err := cpuTime(pids)
		if err != nil {
			t.Fatal(err)
		}
		if now > before {
			break // this loop is the work
		}
		if time.Now().After(deadline) {
			t.Fatal("no CPU time was counted")
		}
	}
	if bytes, err := memory(pids); err != nil || bytes < 1<<20 {
		t.Errorf("memory = %d, %v", bytes, err)
	}
	if _, err := cpuTime([]int{-1}); err == nil {
		t.Error("the CPU time of no process was read")
	}
}

func TestReport(t *testing.T) {
	turn := func(cpuMicros, perSecond float64) sample {
		return sample{cpu: time.Duration(cpuMicros * 1e3), figures: figures{perSecond: perSecond, p50: 2 * time.Millisecond, p99: 4 * time.Millisecond}}
	}
	a, b := target{name: "a"}, target{name: "b"}
	get, idle := benchCase{name: "GET"}, benchCase{name: "idle", idle: true}
	results := [][]result{
		{{idle, a, []sample{{perIdle: 2048}}}, {idle, b, []sample{{perIdle: 4096}}}},
		{{get, a, []sample{turn(9, 100), turn(5, 300), turn(6, 200)}}, {get, b, []sample{turn(10, 100), turn(14, 100)}}},
	}
	var out strings.Builder
	if err := writeReport(&out, "b", []target{a, b}, results); err != nil {
		t.Fatal(err)
	}
	const want = `
| case | target | CPU µs/request      | / b  | requests/s    | / b  | p50 ms              | / b  | p99 ms              | / b  |
|------|--------|---------------------|------|---------------|------|---------------------|------|---------------------|------|
| GET  | a      | 6.00 (5.00-9.00)    | 0.50 | 200 (100-300) | 2.00 | 2.000 (2.000-2.000) | 1.00 | 4.000 (4.000-4.000) | 1.00 |
| GET  | b      | 12.00 (10.00-14.00) | 1.00 | 100 (100-100) | 1.00 | 2.000 (2.000-2.000) | 1.00 | 4.000 (4.000-4.000) | 1.00 |

| case | target | KiB/idle client | / b  |
|------|--------|-----------------|------|
| idle | a      | 2.00            | 0.50 |
| idle | b      | 4.00            | 1.00 |
`
	if out.String() != want {
		t.Errorf("report:\n%s\nwant:\n%s", out.String(), want)
	}
	out.Reset()
	if err := writeReport(&out, "a", []target{a}, [][]result{results[1][:1]}); err != nil || strings.Contains(out.String(), "/ a") {
		t.Errorf("a report of one target has ratios (%v):\n%s", err, out.String())
	}
}
