package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
)

// mixedScript is n commands of all kinds (forwarded, split, merged, local, refused, wrong), on keys over all slots that are
// the session's own, so that each reply is determined and tells whose it is.
func mixedScript(session, n int) *script {
	s := &script{}
	counter := 0
	last := make([]string, 16) // values of the session's keys
	for i := range n {
		k := i * 7 % len(last)
		key := fmt.Sprintf("mixed:%d:%d", session, k)
		id := fmt.Sprintf("%d.%d", session, i)
		switch i % 12 {
		case 0, 6:
			s.add("+OK\r\n", "SET %s %s", key, id)
			last[k] = id
		case 1, 7:
			s.add(orNull(last[k]), "GET %s", key)
		case 2:
			counter++
			s.add(integer(counter), "INCR mixed:%d:n", session)
		case 3:
			s.add(bulk(id), "ECHO %s", id)
		case 4:
			a, b, c := k, (k+1)%len(last), (k+2)%len(last)
			s.add("*3\r\n"+orNull(last[a])+orNull(last[b])+orNull(last[c]), "MGET mixed:%d:%d mixed:%d:%d mixed:%d:%d", session, a, session, b, session, c)
		case 5:
			a, b := k, (k+5)%len(last)
			s.add("+OK\r\n", "MSET mixed:%d:%d %s mixed:%d:%d %s", session, a, id, session, b, id)
			last[a], last[b] = id, id
		case 8:
			was := 0
			if last[k] != "" {
				was = 1
			}
			s.add(integer(was), "DEL %s mixed:none:%d", key, i)
			last[k] = ""
		case 9:
			s.add("-ERR unknown command '"+id+"', with args beginning with: \r\n", "%s", id)
		case 10:
			s.add(integer(len(last[k])+len(id)), "APPEND %s %s", key, id)
			last[k] += id
		case 11:
			s.add(bulk(id), "PING %s", id)
			s.add("-ERR timeout is not a float or out of range\r\n", "BLPOP %s never", key)
		}
	}
	return s
}

func orNull(value string) string {
	if value == "" {
		return "$-1\r\n"
	}
	return bulk(value)
}

// TestPipelinesOfManySessions: 50 sessions send 10,000 mixed commands each, in one go, while they read the replies.
func TestPipelinesOfManySessions(t *testing.T) {
	const sessions, commands = 50, 10_000
	cfg := proxytest.Config{}
	cfg.Backend.Lanes = 2
	p := start(t, cluster.Get(t), cfg)
	var running sync.WaitGroup
	errs := make([]error, sessions)
	for i := range sessions {
		running.Add(1)
		go func() {
			defer running.Done()
			errs[i] = playConcurrently(p.Addr, mixedScript(i, commands))
		}()
	}
	running.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("session %d: %v", i, err)
		}
	}
}

// playConcurrently sends the script in one goroutine and compares the replies in another.
func playConcurrently(addr string, s *script) error {
	c, err := proxytest.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	sent := make(chan error, 1)
	go func() { sent <- c.Send(s.send) }()
	if err := s.compare(c); err != nil {
		return err
	}
	if err := <-sent; err != nil {
		return err
	}
	v, err := c.Do("PING", "end")
	if err == nil && v.Str != "end" {
		err = fmt.Errorf("more replies than requests: %.200v", v)
	}
	return err
}

// TestDeepPipelineOfOneSession fits into no buffer: neither the commands nor the replies.
func TestDeepPipelineOfOneSession(t *testing.T) {
	p := start(t, cluster.Get(t), proxytest.Config{})
	s := &script{}
	value := strings.Repeat("v", 1000)
	for i := range 20_000 {
		s.add("+OK\r\n", "SET deep:%d %s", i%100, value)
		s.add(bulk(value), "GET deep:%d", i%100)
	}
	if err := playConcurrently(p.Addr, s); err != nil {
		t.Error(err)
	}
}
