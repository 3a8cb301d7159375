package main

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// scraper scrapes the rooms' metrics and nothing else.
type scraper struct {
	t        *testing.T
	registry *prometheus.Registry
}

// newScraper registers r with a registry that checks that what is collected was described.
func newScraper(t *testing.T, r *rooms) scraper {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	r.register(registry)
	return scraper{t, registry}
}

// scrape returns the samples by name and labels, name{label="value"}; of histograms the counts and the sums.
func (s scraper) scrape() map[string]float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	samples := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name, suffix := family.GetName(), ""
			if len(labels) > 0 {
				suffix = "{" + strings.Join(labels, ",") + "}"
			}
			switch {
			case m.GetHistogram() != nil:
				samples[name+"_count"+suffix] = float64(m.GetHistogram().GetSampleCount())
				samples[name+"_sum"+suffix] = m.GetHistogram().GetSampleSum()
			case m.GetCounter() != nil:
				samples[name+suffix] = m.GetCounter().GetValue()
			default:
				samples[name+suffix] = m.GetGauge().GetValue()
			}
		}
	}
	return samples
}

// difference says where samples are not what want says of them; nil if they are.
func difference(samples, want map[string]float64) error {
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		full := "redis_cluster_proxy_" + name
		if got, found := samples[full]; !found {
			wrong = append(wrong, fmt.Sprintf("%s is missing", full))
		} else if got != want[name] {
			wrong = append(wrong, fmt.Sprintf("%s = %v, want %v", full, got, want[name]))
		}
	}
	if wrong == nil {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(wrong, "\n"))
}

// keyAt returns a key, not one of those to avoid, that node serves, with a slot of its own.
func keyAt(c *redistest.FakeCluster, node *redistest.FakeNode, avoid ...string) string {
	for i := 0; ; i++ {
		key := fmt.Sprintf("key:%d", i)
		if c.OwnerOf(redistest.Slot(key)) == node && !slices.Contains(avoid, key) {
			return key
		}
	}
}

// rarely keeps the topology from being loaded other than because of what a test does.
var rarely = []string{"-slots-reload-interval", "1h"}

func TestMetricsOfPlainTraffic(t *testing.T) {
	c := redistest.StartFakeCluster(t, redistest.Replicas(1))
	r := serveRooms(t, c, rarely...)
	s := newScraper(t, r)
	if err := difference(s.scrape(), map[string]float64{
		"clients": 0, "clients_accepted_total": 0, `requests_total{family="string"}`: 0, `error_replies_total{family="other"}`: 0,
		"request_duration_seconds_count": 0, "node_duration_seconds_sum": 0,
		`topology_refreshes_total{result="ok"}`: 1, `topology_refreshes_total{result="failed"}`: 0, "topology_changes_total": 1,
		"topology_slots_covered": 16384, "topology_slots_failed": 0, `topology_nodes{health="healthy"}`: 6, `topology_nodes{health="unhealthy"}`: 0,
	}); err != nil {
		t.Error(err)
	}

	first, second := c.Primaries()[0], c.Primaries()[1]
	a, b := keyAt(c, first), keyAt(c, second)
	alice, bob := connect(t, r), connect(t, r)
	for range 3 {
		alice.do("SET", a, "x")
		bob.do("GET", b)
	}
	if v := alice.do("INCR", a); v.Kind != '-' {
		t.Errorf("INCR of a word = %+v", v)
	}
	if v := alice.do("DEL", a, b); v.Int != 1 { // split
		t.Errorf("DEL = %+v", v)
	}
	alice.do("CLIENT", "ID")
	alice.do("NOSUCHCOMMAND")
	bob.nc.Close()

	var samples map[string]float64
	eventually(t, func() error {
		samples = s.scrape()
		return difference(samples, map[string]float64{"clients": 1})
	})
	if err := difference(samples, map[string]float64{
		"clients_accepted_total": 2, "clients_refused_total": 0, "clients_closed_unread_total": 0,
		// Bob's are counted although he has left.
		`requests_total{family="string"}`: 7, `requests_total{family="generic"}`: 1, `requests_total{family="connection"}`: 1,
		`requests_total{family="other"}`:       0,
		`error_replies_total{family="string"}`: 1, `error_replies_total{family="other"}`: 1, `error_replies_total{family="generic"}`: 0,
		"split_requests_total": 1, "retries_total": 0, "unknown_results_total": 0, `redirects_total{kind="moved"}`: 0,
		"request_duration_seconds_count": 9, "node_duration_seconds_count": 9,
		node("replies_total", first): 5, node("error_replies_total", first): 1, node("replies_total", second): 4,
		node("connections", first): 1, node("connects_total", first): 1, node("in_flight_requests", first): 0,
		node("connections", second): 1, node("connects_total", second): 1, node("in_flight_requests", second): 0,
	}); err != nil {
		t.Error(err)
	}
	total, inNodes := samples["redis_cluster_proxy_request_duration_seconds_sum"], samples["redis_cluster_proxy_node_duration_seconds_sum"]
	if inNodes <= 0 || total < inNodes || total > patience.Seconds() {
		t.Errorf("durations: total %v s, nodes %v s", total, inNodes)
	}
	if age := samples["redis_cluster_proxy_topology_age_seconds"]; age <= 0 || age > patience.Seconds() {
		t.Errorf("age of the topology: %v s", age)
	}
}

// node is the name of a sample of n.
func node(name string, n *redistest.FakeNode) string {
	return fmt.Sprintf("node_%s{node=%q}", name, n.Addr)
}

