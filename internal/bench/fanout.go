package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// fanOutPatience bounds the wait for messages that were published, once the publisher has ended.
const fanOutPatience = 30 * time.Second

// channel and message are what is published.
const (
	channel = "news"
	message = "sixteen bytes..."
)

var (
	publish   = fmt.Sprintf("*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(channel), channel, len(message), message)
	delivered = fmt.Sprintf("*3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(channel), channel, len(message), message)
)

// audience is the subscribers of a case.
type audience struct {
	conns []net.Conn
	bytes atomic.Int64 // that they have heard
	lost  atomic.Int64 // of them that were closed
	ends  sync.WaitGroup
}

// gather subscribes so many clients.
func gather(ctx context.Context, t target, clients int) (*audience, error) {
	a := &audience{}
	for range clients {
		c, err := t.dial(ctx)
		if err != nil {
			a.close()
			return nil, err
		}
		a.conns = append(a.conns, c)
		told := make([]byte, len(subscribedTo))
		if _, err = io.WriteString(c, fmt.Sprintf("SUBSCRIBE %s\r\n", channel)); err == nil {
			_, err = io.ReadFull(c, told)
		}
		if err == nil && string(told) != subscribedTo {
			err = errors.New("no confirmation")
		}
		if err != nil {
			a.close()
			return nil, fmt.Errorf("%s answers SUBSCRIBE with %q: %w", t.name, told, err)
		}
		a.ends.Add(1)
		go a.listen(c)
	}
	return a, nil
}

var subscribedTo = fmt.Sprintf("*3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:1\r\n", len(channel), channel)

// listen counts what one subscriber hears.
func (a *audience) listen(c net.Conn) {
	defer a.ends.Done()
	buf := make([]byte, 32<<10)
	for {
		n, err := c.Read(buf)
		a.bytes.Add(int64(n))
		if err != nil {
			a.lost.Add(1)
			return
		}
	}
}

func (a *audience) close() {
	for _, c := range a.conns {
		c.Close()
	}
	a.ends.Wait()
}

// await waits until the subscribers have heard so many messages together.
func (a *audience) await(messages int64) error {
	until := time.Now().Add(fanOutPatience)
	for a.bytes.Load() < messages*int64(len(delivered)) {
		if n := a.lost.Load(); n > 0 {
			return fmt.Errorf("%d subscribers were closed", n)
		}
		if time.Now().After(until) {
			return fmt.Errorf("%d bytes of messages have arrived, not %d", a.bytes.Load(), messages*int64(len(delivered)))
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// fanOut publishes to subscribers for as long as a turn takes.
func fanOut(ctx context.Context, t target, pids []int, c benchCase, opts *options) (sample, error) {
	a, err := gather(ctx, t, opts.subscribers)
	if err != nil {
		return sample{}, err
	}
	defer a.close()
	publisher, err := t.dial(ctx)
	if err != nil {
		return sample{}, err
	}
	defer publisher.Close()
	before, err := cpuTime(pids)
	if err != nil {
		return sample{}, err
	}
	begin := time.Now()
	published, err := publishFor(publisher, c, opts.duration)
	if err != nil {
		return sample{}, err
	}
	messages := int64(published) * int64(opts.subscribers)
	if err := a.await(messages); err != nil {
		return sample{}, fmt.Errorf("%s: %w", t.name, err)
	}
	took := time.Since(begin)
	after, err := cpuTime(pids)
	if err != nil {
		return sample{}, err
	}
	return sample{
		cpu: (after - before) / time.Duration(published), requests: published,
		perMessage: float64(after-before) / float64(messages), figures: figures{perSecond: float64(messages) / took.Seconds()},
	}, nil
}

// publishFor publishes one batch after the other, at the case's rate if it has one, and one at least: this process may stand
// still for as long as a turn takes.
func publishFor(publisher net.Conn, c benchCase, d time.Duration) (published int, err error) {
	replies := bufio.NewReader(publisher)
	batch := []byte(strings.Repeat(publish, c.pipeline))
	begin := time.Now()
	for published == 0 || time.Since(begin) < d {
		if c.rate > 0 {
			time.Sleep(time.Until(begin.Add(time.Duration(published) * time.Second / time.Duration(c.rate))))
		}
		if _, err := publisher.Write(batch); err != nil {
			return published, err
		}
		for range c.pipeline {
			line, err := replies.ReadString('\n')
			if err != nil || line[0] != ':' {
				return published, fmt.Errorf("PUBLISH is answered %q: %w", line, err)
			}
		}
		published += c.pipeline
	}
	return published, nil
}
