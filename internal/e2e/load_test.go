package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// maxErrors is how many errors of a load are kept for the report.
const maxErrors = 20

// load is sessions that go round and round until they are told to stop.
type load struct {
	// Set at construction.
	t     *testing.T
	round func(c *proxytest.Client, session, round int) error

	rounds   []atomic.Int64 // by session
	stopping atomic.Bool
	ended    sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	errors []error
	failed int
}

// startLoad starts that many sessions, each on a connection of its own. An error of a round ends its session. The load ends
// with the test at the latest.
func startLoad(t *testing.T, addr string, sessions int, round func(c *proxytest.Client, session, round int) error) *load {
	t.Helper()
	l := &load{t: t, round: round, rounds: make([]atomic.Int64, sessions)}
	for i := range sessions {
		c, err := proxytest.Dial(addr)
		if err != nil {
			t.Fatal(err)
		}
		l.ended.Add(1)
		go l.run(c, i)
	}
	t.Cleanup(l.halt)
	return l
}

func (l *load) run(c *proxytest.Client, session int) {
	defer l.ended.Done()
	defer c.Close()
	for n := 0; !l.stopping.Load(); n++ {
		if err := l.round(c, session, n); err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.failed++
			if len(l.errors) < maxErrors {
				l.errors = append(l.errors, fmt.Errorf("session %d, round %d: %w", session, n, err))
			}
			return
		}
		l.rounds[session].Add(1)
	}
}

func (l *load) halt() {
	l.stopping.Store(true)
	l.ended.Wait()
}

// dead reports whether a session has ended with an error.
func (l *load) dead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed > 0
}

// pass waits until each session has gone n more rounds, or one of them has failed.
func (l *load) pass(n int) {
	l.t.Helper()
	for i := range l.rounds {
		goal := l.rounds[i].Load() + int64(n)
		eventually(l.t, fmt.Sprintf("session %d has gone %d more rounds", i, n), func() bool { return l.rounds[i].Load() >= goal || l.dead() })
	}
}

// total returns how many rounds have been gone by all sessions.
func (l *load) total() (sum int) {
	for i := range l.rounds {
		sum += int(l.rounds[i].Load())
	}
	return sum
}

// end stops the load and fails the test if a round failed.
func (l *load) end() {
	l.t.Helper()
	l.halt()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, err := range l.errors {
		l.t.Error(err)
	}
	if l.failed > 0 {
		l.t.Errorf("%d of %d sessions failed", l.failed, len(l.rounds))
	}
	l.t.Logf("%d rounds by %d sessions", l.total(), len(l.rounds))
}

// script is a pipeline with the replies that it must have.
type script struct{ send, want []byte }

// add adds a command, a line of words, with its reply in RESP.
func (s *script) add(want string, format string, args ...any) {
	s.send = resp.AppendCommand(s.send, strings.Fields(fmt.Sprintf(format, args...))...)
	s.want = append(s.want, want...)
}

func bulk(s string) string { return string(resp.AppendBulkString(nil, s)) }

func integer(n int) string { return string(resp.AppendInt(nil, int64(n))) }

// play sends the script in one go and compares the replies in order.
func (s *script) play(c *proxytest.Client) error {
	if err := c.Send(s.send); err != nil {
		return err
	}
	return s.compare(c)
}

// compare reads the replies to what was sent. It compares them as they come: a script may be long.
func (s *script) compare(c *proxytest.Client) error {
	for done := 0; done < len(s.want); {
		got, err := c.ReadSome()
		if err != nil {
			return fmt.Errorf("%w, after %d of %d bytes of replies", err, done, len(s.want))
		}
		if !bytes.HasPrefix(s.want[done:], got) {
			return s.difference(done, got)
		}
		done += len(got)
	}
	return nil
}

// difference says which reply is wrong, given what came after the first done bytes.
func (s *script) difference(done int, got []byte) error {
	all := append(append([]byte{}, s.want[:done]...), got...)
	for i, at := 0, 0; ; i++ {
		n, _ := resp.ReplyLen(s.want[at:])
		if n == 0 || !bytes.HasPrefix(all[at:], s.want[at:at+n]) {
			return fmt.Errorf("reply %d is %.200q, want %.200q", i, all[at:], s.want[at:at+n])
		}
		at += n
	}
}
