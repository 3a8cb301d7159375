package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// TestValuesAreAtTheirNodes sets through the proxy and reads at the node that owns the slot, and the other way round.
func TestValuesAreAtTheirNodes(t *testing.T) {
	c, ctx := cluster.Get(t), testContext(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	seen := map[string]int{}
	for i := range 120 {
		if i == 60 {
			d.Do("HELLO", "3")
		}
		key := []string{"key:%d", "{tag:%d}:x", "x{tag:%d}y{z}", "{}%d", "\x00\xff\r\n%d", "}{%d"}[i%6]
		key = fmt.Sprintf(key, i)
		owner := c.OwnerOf(redistest.Slot(key))
		seen[owner.Addr]++
		there, back := "there "+strconv.Itoa(i), "back "+strconv.Itoa(i)
		if v := d.Do("SET", key, there); v.Str != "OK" {
			t.Fatalf("SET %q: %+v", key, v)
		}
		if got, err := owner.Client().Get(ctx, key).Result(); err != nil || got != there {
			t.Errorf("%q at its owner: %q, %v", key, got, err)
		}
		if err := owner.Client().Set(ctx, key, back, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if v := d.Do("GET", key); v.Str != back {
			t.Errorf("GET %q: %+v, want %q", key, v, back)
		}
		if v := d.Do("DEL", key); v.Int != 1 {
			t.Errorf("DEL %q: %+v", key, v)
		}
		if n, err := owner.Client().Exists(ctx, key).Result(); err != nil || n != 0 {
			t.Errorf("%q at its owner after DEL: %d, %v", key, n, err)
		}
	}
	if len(seen) != 3 {
		t.Errorf("keys went to %v, want three primaries", seen)
	}
}

// calls returns how often a node has executed a command, by its INFO commandstats. Replication counts.
func calls(t *testing.T, n *redistest.Node, command string) int {
	t.Helper()
	info, err := n.Client().Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(info, "cmdstat_"+command+":calls=")
	if !found {
		return 0
	}
	number, _, _ := strings.Cut(rest, ",")
	count, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// nodeCalls returns the calls of a command by node since it was last given to it.
type nodeCalls map[*redistest.Node]int

func (nc nodeCalls) since(t *testing.T, c *redistest.Cluster, command string) map[*redistest.Node]int {
	t.Helper()
	more := map[*redistest.Node]int{}
	for _, n := range c.Nodes() {
		now := calls(t, n, command)
		more[n] = now - nc[n]
		nc[n] = now
	}
	return more
}

// setEverywhere sets keys over all slots and waits until the replicas have them.
func setEverywhere(t *testing.T, c *redistest.Cluster, d *proxytest.Dialog, prefix string, n int) (keys []string) {
	t.Helper()
	for i := range n {
		keys = append(keys, prefix+strconv.Itoa(i))
		if v := d.Do("SET", keys[i], keys[i]); v.Str != "OK" {
			t.Fatalf("SET: %+v", v)
		}
	}
	for _, primary := range c.Primaries() {
		offset := replicationField(t, primary, "master_repl_offset")
		for _, r := range c.ReplicasOf(primary) {
			eventually(t, "replica "+r.Addr+" has all keys", func() bool { return replicationField(t, r, "slave_repl_offset") >= offset })
		}
	}
	return keys
}

// replicationField returns a number of the node's INFO replication.
func replicationField(t *testing.T, n *redistest.Node, name string) int {
	t.Helper()
	info, err := n.Client().Info(t.Context(), "replication").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(info, "\r\n"+name+":")
	number, _, _ := strings.Cut(rest, "\r\n")
	value, err := strconv.Atoi(number)
	if err != nil {
		t.Fatalf("%s has %s:%q", n.Addr, name, number)
	}
	return value
}

// readsByNode gets the keys, which are their own values, and returns how many reads each node has answered. A node that says
// nothing for half a second is avoided for a while, however healthy: so what is not right is tried again until nothing of that kind
// has happened.
func readsByNode(t *testing.T, c *redistest.Cluster, d *proxytest.Dialog, keys []string, right func(more map[*redistest.Node]int) bool) map[*redistest.Node]int {
	t.Helper()
	const slow, avoided, tries = 250 * time.Millisecond, 3 * time.Second, 20
	read := func(key string) (took time.Duration) {
		begin := time.Now()
		if v := d.Do("GET", key); v.Str != key {
			t.Errorf("GET %s: %+v", key, v)
		}
		return time.Since(begin)
	}
	calm := false // what was before is not known
	for range tries {
		stats := nodeCalls{}
		stats.since(t, c, "get")
		for _, key := range keys {
			calm = read(key) < slow && calm
		}
		more := stats.since(t, c, "get")
		if right(more) || calm {
			return more
		}
		calm = true
		for begin := time.Now(); time.Since(begin) < avoided; {
			for _, key := range keys {
				calm = read(key) < slow && calm
			}
		}
	}
	t.Fatalf("in each of %d rounds a read took longer than %v", tries, slow)
	return nil
}

func TestReplicasAnswerReads(t *testing.T) {
	c := cluster.Get(t)
	cfg := proxytest.Config{}
	cfg.Dispatcher = dispatcher.Config{ReadPrefer: dispatcher.PreferReplica, ReadYourWrites: time.Hour}
	p := start(t, c, cfg)
	writer := proxytest.Connect(t, p.Addr)
	keys := setEverywhere(t, c, writer, "replica:", 60)
	primaries := c.Primaries()

	for _, hello := range []string{"2", "3"} {
		reader := proxytest.Connect(t, p.Addr)
		reader.Do("HELLO", hello)
		atReplicas := func(more map[*redistest.Node]int) bool {
			return !slices.ContainsFunc(primaries, func(n *redistest.Node) bool { return more[n] > 0 })
		}
		for n, more := range readsByNode(t, c, reader, keys, atReplicas) {
			if isPrimary := slices.Contains(primaries, n); isPrimary != (more == 0) {
				t.Errorf("RESP%s: node %s, primary %t, has answered %d of %d reads", hello, n.Addr, isPrimary, more, len(keys))
			}
		}
	}
	// Who wrote reads from where he wrote.
	stats := nodeCalls{}
	stats.since(t, c, "get")
	for _, key := range keys {
		if v := writer.Do("GET", key); v.Str != key {
			t.Errorf("GET %s by who wrote it: %+v", key, v)
		}
	}
	for n, more := range stats.since(t, c, "get") {
		if isPrimary := slices.Contains(primaries, n); isPrimary != (more > 0) {
			t.Errorf("node %s, primary %t, has answered %d reads of who wrote", n.Addr, isPrimary, more)
		}
	}
	// Writes never go to replicas, nor does what only may write.
	d := proxytest.Connect(t, p.Addr)
	for _, key := range keys {
		if v := d.Do("EVAL", "return redis.call('GET', KEYS[1])", "1", key); v.Str != key {
			t.Errorf("EVAL: %+v", v)
		}
	}
	for n, more := range stats.since(t, c, "eval") {
		if !slices.Contains(primaries, n) && more > 0 {
			t.Errorf("replica %s has executed %d EVALs", n.Addr, more)
		}
	}
}

func TestPrimariesAnswerReadsByDefault(t *testing.T) {
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	keys := setEverywhere(t, c, d, "primary:", 30)
	stats := nodeCalls{}
	stats.since(t, c, "get")
	for _, key := range keys {
		proxytest.Connect(t, p.Addr).Do("GET", key)
	}
	primaries := c.Primaries()
	for n, more := range stats.since(t, c, "get") {
		if isPrimary := slices.Contains(primaries, n); isPrimary != (more > 0) {
			t.Errorf("node %s, primary %t, has answered %d reads", n.Addr, isPrimary, more)
		}
	}
}

// TestReadsStayInTheDataCentre: replicas that are near answer; where none is, the primary if that is near.
func TestReadsStayInTheDataCentre(t *testing.T) {
	c := cluster.Get(t)
	primaries := c.Primaries()
	near := map[string]bool{} // of the first shard the replica, of the second the primary, of the third nobody
	near[c.ReplicasOf(primaries[0])[0].Addr] = true
	near[primaries[1].Addr] = true
	cfg := proxytest.Config{}
	cfg.Dispatcher = dispatcher.Config{ReadPrefer: dispatcher.PreferReplicaIDC, Near: func(addr string) bool { return near[addr] }}
	p := start(t, c, cfg)
	keys := setEverywhere(t, c, proxytest.Connect(t, p.Addr), "near:", 60)
	right := func(more map[*redistest.Node]int, i int) bool {
		atPrimary, atReplica := more[primaries[i]] > 0, more[c.ReplicasOf(primaries[i])[0]] > 0
		return atPrimary == (i == 1) && atPrimary != atReplica
	}
	more := readsByNode(t, c, proxytest.Connect(t, p.Addr), keys, func(more map[*redistest.Node]int) bool {
		return right(more, 0) && right(more, 1) && right(more, 2)
	})
	for i, primary := range primaries {
		replica := c.ReplicasOf(primary)[0]
		if !right(more, i) {
			t.Errorf("shard %d: the primary has answered %d reads, the replica %d", i, more[primary], more[replica])
		}
	}
}