func TestMetricsOfRedirects(t *testing.T) {
	c := redistest.StartFakeCluster(t, redistest.Replicas(0))
	r := serveRooms(t, c, rarely...)
	s := newScraper(t, r)
	first, second := c.Primaries()[0], c.Primaries()[1]
	moves := keyAt(c, first)
	asks := keyAt(c, first, moves)
	alice := connect(t, r)
	alice.do("SET", moves, "m")
	alice.do("SET", asks, "a")

	c.BeginMigrate(redistest.Slot(asks), second)
	if !c.MigrateKey(asks) {
		t.Fatal("nothing to migrate")
	}
	if v := alice.do("GET", asks); v.Str != "a" {
		t.Errorf("GET = %+v", v)
	}
	if err := difference(s.scrape(), map[string]float64{`redirects_total{kind="ask"}`: 1, `redirects_total{kind="moved"}`: 0,
		"retries_total": 1, "topology_moved_slots_total": 0, `topology_refreshes_total{result="ok"}`: 1}); err != nil {
		t.Error(err)
	}

	c.MoveSlot(redistest.Slot(moves), second, nil)
	if v := alice.do("GET", moves); v.Str != "m" {
		t.Errorf("GET = %+v", v)
	}
	eventually(t, func() error {
		return difference(s.scrape(), map[string]float64{`redirects_total{kind="ask"}`: 1, `redirects_total{kind="moved"}`: 1,
			"retries_total": 2, "topology_moved_slots_total": 1, `topology_refreshes_total{result="ok"}`: 2,
			"request_duration_seconds_count": 6, node("error_replies_total", first): 2})
	})

	first.FailNext(1, redistest.ErrorTryAgain)
	stays := keyAt(c, first, moves, asks)
	if v := alice.do("SET", stays, "s"); v.Str != "OK" {
		t.Errorf("SET = %+v", v)
	}
	if err := difference(s.scrape(), map[string]float64{`redirects_total{kind="tryagain"}`: 1, "retries_total": 3,
		`error_replies_total{family="string"}`: 0}); err != nil {
		t.Error(err)
	}
}

func TestMetricsOfLostNodes(t *testing.T) {
	c := redistest.StartFakeCluster(t, redistest.Replicas(0))
	r := serveRooms(t, c, "-slots-reload-interval", "1h", "-request-timeout", "500ms")
	s := newScraper(t, r)
	first, second := c.Primaries()[0], c.Primaries()[1]
	a, b := keyAt(c, first), keyAt(c, second)
	alice := connect(t, r)

	first.Intercept(func(r redistest.Request) redistest.Verdict {
		return redistest.Verdict{CutAfter: r.Args[0] == "SET"}
	})
	if v := alice.do("SET", a, "x"); !strings.HasPrefix(v.Str, "UNKNOWNRESULT") {
		t.Errorf("SET = %+v", v)
	}
	if err := difference(s.scrape(), map[string]float64{"unknown_results_total": 1, `error_replies_total{family="string"}`: 1,
		node("connects_total", first): 1, node("connections", first): 0, node("connection_losses_total", first): 1,
		node("replies_total", first): 0, "retries_total": 0}); err != nil {
		t.Error(err)
	}

	second.HoldReplies()
	if v := alice.do("GET", b); !strings.HasPrefix(v.Str, "ERR no reply") {
		t.Errorf("GET = %+v", v)
	}
	if err := difference(s.scrape(), map[string]float64{node("timeouts_total", second): 1, node("in_flight_requests", second): 1,
		node("connections", second): 1, "unknown_results_total": 1}); err != nil {
		t.Error(err)
	}
	second.ReleaseReplies()
	eventually(t, func() error { return difference(s.scrape(), map[string]float64{node("in_flight_requests", second): 0}) })

	var failed float64
	for slot := range uint16(16384) {
		if c.OwnerOf(slot) == second {
			failed++
		}
	}
	second.Kill()
	alice.send(resp.AppendCommand(nil, "GET", b))
	eventually(t, func() error {
		samples := s.scrape()
		// Whether a connection is attempted before the topology calls the node failed is a matter of chance.
		if samples[`redis_cluster_proxy_redirects_total{kind="lost"}`] == 0 {
			return fmt.Errorf("no failure counted: %v", samples)
		}
		return difference(samples, map[string]float64{node("connection_losses_total", second): 1,
			"topology_slots_covered": 16384, "topology_slots_failed": failed,
			`topology_nodes{health="unhealthy"}`: 1, `topology_nodes{health="healthy"}`: 2})
	})
	if err := second.Revive(); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.receive(); err != nil {
		t.Error(err)
	}
}

func TestMetricsOfUnwantedClients(t *testing.T) {
	c := redistest.StartFakeCluster(t, redistest.Replicas(0))
	r := serveRooms(t, c, "-max-clients", "1", "-client-output-buffer-limit", "1mb")
	s := newScraper(t, r)
	alice := connect(t, r)
	alice.do("SET", "key", strings.Repeat("x", 1<<20))
	connect(t, r).closed()
	eventually(t, func() error {
		return difference(s.scrape(), map[string]float64{"clients": 1, "clients_accepted_total": 2, "clients_refused_total": 1})
	})

	if err := alice.nc.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil { // or it would take much of what she does not read
		t.Fatal(err)
	}
	var wire []byte
	for range 24 {
		wire = resp.AppendCommand(wire, "GET", "key")
	}
	alice.send(wire)
	eventually(t, func() error {
		return difference(s.scrape(), map[string]float64{"clients": 0, "clients_refused_total": 1, "clients_closed_unread_total": 1})
	})
}
