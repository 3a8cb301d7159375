package stack

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// probeKey is written, read and deleted to see whether the proxy serves.
const probeKey = "redis-cluster-proxy:ready"

// served returns nil if PING, SET and GET are answered at addr as they should be.
func served(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	// First without go-redis, which logs each connection that it cannot open.
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	conn.Close()
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, ContextTimeoutEnabled: true})
	defer client.Close()
	if err := client.Ping(ctx).Err(); err != nil {
		return err
	}
	if err := client.Set(ctx, probeKey, addr, time.Minute).Err(); err != nil {
		return err
	}
	got, err := client.Get(ctx, probeKey).Result()
	if err == nil && got != addr {
		err = fmt.Errorf("GET returned %q after SET of %q", got, addr)
	}
	if err != nil {
		return err
	}
	return client.Del(ctx, probeKey).Err()
}
