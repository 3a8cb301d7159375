package slots

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
)

// watchReal runs a Watcher on the seeds until the end of the test.
func watchReal(t *testing.T, cfg ClusterConfig) (*Watcher, *Cluster) {
	t.Helper()
	cfg.ConnectTimeout = 10 * time.Second // nodes may be late
	c := NewCluster(cfg)
	w := NewWatcher(c, 200*time.Millisecond, 50*time.Millisecond)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go runUntilEnd(ctx, w, ended)
	t.Cleanup(func() {
		cancel()
		<-ended
		c.Close()
	})
	select {
	case <-w.Ready():
	case <-time.After(time.Minute):
		t.Fatal("not ready")
	}
	return w, c
}

func realContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// shardAt returns the shard whose primary is at addr, or nil.
func shardAt(table *Table, addr string) *Shard {
	for _, s := range table.Shards {
		if s.addr() == addr {
			return s
		}
	}
	return nil
}

func TestRealCluster(t *testing.T) {
	rc := redistest.StartCluster(t, redistest.Password("s3cret"), redistest.NodeTimeout(3*time.Second))
	alive := rc.Node(4).Addr
	w, c := watchReal(t, ClusterConfig{Seeds: []string{deadAddr(), alive, deadAddr()}, Password: "s3cret"})
	ctx := realContext(t)

	t.Run("loads", func(t *testing.T) {
		table := w.Table()
		if table.Covered() != NumSlots || len(table.Shards) != 3 || len(table.Nodes()) != 6 {
			t.Fatalf("%s", table.describe())
		}
		for _, n := range rc.Nodes() {
			if got := table.NodeAt(n.Addr); got == nil || got.ID != n.ID {
				t.Errorf("node %s is %+v", n.Addr, got)
			}
			eventually(t, n.Addr+" is healthy", func() bool { // others may doubt one that was late
				got := w.Table().NodeAt(n.Addr)
				return got != nil && got.Healthy
			})
		}
		for _, slot := range []uint16{0, 8000, NumSlots - 1} {
			if got, want := table.primaryAddr(slot), rc.OwnerOf(slot).Addr; got != want {
				t.Errorf("slot %d at %s, want %s", slot, got, want)
			}
		}
	})
	t.Run("answers queries", func(t *testing.T) { testRealQueries(t, c) })
	t.Run("says why it cannot log in", func(t *testing.T) {
		for password, want := range map[string]string{"": "NOAUTH", "wrong": "WRONGPASS"} {
			other := newTestClusterWithin(t, testConnectTimeout, alive)
			other.cfg.Password = password
			if _, err := other.Load(ctx); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), want) {
				t.Errorf("password %q: Load fails with %v", password, err)
			}
			if _, err := other.Commands(ctx); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), want) {
				t.Errorf("password %q: Commands fails with %v", password, err)
			}
		}
	})
	t.Run("sees a slot move", func(t *testing.T) {
		slot := Hash([]byte("tag"))
		from := rc.OwnerOf(slot)
		to := rc.Primaries()[0]
		if to == from {
			to = rc.Primaries()[1]
		}
		if err := rc.MoveSlot(ctx, slot, from, to, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the slot has moved", func() bool { return w.Table().primaryAddr(slot) == to.Addr })
	})
	t.Run("sees a failover", func(t *testing.T) {
		old := rc.OwnerOf(0)
		promoted, err := rc.Failover(ctx, old)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the replica is primary and the primary its replica", func() bool {
			s := w.Table().ShardOf(0)
			return s.addr() == promoted.Addr && len(s.Replicas) == 1 && s.Replicas[0].Addr == old.Addr && s.Replicas[0].Healthy
		})
		if err := rc.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("sees that a replica is loading", func(t *testing.T) { testRealLoadingReplica(t, rc, w) })
	t.Run("sees a primary die", func(t *testing.T) {
		victim := rc.OwnerOf(0)
		victim.Kill()
		eventually(t, "its replica took over", func() bool {
			s := w.Table().ShardOf(0)
			return s != nil && s.Primary != nil && s.Primary.Healthy && s.addr() != victim.Addr
		})
		eventually(t, "the dead node is neither healthy nor a primary", func() bool {
			n := w.Table().NodeAt(victim.Addr)
			return (n == nil || !n.Healthy) && shardAt(w.Table(), victim.Addr) == nil
		})
		if got := w.Table().Covered(); got != NumSlots {
			t.Errorf("%d slots covered", got)
		}
	})
}

