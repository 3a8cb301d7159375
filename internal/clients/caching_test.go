package clients

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-cluster-proxy/internal/redistest"
)

// neverTooOld keeps a cache from hiding by its own clock what it was not told.
const neverTooOld = time.Hour

// cachingPair is a client of go-redis with a cache, each of whose pool's connections tracks, one without, and the keys of a
// test.
func cachingPair(t *testing.T, at target) (cache *redis.LocalCache, caching, others *redis.Client, keys []string) {
	cache = redis.NewLocalCache(redis.CacheConfig{MaxEntries: 1000, MaxStaleness: neverTooOld})
	caching = redis.NewClient(&redis.Options{Addr: at.addr, Protocol: 3, ClientSideCache: cache, PoolSize: 4, DialTimeout: patience, ReadTimeout: patience})
	t.Cleanup(func() { caching.Close() })
	others = redis.NewClient(&redis.Options{Addr: at.addr, DialTimeout: patience, ReadTimeout: patience})
	t.Cleanup(func() { others.Close() })
	from := prefix(t)
	for i := range 50 {
		keys = append(keys, fmt.Sprintf("%s%d", from, i))
	}
	return cache, caching, others, keys
}

// TestGoRedisCache: what a client with a cache reads is, after a moment, what others have written, and mostly comes from the
// cache.
func TestGoRedisCache(t *testing.T) {
	both(t, false, func(t *testing.T, at target) {
		cache, caching, others, keys := cachingPair(t, at)
		readAndWrite(t, cache, caching, others, keys)
		agree(t, caching, others, keys)
	})
}

// TestCacheOutlivesConnections to nodes, with which they forget whom to tell. It does not run beside others, whose
// connections it would end.
func TestCacheOutlivesConnections(t *testing.T) {
	cache, caching, others, keys := cachingPair(t, viaProxy(t, false))
	for range 3 {
		readAndWrite(t, cache, caching, others, keys)
		for _, n := range cluster.Get(t).Primaries() {
			killTracking(t, n)
		}
		agree(t, caching, others, keys)
	}
}

// readAndWrite has the caching client read while the others write, until the cache was used and what was in it was invalidated.
func readAndWrite(t *testing.T, cache *redis.LocalCache, caching, others *redis.Client, keys []string) {
	t.Helper()
	ctx := testContext(t)
	before := cache.Stats()
	enough := func() bool {
		s := cache.Stats()
		return s.Hits > before.Hits && s.Misses > before.Misses+uint64(len(keys))
	}
	var stop atomic.Bool
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for !stop.Load() {
				if err := caching.Get(ctx, keys[rand.N(len(keys))]).Err(); err != nil && !errors.Is(err, redis.Nil) {
					t.Error(err)
					return
				}
				time.Sleep(100 * time.Microsecond) // what comes from the cache lets nobody else run
			}
		})
	}
	for i := 0; i < 500 || !enough(); i++ {
		if err := others.Incr(ctx, keys[rand.N(len(keys))]).Err(); err != nil {
			t.Errorf("%v; the cache was not used, or nothing was invalidated, if these differ too little: %+v, %+v", err, before, cache.Stats())
			break
		}
	}
	stop.Store(true)
	readers.Wait()
}

// agree waits until both clients read the same.
func agree(t *testing.T, caching, others *redis.Client, keys []string) {
	t.Helper()
	ctx := testContext(t)
	wrong := ""
	differ := func() bool {
		for _, key := range keys {
			got, err := caching.Get(ctx, key).Result()
			want, _ := others.Get(ctx, key).Result()
			if got != want || err != nil && !errors.Is(err, redis.Nil) {
				wrong = fmt.Sprintf("%s is %q, read %q, %v", key, want, got, err)
				return true
			}
		}
		return false
	}
	for end := time.Now().Add(patience); differ(); {
		if time.Now().After(end) {
			t.Fatal("the cache does not become right: " + wrong)
		}
	}
}

// killTracking ends all connections that track at a node.
func killTracking(t *testing.T, n *redistest.Node) {
	t.Helper()
	ctx := testContext(t)
	list, err := n.Client().ClientList(ctx).Result()
	if err != nil {
		t.Fatal(err)
	}
	ids := trackingIDs(list)
	if len(ids) == 0 {
		t.Errorf("nobody tracks at %s", n.Addr)
	}
	for _, id := range ids {
		if err := n.Client().ClientKillByFilter(ctx, "ID", id).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// trackingIDs are the ids in CLIENT LIST of those that track.
func trackingIDs(list string) (ids []string) {
	for line := range strings.Lines(list) {
		var id, flags string
		for _, field := range strings.Fields(line) {
			if v, ok := strings.CutPrefix(field, "id="); ok {
				id = v
			}
			if v, ok := strings.CutPrefix(field, "flags="); ok {
				flags = v
			}
		}
		if strings.Contains(flags, "t") {
			ids = append(ids, id)
		}
	}
	return ids
}

// TestNodeRedisCache likewise.
func TestNodeRedisCache(t *testing.T) {
	both(t, false, func(t *testing.T, at target) {
		runNode(t, at, []string{"invalidated", "many", "batches"}, "noderediscache.js", "standalone", 3)
	})
}
