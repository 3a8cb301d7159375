package main

import (
	"context"
	"fmt"
	"net"
	"time"
)

// The memory counts once it has not grown for settleTime; after settleTimeout it counts as it is.
const (
	settleTime    = time.Second
	settleTimeout = 10 * time.Second
)

// idleMemory opens so many connections, asks PING and GET on each, and returns by how many bytes per connection the
// processes have grown when all of them stand idle, or are blocked in BLPOP.
func idleMemory(ctx context.Context, t target, pids []int, clients int, blocked bool) (float64, error) {
	before, err := settledMemory(ctx, pids)
	if err != nil {
		return 0, err
	}
	conns := make([]net.Conn, 0, clients)
	defer closeAll(&conns)
	for i := range clients {
		c, err := t.dial(ctx)
		if err != nil {
			return 0, fmt.Errorf("connection %d of %d (ulimit -n limits both sides): %w", i+1, clients, err)
		}
		conns = append(conns, c)
		if err := exchange(c, "*1\r\n$4\r\nPING\r\n", "+PONG"); err != nil {
			return 0, err
		}
		name := fmt.Sprintf("idle:%d", i)
		if err := exchange(c, fmt.Sprintf("*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", len(name), name), "$-1"); err != nil {
			return 0, err
		}
		if blocked {
			if _, err := fmt.Fprintf(c, "*3\r\n$5\r\nBLPOP\r\n$%d\r\n%s\r\n$1\r\n0\r\n", len(name), name); err != nil {
				return 0, err
			}
		}
	}
	after, err := settledMemory(ctx, pids)
	return float64(after-before) / float64(clients), err
}

func closeAll(conns *[]net.Conn) {
	for _, c := range *conns {
		c.Close()
	}
}

// settledMemory returns the memory of the processes when it has stopped changing.
func settledMemory(ctx context.Context, pids []int) (int64, error) {
	tick := time.NewTicker(settleTime / 5)
	defer tick.Stop()
	start := time.Now()
	last, lastChange := int64(-1), start
	for {
		now, err := memory(pids)
		if err != nil {
			return 0, err
		}
		if now != last {
			last, lastChange = now, time.Now()
		}
		if time.Since(lastChange) >= settleTime || time.Since(start) >= settleTimeout {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
}
