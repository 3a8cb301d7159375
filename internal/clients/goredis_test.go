package clients

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// goRedis is a client of go-redis, of either kind, in one test.
type goRedis struct {
	*testing.T
	redis.UniversalClient
	prefix string
}

// key returns a key of this test.
func (g *goRedis) key(name string) string { return g.prefix + name }

// pair returns two keys of one slot, as an application for clusters names them.
func (g *goRedis) pair(a, b string) (string, string) {
	return "{" + g.prefix + "}" + a, "{" + g.prefix + "}" + b
}

// same returns what asserts the two results of a call; a nil want stands for redis.Nil.
func (g *goRedis) same(what string, want any) func(got any, err error) {
	g.Helper()
	return func(got any, err error) {
		g.Helper()
		if want == nil && errors.Is(err, redis.Nil) {
			return
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			g.Errorf("%s: %#v, %v, want %#v", what, got, err, want)
		}
	}
}

// fails asserts a call's error.
func (g *goRedis) fails(what, text string, err error) {
	g.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		g.Errorf("%s: %v, want an error with %q", what, err, text)
	}
}

// TestGoRedis is the library as it comes, with its handshake and its pool, and the two protocols; and its client for
// clusters, which learns of one node that has all slots.
func TestGoRedis(t *testing.T) {
	p := start(t)
	for _, protocol := range []int{0, 2} { // 0: what it says itself, which is 3
		for mode, client := range map[string]redis.UniversalClient{
			"standalone": redis.NewClient(&redis.Options{
				Addr: p.Addr, Protocol: protocol, ClientName: "go-redis-test", DialTimeout: patience, ReadTimeout: patience,
			}),
			"cluster": redis.NewClusterClient(&redis.ClusterOptions{
				Addrs: []string{p.Addr}, Protocol: protocol, ClientName: "go-redis-test", DialTimeout: patience, ReadTimeout: patience,
			}),
		} {
			t.Run(fmt.Sprintf("%s,%d", mode, protocol), func(t *testing.T) {
				defer func() { _ = client.Close() }()
				for name, family := range map[string]func(*goRedis){
					"strings": (*goRedis).strings, "hashes": (*goRedis).hashes, "lists": (*goRedis).lists, "sets": (*goRedis).sets,
					"sortedsets": (*goRedis).sortedSets, "streams": (*goRedis).streams, "scripts": (*goRedis).scripts,
					"scan": (*goRedis).scan, "pipelines": (*goRedis).pipelines, "server": (*goRedis).server,
				} {
					t.Run(name, func(t *testing.T) { family(&goRedis{T: t, UniversalClient: client, prefix: prefix(t)}) })
				}
			})
		}
	}
}

func (g *goRedis) strings() {
	ctx, k := testContext(g.T), g.key("s")
	g.same("SET", "OK")(g.Set(ctx, k, "v", time.Hour).Result())
	g.same("SET NX", false)(g.SetNX(ctx, k, "w", 0).Result())
	g.same("GET", "v")(g.Get(ctx, k).Result())
	if left, err := g.TTL(ctx, k).Result(); err != nil || left <= time.Hour/2 || left > time.Hour {
		g.Errorf("TTL: %v, %v, want an hour at the most", left, err)
	}
	g.same("GETDEL", "v")(g.GetDel(ctx, k).Result())
	g.same("GET of nothing", nil)(g.Get(ctx, k).Result())
	g.same("INCRBY", int64(42))(g.IncrBy(ctx, k, 42).Result())
	g.same("INCRBYFLOAT", 42.5)(g.IncrByFloat(ctx, k, 0.5).Result())
	binary := strings.Repeat("\x00\xff\r\n$-1\r\n", 10000)
	g.same("SET of bytes", "OK")(g.Set(ctx, g.key("\x00\r\n"), binary, 0).Result())
	g.same("GET of bytes", binary)(g.Get(ctx, g.key("\x00\r\n")).Result())
	g.fails("LPUSH", "WRONGTYPE", g.LPush(ctx, k, "x").Err())
	a, b := g.pair("a", "b")
	g.same("MSET", "OK")(g.MSet(ctx, a, "1", b, "2").Result())
	g.same("MGET", []any{"1", "2", nil})(g.MGet(ctx, a, b, a+"none").Result())
	if _, alone := g.UniversalClient.(*redis.Client); !alone {
		return // the client for clusters refuses keys of several slots itself
	}
	var pairs, want []any
	var keys []string
	for i := range 50 {
		pairs = append(pairs, g.key(fmt.Sprint("m", i)), i)
		keys, want = append(keys, g.key(fmt.Sprint("m", i))), append(want, fmt.Sprint(i))
	}
	g.same("MSET over slots", "OK")(g.MSet(ctx, pairs...).Result())
	g.same("MGET over slots", want)(g.MGet(ctx, keys...).Result())
	g.same("EXISTS over slots", int64(50))(g.Exists(ctx, keys...).Result())
	g.same("DEL over slots", int64(50))(g.Del(ctx, keys...).Result())
}

