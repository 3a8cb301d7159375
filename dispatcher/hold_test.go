package dispatcher

import (
	"slices"
	"strings"
	"testing"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
	"redis-cluster-proxy/slots"
)

// stage dispatches a command without flushing, as a session does while there is more to parse.
func (s *session) stage(args ...string) {
	s.pipe.Begin(backend.Now())
	s.dispatch(resp.AppendCommand(nil, args...))
}

// heardBy waits until a node has heard so many commands since the last harvest, and returns them.
func (sc *scene) heardBy(name string, n int) (lines []string) {
	sc.t.Helper()
	poll(sc.t, "commands at "+name, func() bool {
		sc.mu.Lock()
		defer sc.mu.Unlock()
		lines = slices.Clone(sc.heard[name])
		return len(lines) >= n
	})
	return lines
}

// rests waits until a part has been tried so often that it now waits for 125 ms or more.
func (s *session) rests(t *testing.T) {
	t.Helper()
	poll(t, "a command to be tried a few times", func() bool {
		s.pipe.mu.Lock()
		defer s.pipe.mu.Unlock()
		return len(s.pipe.holds) > 0 && s.pipe.holds[0].waiting[0].attempts > 7
	})
}

// TestStagedBeforeALoss has a connection break while a session has a command for it that it has not handed over, and makes
// up for that while one that was under way waits to be sent again, which must come first.
func TestStagedBeforeALoss(t *testing.T) {
	sc := newScene(t)
	sc.own("A", 0, 16383)
	s := sc.session("client")
	defer s.close()
	s.say(resp.AppendCommand(nil, "GET", "foo"))
	sc.heardBy("A", 1)
	s.stage("SET", "foo", "2")
	sc.peers["A"].stop()
	s.rests(t)
	sc.peers["A"].listen(t, sc.peers["A"].addr)
	s.pipe.Flush()
	if got := strings.Join(sc.heardBy("A", 3), ", "); got != "GET foo, GET foo, SET foo 2" {
		t.Errorf("A heard %s", got)
	}
}

// TestStagedBeforeAHold has a command wait in a hold behind one that came back, while one between them is with the session
// that has not handed it over.
func TestStagedBeforeAHold(t *testing.T) {
	sc := newScene(t)
	sc.own("A", 0, 16383)
	s := sc.session("client")
	defer s.close()
	s.say(resp.AppendCommand(nil, "GET", "foo"))
	sc.heardBy("A", 1)
	s.stage("SET", "foo", "2")
	sc.peers["A"].stop()
	s.rests(t)
	s.stage("SET", "foo", "3")
	sc.peers["A"].listen(t, sc.peers["A"].addr)
	sc.heardBy("A", 2)
	s.pipe.Flush()
	if got := strings.Join(sc.heardBy("A", 4), ", "); got != "GET foo, GET foo, SET foo 2, SET foo 3" {
		t.Errorf("A heard %s", got)
	}
}

// TestStagedForANodeThatLeaves has the layout drop a node for which a session has staged commands: they go elsewhere.
func TestStagedForANodeThatLeaves(t *testing.T) {
	sc := newScene(t)
	sc.own("A", 0, 16383)
	sc.node("B")
	s := sc.session("client")
	defer s.close()
	s.stage("SET", "foo", "1")
	s.stage("SET", "foo", "2")
	sc.table = slots.NewTable(slots.Hash)
	sc.own("B", 0, 16383)
	sc.chart.publish(sc.table)
	s.stage("SET", "foo", "3")
	s.pipe.Flush()
	if got := strings.Join(sc.heardBy("B", 3), ", "); got != "SET foo 1, SET foo 2, SET foo 3" {
		t.Errorf("B heard %s", got)
	}
}