func testRealQueries(t *testing.T, c *Cluster) {
	version, err := c.Version(t.Context())
	if err != nil || len(version) < len("redis 7") {
		t.Errorf("Version = %q, %v", version, err)
	}
	if n, err := c.Databases(t.Context()); err != nil || n != 1 {
		t.Errorf("Databases = %d, %v", n, err)
	}
	commands, err := c.Commands(t.Context())
	if rows, ok := commands.([]any); err != nil || !ok || len(rows) < 100 {
		t.Errorf("Commands = %T, %v", commands, err)
	}
	keys, err := c.CommandGetKeys(t.Context(), [][]byte{[]byte("SORT"), []byte("a"), []byte("STORE"), []byte("b\r\n\x00")})
	if err != nil || len(keys) != 2 || keys[0] != "a" || keys[1] != "b\r\n\x00" {
		t.Errorf("CommandGetKeys = %q, %v", keys, err)
	}
	var reply ServerError
	_, err = c.CommandGetKeys(t.Context(), [][]byte{[]byte("PING"), []byte("x")})
	if !errors.As(err, &reply) || reply != "ERR The command has no key arguments" {
		t.Errorf("CommandGetKeys of PING: %v", err)
	}
}

// testRealLoadingReplica adds a replica whose primary waits for more replicas before it sends them its data.
func testRealLoadingReplica(t *testing.T, rc *redistest.Cluster, w *Watcher) {
	ctx := realContext(t)
	primary := rc.Primaries()[0]
	for name, value := range map[string]string{"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "600"} {
		if err := primary.Client().ConfigSet(ctx, name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	added, err := rc.AddNode(ctx)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the empty primary is a shard without slots", func() bool { return shardAt(w.Table(), added.Addr) != nil })
	if err := added.Client().ClusterReplicate(ctx, primary.ID).Err(); err != nil {
		t.Fatal(err)
	}
	var shard *Shard // all of one table: until all nodes know of the replica, the next one may have it as a primary again
	healthy := func(loading bool) bool {
		return slices.ContainsFunc(shard.Replicas, func(n *Node) bool { return n.Healthy && (n.Addr == added.Addr) == loading })
	}
	eventually(t, "the node is a replica, and the other one healthy", func() bool {
		shard = shardAt(w.Table(), primary.Addr)
		return shard != nil && len(shard.Replicas) == 2 && healthy(false)
	})
	if healthy(true) {
		t.Error("the loading replica is healthy")
	}
	if err := primary.Client().ConfigSet(ctx, "repl-diskless-sync-delay", "0").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the replica has loaded", func() bool {
		shard = shardAt(w.Table(), primary.Addr)
		return shard != nil && healthy(true)
	})
}

func TestRealMinorityIsNotBelieved(t *testing.T) {
	rc := redistest.StartCluster(t, redistest.Replicas(0), redistest.NodeTimeout(time.Second))
	w, _ := watchReal(t, ClusterConfig{Seeds: []string{rc.Node(0).Addr}})
	before := w.Table()
	ctx := realContext(t)
	for _, n := range rc.Nodes()[1:] {
		if err := n.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the node left says cluster_state:fail", func() bool {
		text, err := rc.Node(0).Client().ClusterInfo(ctx).Result()
		return err == nil && !parseClusterInfo(text).ok
	})
	loads := w.Stats().Loads
	eventually(t, "two loads have seen it", func() bool { return w.Stats().Loads >= loads+3 })
	if !sameLayout(before, w.Table()) {
		t.Errorf("the layout changed: %s", describeChange(before, w.Table()))
	}
	for _, n := range rc.Nodes()[1:] {
		if err := n.Cont(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the layout is loaded anew, as it was", func() bool {
		return w.Table().Loaded.After(before.Loaded.Add(time.Second)) && sameLayout(before, w.Table())
	})
}

func TestRealEndpoints(t *testing.T) {
	rc := redistest.StartCluster(t, redistest.Primaries(1), redistest.Replicas(0), redistest.Host("::1"))
	node := rc.Node(0)
	_, port, err := net.SplitHostPort(node.Addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx := realContext(t)
	for _, tt := range []struct{ kind, hostname, want string }{
		{"ip", "", "[::1]:" + port},
		{"unknown-endpoint", "", "[::1]:" + port},
		{"hostname", "", "[::1]:" + port},
		{"hostname", "node-0.example", "node-0.example:" + port},
	} {
		for name, value := range map[string]string{"cluster-preferred-endpoint-type": tt.kind, "cluster-announce-hostname": tt.hostname} {
			if err := node.Client().ConfigSet(ctx, name, value).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if got := mustLoad(t, newTestCluster(t, node.Addr)).primaryAddr(0); got != tt.want {
			t.Errorf("endpoint type %s, hostname %q: slot 0 at %s, want %s", tt.kind, tt.hostname, got, tt.want)
		}
	}
}