func (g *goRedis) hashes() {
	ctx, k := testContext(g.T), g.key("h")
	g.same("HSET", int64(2))(g.HSet(ctx, k, "a", 1, "b", "two").Result())
	g.same("HGETALL", map[string]string{"a": "1", "b": "two"})(g.HGetAll(ctx, k).Result())
	g.same("HMGET", []any{"1", nil})(g.HMGet(ctx, k, "a", "none").Result())
	g.same("HINCRBY", int64(5))(g.HIncrBy(ctx, k, "a", 4).Result())
	g.same("HDEL", int64(1))(g.HDel(ctx, k, "a", "none").Result())
	g.same("HGETALL of nothing", map[string]string{})(g.HGetAll(ctx, g.key("none")).Result())
}

func (g *goRedis) lists() {
	ctx := testContext(g.T)
	k, other := g.pair("l", "l2")
	g.same("RPUSH", int64(3))(g.RPush(ctx, k, "a", "b", "c").Result())
	g.same("LRANGE", []string{"a", "b", "c"})(g.LRange(ctx, k, 0, -1).Result())
	g.same("LPOP count", []string{"a", "b"})(g.LPopCount(ctx, k, 2).Result())
	g.same("LMOVE", "c")(g.LMove(ctx, k, other, "LEFT", "RIGHT").Result())
	g.same("LPOP of nothing", nil)(g.LPop(ctx, k).Result())
}

func (g *goRedis) sets() {
	ctx := testContext(g.T)
	a, b := g.pair("a", "b")
	g.same("SADD", int64(3))(g.SAdd(ctx, a, "1", "2", "3").Result())
	g.same("SADD", int64(2))(g.SAdd(ctx, b, "2", "4").Result())
	g.same("SMEMBERS", map[string]struct{}{"1": {}, "2": {}, "3": {}})(g.SMembersMap(ctx, a).Result())
	g.same("SINTER", []string{"2"})(g.SInter(ctx, a, b).Result())
	g.same("SMISMEMBER", []bool{true, false})(g.SMIsMember(ctx, a, "1", "9").Result())
	g.same("SREM", int64(1))(g.SRem(ctx, a, "1").Result())
}

func (g *goRedis) sortedSets() {
	ctx, k := testContext(g.T), g.key("z")
	all := []redis.Z{{Score: 0.5, Member: "half"}, {Score: 1, Member: "one"}, {Score: math.Inf(1), Member: "inf"}}
	g.same("ZADD", int64(3))(g.ZAdd(ctx, k, all...).Result())
	g.same("ZRANGE", all)(g.ZRangeWithScores(ctx, k, 0, -1).Result())
	g.same("ZSCORE", 0.5)(g.ZScore(ctx, k, "half").Result())
	g.same("ZINCRBY", 3.0)(g.ZIncrBy(ctx, k, 2, "one").Result())
	g.same("ZRANGEBYSCORE", []string{"one"})(g.ZRangeByScore(ctx, k, &redis.ZRangeBy{Min: "(0.5", Max: "10"}).Result())
	g.same("ZPOPMIN", all[:1])(g.ZPopMin(ctx, k).Result())
}

