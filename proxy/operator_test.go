package proxy_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txt with what happens now")

// anonymousNodes gives the nodes of the shared cluster names: P1 is the first primary, R1 its replica.
func anonymousNodes(t *testing.T, text string) string {
	for i, n := range cluster.Get(t).Nodes() {
		name := fmt.Sprintf("P%d", i+1)
		if i >= 3 {
			name = fmt.Sprintf("R%d", i-2)
		}
		text = strings.ReplaceAll(strings.ReplaceAll(text, n.Addr, name), n.ID, "id-of-"+name)
	}
	return text
}

// linesOf are the elements of a reply of simple strings.
func linesOf(t *testing.T, v resp.Value) string {
	t.Helper()
	if v.Kind != '*' {
		t.Fatalf("%+v is no array", v)
	}
	var b strings.Builder
	for _, e := range v.Elems {
		if e.Kind != '+' {
			t.Errorf("%+v is no simple string", e)
		}
		fmt.Fprintln(&b, e.Str)
	}
	return b.String()
}

// TestExplain compares testdata/explain.txt: a line "> setting" starts another proxy, a line "$ command" is explained, and
// the lines below it are what the proxy says. With -update they are written instead.
func TestExplain(t *testing.T) {
	const file = "testdata/explain.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	var d *proxytest.Dialog
	explained := 0
	for line := range strings.SplitSeq(strings.TrimSuffix(string(want), "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "> "):
			d = proxytest.Connect(t, start(t, explainConfig(t, line[2:])).Addr)
			fmt.Fprintln(&got, line)
		case strings.HasPrefix(line, "$ "):
			explained++
			answer := linesOf(t, d.Do(append([]string{"PROXY", "EXPLAIN"}, strings.Fields(line[2:])...)...))
			fmt.Fprintf(&got, "%s\n%s", line, anonymousNodes(t, answer))
		case line == "" || strings.HasPrefix(line, "#"):
			fmt.Fprintln(&got, line)
		}
	}
	if explained < 12 {
		t.Errorf("only %d commands are explained", explained)
	}
	if got.String() == string(want) {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Errorf("%s is not what happens now, which is:\n%s", file, got.String())
}

// explainConfig reads settings like "read-prefer=replica cross-slot=reject".
func explainConfig(t *testing.T, settings string) (cfg proxytest.Config) {
	t.Helper()
	for word := range strings.FieldsSeq(settings) {
		switch word {
		case "default":
		case "read-prefer=replica":
			cfg.Dispatcher.ReadPrefer = dispatcher.PreferReplica
		case "cross-slot=reject":
			cfg.Dispatcher.RejectCrossSlot = true
		case "retry-writes=idempotent":
			cfg.Dispatcher.RetryIdempotent = true
		case "cluster-emulation=off":
			cfg.Proxy.NoClusterEmulation = true
		case "admin-commands=all":
			cfg.Proxy.AdminCommands = []string{"all"}
		default:
			t.Fatalf("no setting %q", word)
		}
	}
	return cfg
}

func TestTopology(t *testing.T) {
	d := connect(t)
	got := anonymousNodes(t, linesOf(t, d.Do("PROXY", "TOPOLOGY")))
	got = regexp.MustCompile(`epoch \d+, (.*), loaded \S+ ago`).ReplaceAllString(got, "epoch N, $1, loaded T ago")
	want := "epoch N, 16384 of 16384 slots covered, loaded T ago, read preference primary\n" +
		"primary P1 id-of-P1, slots 0-5460\n    replica R1 id-of-R1\n" +
		"primary P2 id-of-P2, slots 5461-10921\n    replica R2 id-of-R2\n" +
		"primary P3 id-of-P3, slots 10922-16383\n    replica R3 id-of-R3\n"
	if got != want {
		t.Errorf("PROXY TOPOLOGY says\n%swant\n%s", got, want)
	}
}

func TestRefresh(t *testing.T) {
	cfg := proxytest.Config{ReloadInterval: time.Hour}
	p := start(t, cfg)
	before := p.Watcher.Table()
	d := proxytest.Connect(t, p.Addr)
	if v := d.Do("PROXY", "REFRESH"); v.Str != "OK" {
		t.Errorf("PROXY REFRESH says %+v", v)
	}
	eventually(t, "another load of the topology", func() bool { return p.Watcher.Table().Loaded.After(before.Loaded) })
	if told, is := p.Dispatcher.Layout().Loaded, p.Watcher.Table().Loaded; !told.Equal(is) {
		t.Errorf("PROXY TOPOLOGY speaks of the load at %v, the latest was at %v", told, is)
	}
}

// TestProxyCommandIsHidden: no server has it, so COMMAND must not tell of it; but it words its errors as Redis does.
func TestProxyCommandIsHidden(t *testing.T) {
	d := connect(t)
	for _, row := range clusterRows(t, d) {
		if strings.HasPrefix(row.words[0], "proxy") {
			t.Errorf("COMMAND has %q", row.words)
		}
	}
	for line, want := range map[string]string{
		"PROXY":                "ERR wrong number of arguments for 'proxy' command",
		"PROXY NOSUCH":         "ERR unknown subcommand 'NOSUCH'. Try PROXY HELP.",
		"proxy explain":        "ERR wrong number of arguments for 'proxy|explain' command",
		"PROXY TOPOLOGY x":     "ERR wrong number of arguments for 'proxy|topology' command",
		"PROXY REFRESH please": "ERR wrong number of arguments for 'proxy|refresh' command",
	} {
		if v := d.Do(strings.Fields(line)...); v.Kind != '-' || v.Str != want {
			t.Errorf("%s: %+v, want %s", line, v, want)
		}
	}
	help := linesOf(t, d.Do("PROXY", "HELP"))
	if !strings.HasPrefix(help, "PROXY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\nEXPLAIN ") ||
		!strings.HasSuffix(help, "\nHELP\n    Prints this help.\n") {
		t.Errorf("PROXY HELP says %s", help)
	}
}

func TestProxyCommandNeedsAuth(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.RequireAuth = true
	d := proxytest.Connect(t, start(t, cfg).Addr)
	for _, line := range []string{"PROXY TOPOLOGY", "PROXY EXPLAIN GET x", "PROXY HELP"} {
		if v := d.Do(strings.Fields(line)...); v.Kind != '-' || v.Str != "NOAUTH Authentication required." {
			t.Errorf("%s: %+v", line, v)
		}
	}
}
