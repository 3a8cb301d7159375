package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// TestGoRedisClusterClient is a client for clusters: it learns of one node that has all slots, and is never sent elsewhere.
func TestGoRedisClusterClient(t *testing.T) {
	p := start(t, cluster.Get(t), proxytest.Config{})
	for _, tt := range []redis.ClusterOptions{
		{Protocol: 2}, {Protocol: 3, MaxRedirects: -1}, {Protocol: 3, ReadOnly: true}, {Protocol: 3, RouteByLatency: true},
	} {
		t.Run(fmt.Sprintf("protocol %d, read only %t, by latency %t", tt.Protocol, tt.ReadOnly, tt.RouteByLatency), func(t *testing.T) {
			tt.Addrs, tt.DialTimeout, tt.ReadTimeout = []string{p.Addr}, proxytest.Patience, proxytest.Patience
			client := redis.NewClusterClient(&tt)
			defer client.Close()
			clusterClientTopology(t, client, p.Addr)
			clusterClientKeys(t, client)
			clusterClientPipeline(t, client)
		})
	}
}

func clusterClientTopology(t *testing.T, client *redis.ClusterClient, addr string) {
	ctx := testContext(t)
	shards, err := client.ClusterShards(ctx).Result()
	if err != nil || len(shards) != 1 || len(shards[0].Nodes) != 1 || shards[0].Nodes[0].Health != "online" ||
		len(shards[0].Slots) != 1 || shards[0].Slots[0] != (redis.SlotRange{Start: 0, End: 16383}) {
		t.Errorf("CLUSTER SHARDS: %+v, %v", shards, err)
	}
	var nodes []string
	err = client.ForEachShard(ctx, func(_ context.Context, node *redis.Client) error {
		nodes = append(nodes, node.Options().Addr)
		return nil
	})
	if err != nil || len(nodes) != 1 || nodes[0] != addr {
		t.Errorf("the client knows the shards %q, %v", nodes, err)
	}
}

func clusterClientKeys(t *testing.T, client *redis.ClusterClient) {
	ctx := testContext(t)
	check := func(what string, got any, err error, want any) {
		t.Helper()
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, %v, want %v", what, got, err, want)
		}
	}
	for i := range 50 {
		key := fmt.Sprintf("cc:%d", i)
		err := client.Set(ctx, key, i, 0).Err()
		check("SET "+key, "", err, "")
		got, err := client.Get(ctx, key).Result()
		check("GET "+key, got, err, i)
	}
	some, err := client.MGet(ctx, "{cc}a", "{cc}b").Result()
	check("MGET", some, err, []any{nil, nil})
	script := redis.NewScript("return {KEYS[1], redis.call('INCR', KEYS[1])}")
	client.Del(ctx, "cc:script")
	v, err := script.Eval(ctx, client, []string{"cc:script"}).Result()
	check("EVAL", v, err, []any{"cc:script", 1})
	v, err = script.EvalSha(ctx, client, []string{"cc:script"}).Result()
	check("EVALSHA", v, err, []any{"cc:script", 2})
	slot, err := client.ClusterKeySlot(ctx, "cc:script").Result()
	check("CLUSTER KEYSLOT", slot, err, redistest.Slot("cc:script"))
}

// clusterClientPipeline sends commands of many slots as one pipeline.
func clusterClientPipeline(t *testing.T, client *redis.ClusterClient) {
	ctx := testContext(t)
	const depth = 300
	pipe := client.Pipeline()
	for i := range depth {
		pipe.Set(ctx, fmt.Sprintf("cc:p:%d", i), i, 0)
		pipe.Get(ctx, fmt.Sprintf("cc:p:%d", i))
	}
	cmds, err := pipe.Exec(ctx)
	if err != nil || len(cmds) != 2*depth {
		t.Fatalf("pipeline: %d replies, %v", len(cmds), err)
	}
	for i := range depth {
		if got := cmds[2*i+1].(*redis.StringCmd).Val(); got != fmt.Sprint(i) {
			t.Errorf("reply %d is %q", i, got)
		}
	}
}

// TestRedisToolsForClusters are Redis's own tools in the modes that they have for clusters.
func TestRedisToolsForClusters(t *testing.T) {
	p := start(t, cluster.Get(t), proxytest.Config{})
	var script strings.Builder
	var want strings.Builder
	for i := range 40 {
		fmt.Fprintf(&script, "set cli:c:%d %d\nget cli:c:%d\n", i, i, i)
		fmt.Fprintf(&want, "OK\n%d\n", i)
	}
	if got := runTool(t, p.Addr, script.String(), "redis-cli", "-c"); got != want.String() {
		t.Errorf("redis-cli -c says %q", got)
	}
	if got := runTool(t, p.Addr, "", "redis-cli", "--cluster", "check", p.Addr); !strings.Contains(got, "[OK] All 16384 slots covered.") {
		t.Errorf("redis-cli --cluster check says %s", got)
	}
}