func (g *goRedis) streams() {
	ctx, k := testContext(g.T), g.key("x")
	one := redis.XMessage{ID: "1-1", Values: map[string]any{"f": "1"}}
	two := redis.XMessage{ID: "2-1", Values: map[string]any{"f": "2"}}
	for _, m := range []redis.XMessage{one, two} {
		g.same("XADD", m.ID)(g.XAdd(ctx, &redis.XAddArgs{Stream: k, ID: m.ID, Values: m.Values}).Result())
	}
	g.same("XRANGE", []redis.XMessage{one, two})(g.XRange(ctx, k, "-", "+").Result())
	g.same("XREAD", []redis.XStream{{Stream: k, Messages: []redis.XMessage{two}}})(
		g.XRead(ctx, &redis.XReadArgs{Streams: []string{k, "1-1"}, Block: -1}).Result())
	g.same("XGROUP CREATE", "OK")(g.XGroupCreate(ctx, k, "g", "0").Result())
	g.fails("XGROUP CREATE", "BUSYGROUP", g.XGroupCreate(ctx, k, "g", "0").Err())
	g.same("XREADGROUP", []redis.XStream{{Stream: k, Messages: []redis.XMessage{one}}})(
		g.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "me", Streams: []string{k, ">"}, Count: 1, Block: -1}).Result())
	g.same("XPENDING", &redis.XPending{Count: 1, Lower: "1-1", Higher: "1-1", Consumers: map[string]int64{"me": 1}})(
		g.XPending(ctx, k, "g").Result())
	g.same("XACK", int64(1))(g.XAck(ctx, k, "g", "1-1").Result())
	if info, err := g.XInfoStream(ctx, k).Result(); err != nil || info.Length != 2 || info.Groups != 1 {
		g.Errorf("XINFO STREAM: %+v, %v", info, err)
	}
}

func (g *goRedis) scripts() {
	ctx, k := testContext(g.T), g.key("script")
	script := redis.NewScript("-- " + g.prefix + "\nreturn {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
	g.fails("EVALSHA", "NOSCRIPT No matching script", g.EvalSha(ctx, script.Hash(), []string{k}, "a").Err())
	g.same("Run", []any{k, "a", int64(1)})(script.Run(ctx, g, []string{k}, "a").Result()) // EVALSHA, then EVAL
	for i := range 20 {                                                                   // on all primaries
		other := g.key(fmt.Sprint("script", i))
		g.same("Run", []any{other, "a", int64(1)})(script.Run(ctx, g, []string{other}, "a").Result())
	}
	loaded := redis.NewScript("-- loaded " + g.prefix + "\nreturn redis.call('INCR', KEYS[1])")
	g.same("SCRIPT LOAD", loaded.Hash())(loaded.Load(ctx, g).Result())
	g.same("SCRIPT EXISTS", []bool{true, false})(g.ScriptExists(ctx, loaded.Hash(), strings.Repeat("0", 40)).Result())
	for i := range 20 {
		g.same("EVALSHA", int64(2))(loaded.EvalSha(ctx, g, []string{g.key(fmt.Sprint("script", i))}).Result())
	}
	g.fails("EVAL", "my error", g.Eval(ctx, "return redis.error_reply('my error')", []string{k}).Err())
}

func (g *goRedis) scan() {
	ctx, want := testContext(g.T), map[string]bool{}
	for i := range 300 {
		want[g.key(fmt.Sprint("scan:", i))] = true
		g.same("SET", "OK")(g.Set(ctx, g.key(fmt.Sprint("scan:", i)), i, 0).Result())
	}
	set := g.key("set")
	members := map[string]bool{}
	for i := range 1000 {
		members[fmt.Sprint("member ", i)] = true
	}
	g.same("SADD", int64(1000))(g.SAdd(ctx, set, slices.Collect(maps.Keys(members))).Result())
	walk := func(what string, it *redis.ScanIterator, want map[string]bool) {
		g.Helper()
		got := map[string]bool{}
		for it.Next(ctx) {
			got[it.Val()] = true
		}
		if err := it.Err(); err != nil || !maps.Equal(got, want) {
			g.Errorf("%s: %d, %v, want %d", what, len(got), err, len(want))
		}
	}
	walk("SCAN", g.Scan(ctx, 0, g.key("scan:*"), 100).Iterator(), want)
	walk("SCAN TYPE string", g.ScanType(ctx, 0, g.key("*"), 100, "string").Iterator(), want)
	walk("SCAN TYPE set", g.ScanType(ctx, 0, g.key("*"), 1000, "set").Iterator(), map[string]bool{set: true})
	walk("SSCAN", g.SScan(ctx, set, 0, "member*", 10).Iterator(), members)
	if keys, err := g.Keys(ctx, g.key("scan:*")).Result(); err != nil || len(keys) != len(want) {
		g.Errorf("KEYS: %d, %v, want %d", len(keys), err, len(want))
	}
	if n, err := g.DBSize(ctx).Result(); err != nil || n < int64(len(want)) {
		g.Errorf("DBSIZE: %d, %v", n, err)
	}
}

// pipelines is many goroutines with pipelines of their own, whose commands go to all nodes.
func (g *goRedis) pipelines() {
	ctx := testContext(g.T)
	const workers, rounds, depth = 4, 3, 200
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for round := range rounds {
				pipe := g.Pipeline()
				for i := range depth {
					key := g.key(fmt.Sprintf("p:%d:%d", w, i))
					pipe.Set(ctx, key, fmt.Sprintf("%d.%d", round, i), 0)
					pipe.Get(ctx, key)
					pipe.HGetAll(ctx, g.key("none"))
				}
				cmds, err := pipe.Exec(ctx)
				if err != nil || len(cmds) != 3*depth {
					g.Errorf("pipeline: %d replies, %v", len(cmds), err)
					return
				}
				for i := range depth {
					g.same("reply", fmt.Sprintf("%d.%d", round, i))(cmds[3*i+1].(*redis.StringCmd).Result())
				}
			}
		})
	}
	running.Wait()
}

