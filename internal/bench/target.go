package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// dialTimeout bounds connecting to a target and one exchange with it.
const dialTimeout = 5 * time.Second

// target is a program to measure.
type target struct {
	name string
	addr string // host:port
}

// parseTargets reads "name=host:port ...". Neither a name nor an address may come twice.
func parseTargets(text string) ([]target, error) {
	var targets []target
	seen := map[string]bool{}
	for item := range strings.FieldsSeq(text) {
		name, addr, found := strings.Cut(item, "=")
		if _, _, err := net.SplitHostPort(addr); !found || name == "" || err != nil {
			return nil, fmt.Errorf("target %q is not name=host:port", item)
		}
		if seen[name] || seen[addr] {
			return nil, fmt.Errorf("target %q is there twice", item)
		}
		seen[name], seen[addr] = true, true
		targets = append(targets, target{name, addr})
	}
	return targets, nil
}

// dial connects to the target.
func (t target) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	return c, nil
}

// check returns an error unless the target answers PING. redis-benchmark would try a dead one for ever.
func (t target) check(ctx context.Context) error {
	c, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return exchange(c, "*1\r\n$4\r\nPING\r\n", "+PONG")
}

// exchange sends a request whose reply is one line that begins with want.
func exchange(c net.Conn, request, want string) error {
	if err := c.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return err
	}
	if _, err := c.Write([]byte(request)); err != nil {
		return err
	}
	line, err := bufio.NewReaderSize(c, 512).ReadString('\n')
	if err != nil {
		return fmt.Errorf("%s: no answer to %q: %w", c.RemoteAddr(), request, err)
	}
	if !strings.HasPrefix(line, want) {
		return fmt.Errorf("%s answers %q to %q", c.RemoteAddr(), line, request)
	}
	return nil
}
