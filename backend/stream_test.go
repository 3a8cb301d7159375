package backend

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"redis-cluster-proxy/internal/netio"
)

// audience hears a stream.
type audience struct {
	mu     sync.Mutex
	heard  []string
	behind bool // Caught was not called since
	full   bool // it wants a pause
	ended  chan error
}

func newAudience() *audience { return &audience{ended: make(chan error, 2)} }

func (a *audience) Heard(reply []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard, a.behind = append(a.heard, string(reply)), true
}

func (a *audience) Caught() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.behind = false
	return a.full
}

func (a *audience) Ended(err error) { a.ended <- err }

// await waits until this was heard, and the stream knows whether to pause.
func (a *audience) await(t *testing.T, what, text string) {
	t.Helper()
	eventually(t, what, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return !a.behind && strings.Join(a.heard, "|") == text
	})
}

func (a *audience) pause(full bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.full = full
}

// streamPools are a pool for each driver.
func streamPools(t *testing.T) map[string]*Pool {
	pools := map[string]*Pool{"goroutines": startPool(t, Config{})}
	poller, err := netio.NewPoller(1)
	must(t, err)
	t.Cleanup(poller.Close) // runs after the pool's
	pools["poller"] = startPool(t, Config{Poller: poller})
	return pools
}

// TestStream: what arrives is handed over piece by piece, whether it answers something or not; and nothing during a pause.
func TestStream(t *testing.T) {
	e := startEcho(t, nil)
	for driver, p := range streamPools(t) {
		a := newAudience()
		s := p.Node(e.addr).Stream(MakeProfile(Profile{}), a)
		s.Send([]byte("+early\r\n")) // kept until there is a connection
		s.Flush()
		a.await(t, "the first to be heard", "+early\r\n")
		s.Send([]byte(">2\r\n+a\r\n+b\r\n-ERR x\r\n$1\r\nz"))
		s.Flush()
		s.Send([]byte("\r\n"))
		s.Flush()
		const all = "+early\r\n|>2\r\n+a\r\n+b\r\n|-ERR x\r\n|$1\r\nz\r\n"
		a.await(t, "all to be heard", all)
		a.pause(true)
		s.Send([]byte("+pausing\r\n"))
		s.Flush()
		a.await(t, "the pause to begin", all+"|+pausing\r\n")
		s.Send([]byte("+paused\r\n"))
		s.Flush()
		a.pause(false)
		s.Resume()
		a.await(t, "the rest to be heard", all+"|+pausing\r\n|+paused\r\n")
		s.Close()
		if err := receive(t, "the end", a.ended); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: ended by %v", driver, err)
		}
		s.Send([]byte("+late\r\n"))
		s.Flush()
		s.Close()
	}
}

// TestStreamEnds: the holder is told once, whatever ends the connection.
func TestStreamEnds(t *testing.T) {
	for driver, p := range streamPools(t) {
		var s *Stream
		for what, end := range map[string]func(e *echo, n *Node){
			"loss":      func(e *echo, _ *Node) { e.close() },
			"reset":     func(_ *echo, n *Node) { n.Reset() },
			"drop":      func(_ *echo, n *Node) { p.Drop(n) },
			"silence":   func(*echo, *Node) { s.Lose(errors.New("silence")) },
			"malformed": nil,
		} {
			e := startEcho(t, nil)
			n, a := p.Node(e.addr), newAudience()
			s = n.Stream(MakeProfile(Profile{}), a)
			s.Send([]byte("+up\r\n"))
			s.Flush()
			a.await(t, "the connection", "+up\r\n")
			if end != nil {
				end(e, n)
			} else {
				s.Send([]byte("?\r\n"))
				s.Flush()
			}
			if err := receive(t, "the end", a.ended); errors.Is(err, ErrClosed) != (what == "reset" || what == "drop") {
				t.Errorf("%s, %s: ended by %v", driver, what, err)
			} else if what == "silence" && err.Error() != what {
				t.Errorf("%s, %s: ended by %v", driver, what, err)
			}
			if len(a.ended) > 0 {
				t.Errorf("%s, %s: told twice", driver, what)
			}
		}
		// One whose node is gone, or cannot be reached.
		gone := p.Node("127.0.0.1:1")
		for range 2 {
			a := newAudience()
			gone.Stream(MakeProfile(Profile{}), a)
			if err := receive(t, "the end", a.ended); err == nil {
				t.Errorf("%s: connected to nobody", driver)
			}
			p.Drop(gone)
		}
	}
}
