package clients

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
)

// TestGoRedisSession is what belongs to a session: transactions, blocking commands, Pub/Sub.
func TestGoRedisSession(t *testing.T) {
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprint(protocol), func(t *testing.T) {
			both(t, false, func(t *testing.T, at target) {
				for name, family := range map[string]func(*goRedis){
					"watch": (*goRedis).watch, "transactions": (*goRedis).transactions, "consumers": (*goRedis).consumers,
					"groups": (*goRedis).groups, "pubsub": (*goRedis).pubsub, "reconnected": (*goRedis).reconnected,
				} {
					t.Run(name, func(t *testing.T) {
						prefix := prefix(t)
						client := redis.NewClient(&redis.Options{
							Addr: at.addr, Protocol: protocol, ClientName: prefix, PoolSize: 20, DialTimeout: patience, ReadTimeout: patience,
						})
						defer client.Close()
						family(&goRedis{T: t, UniversalClient: client, prefix: prefix})
					})
				}
			})
		})
	}
}

// watch is ten goroutines that add up: none of their additions is lost.
func (g *goRedis) watch() {
	ctx, k := testContext(g.T), g.key("counter")
	const workers, times = 10, 30
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			if err := proxytest.AddByWatch(ctx, g, k, times); err != nil {
				g.Errorf("Watch: %v", err)
			}
		})
	}
	running.Wait()
	g.same("GET", fmt.Sprint(workers*times))(g.Get(ctx, k).Result())
}

func (g *goRedis) transactions() {
	ctx := testContext(g.T)
	a, b := g.pair("a", "b")
	pipe := g.TxPipeline()
	pipe.Set(ctx, a, 1, 0)
	incr := pipe.Incr(ctx, a)
	push := pipe.RPush(ctx, b, "x", "y")
	wrong := pipe.Incr(ctx, b)
	if cmds, err := pipe.Exec(ctx); len(cmds) != 4 || err == nil {
		g.Errorf("EXEC: %v, %v", cmds, err)
	}
	g.same("INCR", int64(2))(incr.Result())
	g.same("RPUSH", int64(2))(push.Result())
	g.fails("INCR of a list", "WRONGTYPE", wrong.Err())
	for i := range 1000 {
		pipe.RPush(ctx, b, i)
	}
	if cmds, err := pipe.Exec(ctx); len(cmds) != 1000 || err != nil {
		g.Errorf("EXEC: %d, %v", len(cmds), err)
	}
	g.same("LLEN", int64(1002))(g.LLen(ctx, b).Result())
}

