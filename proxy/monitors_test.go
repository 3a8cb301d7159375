package proxy

import (
	"runtime"
	"strings"
	"sync"
	"testing"
)

// TestLinesForTheFirstMonitor: whoever sees that somebody watches may tell at once, while the first monitor is still joining.
func TestLinesForTheFirstMonitor(t *testing.T) {
	for range 200 {
		srv := &Server{}
		s := &session{srv: srv}
		m := &srv.monitors
		var adding sync.WaitGroup
		adding.Go(func() {
			for !m.any.Load() {
				runtime.Gosched()
			}
			m.add([]byte(" a line"))
		})
		m.join(s)
		adding.Wait()
		m.setDeaf(s, false) // it is told what has gathered
		if early := string(m.members[0].early); !strings.HasSuffix(early, " a line") {
			t.Fatalf("the monitor is told %q", early)
		}
		m.leave(s)
		srv.ending.Wait()
	}
}
