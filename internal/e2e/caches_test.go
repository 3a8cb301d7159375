package e2e

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// cached is a value in a cache; absent says that there is none.
type cached struct {
	value  string
	absent bool
}

// cache is what a client keeps of what it has read, with the rules that Redis's documentation gives.
type cache struct {
	mu sync.Mutex
	// Guarded by mu.
	values map[string]cached
	fresh  map[string]bool // asked for, and not invalidated since
	hits   int
	gone   int // keys that were invalidated
	nulls  int // times that all were
}

func newCache() *cache { return &cache{values: map[string]cached{}, fresh: map[string]bool{}} }

// has reports whether key need not be asked for. If it must be, it will be.
func (c *cache) has(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.values[key]; ok {
		c.hits++
		return true
	}
	c.fresh[key] = true
	return false
}

// put keeps a reply, unless it may be older than an invalidation that has come by another connection.
func (c *cache) put(key string, v resp.Value) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fresh[key] {
		c.values[key] = cached{v.Str, v.Null}
	}
	delete(c.fresh, key)
}

// drop forgets keys, or all if what the server says is null.
func (c *cache) drop(keys resp.Value, elsewhere bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if keys.Null {
		c.nulls++
		clear(c.values)
		if elsewhere {
			clear(c.fresh)
		}
		return
	}
	for _, k := range keys.Elems {
		c.gone++
		delete(c.values, k.Str)
		if elsewhere {
			delete(c.fresh, k.Str)
		}
	}
}

// size returns how many keys are in the cache.
func (c *cache) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.values)
}

// stale returns what of the cache is not as it is really.
func (c *cache) stale(real map[string]cached) (wrong []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, v := range maps.All(c.values) {
		if real[key] != v {
			wrong = append(wrong, fmt.Sprintf("%s is %+v, cached %+v", key, real[key], v))
		}
	}
	return wrong
}

// cacher is a client with a cache, by one of the ways in which libraries do it.
type cacher struct {
	// Set at construction.
	begin  [][]string // what it says first
	before []string   // and before each command; nil: nothing
	addr   string     // of the proxy, if it is told over a second connection; "": it is not
	keys   func(n int) []string

	cache    *cache
	settling atomic.Bool // it only listens
}

// round is a round of a load: some reads in one go, of what is not in the cache.
func (c *cacher) round(conn *proxytest.Client, _, round int) error {
	if round == 0 {
		for _, words := range c.begin {
			if v, err := conn.Do(words...); err != nil || v.Kind == '-' || v.Kind == '>' { // nothing comes before the OK
				return fmt.Errorf("%q: %+v, %w", words, v, err)
			}
		}
	}
	var wire []byte
	var asked []string
	if !c.settling.Load() {
		for _, key := range c.keys(round) {
			if c.cache.has(key) {
				continue
			}
			if c.before != nil {
				wire = resp.AppendCommand(wire, c.before...)
				asked = append(asked, "")
			}
			wire = resp.AppendCommand(wire, "GET", key)
			asked = append(asked, key)
		}
	}
	if err := conn.Send(resp.AppendCommand(wire, "PING")); err != nil {
		return err
	}
	for _, key := range append(asked, "") {
		v, err := c.reply(conn)
		if err != nil || v.Kind == '-' {
			return fmt.Errorf("%q: %+v, %w", key, v, err)
		}
		if key != "" {
			c.cache.put(key, v)
		}
	}
	return nil
}

// reply reads a reply, and the pushes before it.
func (c *cacher) reply(conn *proxytest.Client) (resp.Value, error) {
	for {
		v, err := conn.Read()
		if err != nil || v.Kind != '>' {
			return v, err
		}
		if len(v.Elems) != 2 || v.Elems[0].Str != "invalidate" {
			return v, fmt.Errorf("an unknown push: %+v", v)
		}
		c.cache.drop(v.Elems[1], false)
	}
}

// listen hears a second connection, which subscribes to invalidations in RESP2, until it is closed.
func (c *cacher) listen(conn *proxytest.Client, ended *sync.WaitGroup) {
	defer ended.Done()
	for {
		v, err := conn.Read()
		if err != nil {
			return
		}
		if len(v.Elems) == 3 && v.Elems[0].Str == "message" && v.Elems[1].Str == "__redis__:invalidate" {
			c.cache.drop(v.Elems[2], true)
		}
	}
}