// consumers take what producers push, by all that waits for an element: each element once.
func (g *goRedis) consumers() {
	ctx := testContext(g.T)
	lists := []string{g.key("list 1"), g.key("list 2"), g.key("list 3")}
	from, to := g.pair("from", "to")
	set := g.key("set")
	takers := map[string]func() (string, error){
		"BLPOP": func() (string, error) {
			got, err := g.BLPop(ctx, 0, lists...).Result()
			if err != nil {
				return "", err
			}
			return got[1], nil
		},
		"BLMOVE": func() (string, error) { return g.BLMove(ctx, from, to, "LEFT", "RIGHT", 0).Result() },
		"BZPOPMIN": func() (string, error) {
			got, err := g.BZPopMin(ctx, 0, set).Result()
			if err != nil {
				return "", err
			}
			return got.Member.(string), nil
		},
	}
	givers := map[string]func(i int, element string) error{
		"BLPOP":  func(i int, element string) error { return g.RPush(ctx, lists[i%3], element).Err() },
		"BLMOVE": func(_ int, element string) error { return g.RPush(ctx, from, element).Err() },
		"BZPOPMIN": func(i int, element string) error {
			return g.ZAdd(ctx, set, redis.Z{Score: float64(i), Member: element}).Err()
		},
	}
	const consumers, elements = 4, 200
	for name, take := range takers {
		g.Run(name, func(t *testing.T) {
			taken := make(chan string, elements)
			var running sync.WaitGroup
			for range consumers {
				running.Go(func() {
					for {
						element, err := take()
						if err != nil {
							t.Errorf("%s: %v", name, err)
							return
						}
						if _, err := strconv.Atoi(element); err != nil {
							return // the end
						}
						taken <- element
					}
				})
			}
			for i := range elements {
				if err := givers[name](i, fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			}
			for len(taken) < elements && ctx.Err() == nil && !t.Failed() {
				time.Sleep(time.Millisecond)
			}
			for i := range consumers {
				if err := givers[name](elements, fmt.Sprint("end ", i)); err != nil {
					t.Error(err)
				}
			}
			running.Wait()
			wantEach(t, elements, taken)
		})
	}
	g.same("BLPOP of nothing", nil)(g.BLPop(ctx, time.Second, g.key("none")).Result())
}

// wantEach asserts that each number below n was taken once.
func wantEach(t *testing.T, n int, taken chan string) {
	t.Helper()
	close(taken)
	times := make([]int, n)
	for element := range taken {
		i, err := strconv.Atoi(element)
		if err != nil || i >= n {
			t.Fatalf("%q was taken", element)
		}
		times[i]++
	}
	for i, got := range times {
		if got != 1 {
			t.Errorf("%d was taken %d times", i, got)
		}
	}
}

// groups is a stream whose entries a group of consumers shares.
func (g *goRedis) groups() {
	ctx, k := testContext(g.T), g.key("stream")
	g.same("XGROUP CREATE", "OK")(g.XGroupCreateMkStream(ctx, k, "g", "$").Result())
	const consumers, entries = 3, 200
	taken := make(chan string, entries)
	var running sync.WaitGroup
	for c := range consumers {
		running.Go(func() {
			for {
				got, err := g.XReadGroup(ctx, &redis.XReadGroupArgs{
					Group: "g", Consumer: fmt.Sprint(c), Streams: []string{k, ">"}, Count: 1, Block: 0,
				}).Result()
				if err != nil {
					g.Errorf("XREADGROUP: %v", err)
					return
				}
				m := got[0].Messages[0]
				if err := g.XAck(ctx, k, "g", m.ID).Err(); err != nil {
					g.Errorf("XACK: %v", err)
				}
				if m.Values["n"] == "end" {
					return
				}
				taken <- m.Values["n"].(string)
			}
		})
	}
	for i := range entries + consumers {
		n := fmt.Sprint(i)
		if i >= entries {
			n = "end"
		}
		if err := g.XAdd(ctx, &redis.XAddArgs{Stream: k, Values: []string{"n", n}}).Err(); err != nil {
			g.Error(err)
		}
	}
	running.Wait()
	wantEach(g.T, entries, taken)
}

// TestGoRedisFailover: subscribers and consumers whose node dies go on, and notice nothing.
func TestGoRedisFailover(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	p := proxytest.Start(t, proxytest.Config{Seeds: c.Addrs(), Dispatcher: dispatcher.Config{RedirectTimeout: patience}})
	ctx := testContext(t)
	client := redis.NewClient(&redis.Options{Addr: p.Addr, DialTimeout: patience, ReadTimeout: -1, MaxRetries: -1})
	defer client.Close()
	g := &goRedis{T: t, UniversalClient: client, prefix: prefix(t)}
	channels := make([]string, 12)
	subscribers := make([]<-chan *redis.Message, len(channels))
	for i := range channels { // they are spread over the nodes
		channels[i] = g.key(fmt.Sprint("channel ", i))
		s := g.Subscribe(ctx, channels[i])
		defer s.Close()
		subscribers[i] = s.Channel()
		g.hears(ctx, channels[i], subscribers[i])
	}
	owner := c.OwnerOf(redistest.Slot("list"))
	popped := make(chan error, 1)
	go g.popInto(ctx, popped, "list", "element")
	for !strings.Contains(owner.Client().Info(ctx, "clients").Val(), "\r\nblocked_clients:1\r\n") {
		if ctx.Err() != nil {
			t.Fatal("nobody waits for an element")
		}
		time.Sleep(5 * time.Millisecond)
	}
	owner.Kill()
	if _, err := c.TakeOver(ctx, redistest.Slot("list"), owner); err != nil {
		t.Fatal(err)
	}
	for i := range channels {
		g.hears(ctx, channels[i], subscribers[i])
	}
	if err := g.RPush(ctx, "list", "element").Err(); err != nil {
		t.Errorf("RPUSH: %v", err)
	}
	if err := <-popped; err != nil {
		t.Error(err)
	}
}

// popInto says whether BLPOP returns this element.
func (g *goRedis) popInto(ctx context.Context, popped chan<- error, key, element string) {
	got, err := g.BLPop(ctx, 0, key).Result()
	if err == nil && !slices.Equal(got, []string{key, element}) {
		err = fmt.Errorf("BLPOP: %q", got)
	}
	popped <- err
}
