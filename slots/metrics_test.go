package slots

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// tableSource is a Source that returns what a test put into it; nil is a failure.
type tableSource struct{ table *Table }

func (s *tableSource) Load(context.Context) (*Table, error) {
	if s.table == nil {
		return nil, errors.New("no table")
	}
	return s.table, nil
}

// scrape returns w's samples by name and label value.
func scrape(t *testing.T, w *Watcher) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(w)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			samples[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return samples
}

func TestMetricsOfTheTopology(t *testing.T) {
	source := &tableSource{}
	w := NewWatcher(source, time.Hour, time.Millisecond)
	check := func(when string, want map[string]float64) {
		t.Helper()
		got := scrape(t, w)
		for name, value := range want {
			if v, found := got["redis_cluster_proxy_topology_"+name]; !found || v != value {
				t.Errorf("%s: %s = %v (%t), want %v", when, name, v, found, value)
			}
		}
	}
	check("at the start", map[string]float64{"age_seconds": math.Inf(1), "slots_covered": 0, "slots_failed": 0, "nodes healthy": 0, "nodes unhealthy": 0,
		"refreshes_total ok": 0, "refreshes_total failed": 0, "changes_total": 0, "moved_slots_total": 0})

	w.load(t.Context(), "test")
	check("after a failure", map[string]float64{"age_seconds": math.Inf(1), "refreshes_total ok": 0, "refreshes_total failed": 1})

	table := NewTable(Hash)
	table.Shards = []*Shard{{Primary: &Node{Addr: "a:1", Healthy: true}, Replicas: []*Node{{Addr: "b:1"}}}, {Primary: &Node{Addr: "d:1"}}, {}}
	for slot := range 100 {
		table.Slot[slot] = 0
	}
	table.Slot[100], table.Slot[101], table.Slot[102] = 1, 1, 2
	source.table = table
	w.load(t.Context(), "test")
	w.Moved(7, "c:1")
	check("after a load", map[string]float64{"slots_covered": 103, "slots_failed": 3, "nodes healthy": 2, "nodes unhealthy": 2,
		"refreshes_total ok": 1, "refreshes_total failed": 1, "changes_total": 1, "moved_slots_total": 1})

	w.mu.Lock()
	w.stats.LastSuccess = time.Now().Add(-time.Minute)
	w.mu.Unlock()
	if age := scrape(t, w)["redis_cluster_proxy_topology_age_seconds"]; age < 60 || age > 120 {
		t.Errorf("age %v s, want about 60", age)
	}
}