func (g *goRedis) server() {
	ctx := testContext(g.T)
	g.same("PING", "PONG")(g.Ping(ctx).Result())
	g.same("CONFIG GET", map[string]string{"databases": "1"})(g.ConfigGet(ctx, "databases").Result())
	if info, err := g.Info(ctx).Result(); err != nil || !strings.Contains(info, "\r\nredis_version:") {
		g.Errorf("INFO: %q, %v", info, err)
	}
	if commands, err := g.Command(ctx).Result(); err != nil || len(commands) < 200 || commands["get"] == nil {
		g.Errorf("COMMAND: %d commands, %v", len(commands), err)
	}
	if now, err := g.Time(ctx).Result(); err != nil || time.Since(now).Abs() > time.Minute {
		g.Errorf("TIME: %v, %v", now, err)
	}
	if list, err := g.ClientList(ctx).Result(); err != nil || !strings.Contains(list, " name=go-redis-test ") {
		g.Errorf("CLIENT LIST: %q, %v", list, err)
	}
	k := g.key("object")
	g.same("SET", "OK")(g.Set(ctx, k, 1, 0).Result())
	g.same("OBJECT ENCODING", "int")(g.ObjectEncoding(ctx, k).Result())
	if n, err := g.MemoryUsage(ctx, k).Result(); err != nil || n <= 0 {
		g.Errorf("MEMORY USAGE: %d, %v", n, err)
	}
	switch client := g.UniversalClient.(type) {
	case *redis.Client:
		conn := client.Conn()
		defer conn.Close()
		g.same("CLIENT GETNAME", "go-redis-test")(conn.ClientGetName(ctx).Result())
		if info, err := conn.ClientInfo(ctx).Result(); err != nil || info.Name != "go-redis-test" || !strings.HasPrefix(info.LibName, "go-redis") {
			g.Errorf("CLIENT INFO: %+v, %v", info, err)
		}
	case *redis.ClusterClient:
		nodes, err := client.ClusterNodes(ctx).Result()
		if err != nil || strings.Count(nodes, "\n") != 1 || !strings.Contains(nodes, " myself,master ") || !strings.HasSuffix(nodes, " 0-16383\n") {
			g.Errorf("CLUSTER NODES: %q, %v", nodes, err)
		}
	}
}
