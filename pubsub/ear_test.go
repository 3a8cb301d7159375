package pubsub

import (
	"sync"
	"testing"
	"time"

	"redis-cluster-proxy/resp"
)

// pushed is a message as clients see it.
func pushed(proto resp.Proto, words ...string) string {
	b := resp.AppendPushHeader(nil, proto, len(words))
	for _, w := range words {
		b = resp.AppendBulkString(b, w)
	}
	return string(b)
}

// ear is a client's output.
type ear struct {
	deaf sync.Mutex // held: nothing is flushed to it

	mu     sync.Mutex
	bytes  []byte // that were flushed
	held   []byte
	kicked string
	shared int // stretches that were not copied
}

func (e *ear) Gather(b []byte, shared bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held = append(e.held, b...)
	if shared {
		e.shared++
	}
}

func (e *ear) FlushGathered() {
	e.deaf.Lock()
	defer e.deaf.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bytes = append(e.bytes, e.held...)
	e.held = nil
}

func (e *ear) Kick(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kicked = text
}

// closedFor returns the reason; "": it was not closed.
func (e *ear) closedFor() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.kicked
}

func (e *ear) heard() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return string(e.bytes)
}

// size is how many bytes were heard.
func (e *ear) size() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.bytes)
}

// hears waits until a client has heard exactly want since the last time.
func (e *ear) hears(t *testing.T, want string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for e.size() < len(want) && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if got := string(e.bytes); got != want {
		t.Fatalf("heard %q, want %q", got, want)
	}
	e.bytes = nil
}
