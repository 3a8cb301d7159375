package dispatcher

import (
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/internal/redistest"
)

// slowRequest is what a session's sink was told.
type slowRequest struct {
	Slow
	args  string // the first five
	count int
}

// TestSlowRequests: what is slow is told once per request, with its arguments in the client's order, and what is not is
// not told.
func TestSlowRequests(t *testing.T) {
	nodes := redistest.StartFakeCluster(t)
	r := newFakeRig(t, Config{}, nodes)
	s := r.newSession()
	defer s.close()
	ask := func(args ...string) {
		t.Helper()
		s.do(t, args...)
	}
	ask("SET", "a", "1")
	r.pool.SetSlow(0)
	for _, tt := range []struct {
		line  string
		count int
		parts int
	}{
		{"SET a 1", 3, 1}, {"GET a", 2, 1}, {"MGET a b c d", 5, 4}, {"MSET a 1 b 2 c 3 d 4", 9, 4}, {"DEL a b c d e f", 7, 6}, {"MGET {x}a {x}b", 3, 1},
		{"MSETEX 2 a 1 b 2 EX 10", 8, 2},
	} {
		ask(strings.Fields(tt.line)...)
		s.mu.Lock()
		told := s.slow
		s.slow = nil
		s.mu.Unlock()
		if len(told) != 1 {
			t.Fatalf("%s: told %+v", tt.line, told)
		}
		got := told[0]
		want := strings.Join(strings.Fields(tt.line)[:min(5, tt.count)], " ")
		if got.args != want || got.count != tt.count || got.Parts != tt.parts {
			t.Errorf("%s: %d arguments, %q, in %d parts", tt.line, got.count, got.args, got.Parts)
		}
		if got.Total < got.AtNode || got.AtNode <= 0 || got.Total > patience || got.Addr == "" {
			t.Errorf("%s: %+v", tt.line, got)
		}
	}
	r.pool.SetSlow(-1)
	ask("GET", "a")
	r.pool.SetSlow(time.Hour)
	ask("GET", "a")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.slow) > 0 {
		t.Errorf("told %+v", s.slow)
	}
}

// TestSlowRequestWithoutReply: the node that gave none in time is named.
func TestSlowRequestWithoutReply(t *testing.T) {
	nodes := redistest.StartFakeCluster(t)
	r := newFakeRigOver(t, Config{}, backend.Config{RequestTimeout: time.Millisecond}, nodes)
	s := r.newSession()
	defer s.close()
	r.pool.SetSlow(0)
	silent := nodes.OwnerOf(slotOf)
	silent.HoldReplies()
	defer silent.ReleaseReplies()
	if v := s.do(t, "GET", "key"); !strings.HasSuffix(v.Str, " in time") {
		t.Errorf("%+v", v)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.slow) != 1 || s.slow[0].Addr != silent.Addr || s.slow[0].AtNode <= 0 || s.slow[0].AtNode > s.slow[0].Total {
		t.Errorf("told %+v", s.slow)
	}
}
