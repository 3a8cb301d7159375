package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"redis-cluster-proxy/internal/redistest"
)

const metricsDoc = "../../docs/metrics.md"

var (
	metricName = regexp.MustCompile(`redis_cluster_proxy_[a-z_]+`)
	docRow     = regexp.MustCompile("(?m)^\\| `(redis_cluster_proxy_[a-z_]+)` \\| ([a-z]+) \\|([^|]*)\\| (.+) \\|$")
)

// TestMetricsAreDocumented compares the tables of the document with what is collected once there was traffic.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(metricsDoc)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	documented := map[string]string{} // name: type and labels
	for _, row := range docRow.FindAllStringSubmatch(doc, -1) {
		if documented[row[1]] != "" {
			t.Errorf("%s has two rows", row[1])
		}
		documented[row[1]] = strings.TrimSpace(row[2] + " " + strings.TrimSpace(row[3]))
	}

	r := serveRooms(t, redistest.StartFakeCluster(t))
	if v := connect(t, r).do("GET", "key"); !v.Null {
		t.Errorf("GET = %+v", v)
	}
	families, err := newScraper(t, r).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		is := strings.TrimSpace(strings.ToLower(f.GetType().String()) + " " + strings.Join(labels, ", "))
		if says := documented[f.GetName()]; says != is {
			t.Errorf("%s is %q, the document says %q", f.GetName(), is, says)
		}
		delete(documented, f.GetName())
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() != "node" && !strings.Contains(doc, "`"+l.GetValue()+"`") {
					t.Errorf("the document does not know %s=%q of %s", l.GetName(), l.GetValue(), f.GetName())
				}
			}
		}
	}
	for name := range documented {
		t.Errorf("%s is in the document and was not collected", name)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("promlint: %s: %s", p.Metric, p.Text)
	}
	checkNames(t, r, doc)
}

// checkNames compares the names that the document uses anywhere, as in its alerts, with those that are described.
func checkNames(t *testing.T, r *rooms, doc string) {
	t.Helper()
	descs := make(chan *prometheus.Desc)
	go describe(descs, r.server, r.dispatcher, r.pool, r.watcher)
	var described []string
	for d := range descs {
		name := metricName.FindString(fmt.Sprint(d))
		if !strings.Contains(doc, "| `"+name+"` |") {
			t.Errorf("%s is described and has no row in the document", name)
		}
		described = append(described, name)
	}
	for _, name := range metricName.FindAllString(doc, -1) {
		if !slices.Contains(described, strings.TrimSuffix(name, "_bucket")) {
			t.Errorf("the document speaks of %s, which does not exist", name)
		}
	}
	if n := strings.Count(doc, "- alert: "); n != 5 {
		t.Errorf("%d alerts, want the five that are promised", n)
	}
}

func describe(ch chan<- *prometheus.Desc, collectors ...prometheus.Collector) {
	for _, c := range collectors {
		c.Describe(ch)
	}
	close(ch)
}
