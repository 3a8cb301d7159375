package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func clusterClient(t *testing.T, addrs []string, password string) *redis.ClusterClient {
	t.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: addrs, Password: password, DialerRetries: 1,
		DialTimeout: queryTimeout, ReadTimeout: queryTimeout, // what is late is not to be sent twice
	})
	t.Cleanup(func() { client.Close() })
	return client
}

// must ends the test if err is not nil.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// setAndGet writes n keys of the slot of tag and reads them back.
func setAndGet(t *testing.T, client redis.UniversalClient, tag string, n int) {
	t.Helper()
	ctx := testContext(t)
	for i := range n {
		key := fmt.Sprintf("{%s}%d", tag, i)
		must(t, client.Set(ctx, key, i, 0).Err())
		if got, err := client.Get(ctx, key).Int(); err != nil || got != i {
			t.Fatalf("GET %s = %d, %v; want %d", key, got, err, i)
		}
	}
}

// reload waits until client has found the node that has key. Only on request does it look anew when a primary is gone.
func reload(t *testing.T, client *redis.ClusterClient, key string) {
	t.Helper()
	ctx := testContext(t)
	client.ReloadState(ctx)
	must(t, poll(ctx, "the new owner of "+key, func() error { return client.Get(ctx, key).Err() }))
}

func TestClusterServesAndMovesSlots(t *testing.T) {
	start := time.Now()
	c := StartCluster(t, Password("s3cret"))
	t.Logf("formed in %v", time.Since(start))
	ctx := testContext(t)
	if got := len(c.Primaries()); got != 3 {
		t.Fatalf("%d primaries, want 3", got)
	}
	for _, p := range c.Primaries() {
		if got := len(c.ReplicasOf(p)); got != 1 {
			t.Errorf("%s has %d replicas, want 1", p.Addr, got)
		}
	}
	client := clusterClient(t, c.Addrs(), "s3cret")
	for i := range 30 {
		setAndGet(t, client, fmt.Sprint(i), 1)
	}

	const keys = 10
	setAndGet(t, client, "tag", keys)
	slot := Slot("tag")
	from := c.OwnerOf(slot)
	to := c.Primaries()[0]
	if to == from {
		to = c.Primaries()[1]
	}
	calls := 0
	must(t, c.MoveSlot(ctx, slot, nil, to, func() {
		calls++
		setAndGet(t, client, "tag", keys)
	}))
	if calls != keys {
		t.Errorf("perKey was called %d times, want %d", calls, keys)
	}
	if got := c.OwnerOf(slot); got != to {
		t.Errorf("the slot's owner is %s, want %s", got.Addr, to.Addr)
	}
	setAndGet(t, client, "tag", keys)
	must(t, c.WaitReady(ctx))

	added, err := c.AddNode(ctx)
	must(t, err)
	replica, err := c.AddReplica(ctx, added)
	must(t, err)
	must(t, c.MoveSlot(ctx, slot, to, added, nil))
	must(t, c.WaitReady(ctx))
	setAndGet(t, client, "tag", keys)
	if r := c.ReplicasOf(added); len(r) != 1 || r[0] != replica {
		t.Errorf("replicas of the added node: %v", r)
	}
	if err := c.RemoveNode(ctx, added); err == nil {
		t.Error("RemoveNode took a node that owns a slot")
	}
	must(t, c.RemoveNode(ctx, replica))
	must(t, c.MoveSlot(ctx, slot, added, to, nil))
	must(t, c.RemoveNode(ctx, added))
	must(t, c.WaitReady(ctx))
	reload(t, client, "{tag}1")
	setAndGet(t, client, "tag", keys)
}

func TestClusterFailsOver(t *testing.T) {
	c := StartCluster(t)
	ctx := testContext(t)
	client := clusterClient(t, c.Addrs(), "")
	setAndGet(t, client, "tag", 3)
	slot := Slot("tag")
	old := c.OwnerOf(slot)

	promoted, err := c.Failover(ctx, old)
	must(t, err)
	must(t, c.WaitReady(ctx))
	if got := c.OwnerOf(slot); got != promoted || got == old {
		t.Fatalf("after the failover the owner is %s, want %s", got.Addr, promoted.Addr)
	}
	setAndGet(t, client, "tag", 3)

	promoted.Kill()
	start := time.Now()
	got, err := c.TakeOver(ctx, slot, promoted)
	must(t, err)
	t.Logf("failed over after %v", time.Since(start))
	if got != old {
		t.Fatalf("after the kill the owner is %s, want %s", got.Addr, old.Addr)
	}
	must(t, c.WaitReady(ctx))
	reload(t, client, "{tag}2")
	if got := client.Get(ctx, "{tag}2").Val(); got != "2" {
		t.Fatalf("GET = %s, want 2", got)
	}
	must(t, promoted.Restart(ctx))
	must(t, c.WaitReady(ctx))
	if r := c.ReplicasOf(old); len(r) != 1 || r[0] != promoted {
		t.Errorf("replicas after the restart: %v", r)
	}
}

func TestServerStops(t *testing.T) {
	s := StartServer(t, "maxmemory 50mb")
	ctx := testContext(t)
	if got, err := s.Client().ConfigGet(ctx, "maxmemory").Result(); err != nil || got["maxmemory"] != "52428800" {
		t.Fatalf("CONFIG GET maxmemory = %v, %v", got, err)
	}
	must(t, s.Client().Set(ctx, "k", "v", 0).Err())
	must(t, s.Stop())
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := s.Client().Ping(short).Err(); err == nil {
		t.Error("a stopped server answered")
	}
	must(t, s.Cont())
	if got := s.Client().Get(ctx, "k").Val(); got != "v" {
		t.Errorf("GET k = %q after Cont", got)
	}
	s.Kill()
	if err := s.Stop(); err == nil {
		t.Error("a killed server was stopped")
	}
	must(t, s.Restart(ctx))
	if err := s.Client().Get(ctx, "k").Err(); err != redis.Nil {
		t.Errorf("GET k after Restart: %v, want nil", err)
	}
	dir := s.dir
	s.Close()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("Close left %s: %v", dir, err)
	}
}

func TestLaunchFailureIsClear(t *testing.T) {
	ctx := testContext(t)
	if _, err := LaunchCluster(ctx, Config{Binary: "redis-server-that-is-not-there"}); !errors.Is(err, ErrNoServer) {
		t.Errorf("without a program: %v", err)
	}
	_, err := LaunchServer(ctx, Config{Conf: []string{"no-such-directive 1"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-directive") {
		t.Errorf("with a wrong configuration: %v", err)
	}
}
